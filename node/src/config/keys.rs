//! The list of all configuration keys.

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A path; in a file relative to that file's folder.
    Path,
    /// Any text.
    Text,
    /// A list of texts; in variables and flags separated by commas.
    List,
    /// A whole number from 0.
    Number,
    /// `true` or `false`.
    Switch,
}

impl Kind {
    /// For error messages.
    pub const fn expected(self) -> &'static str {
        match self {
            Kind::Path => "a path in quotes",
            Kind::Text => "text in quotes",
            Kind::List => "a list of texts, [\"…\", \"…\"]",
            Kind::Number => "a whole number, 0 or above",
            Kind::Switch => "true or false",
        }
    }
}

/// One configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name, with its section: `network.listen`.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its default, for the table in `docs/operator.md`.
    pub default: &'static str,
    /// What it does, for the same table.
    pub help: &'static str,
}

impl Key {
    /// Its environment variable: `MEDRING_NETWORK_LISTEN`.
    pub fn variable(&self) -> String {
        format!("MEDRING_{}", self.name.replace('.', "_").to_uppercase())
    }
}

macro_rules! keys {
    ($($name:literal $kind:ident $default:literal $help:literal)*) => {
        /// Every key there is.
        pub const KEYS: &[Key] = &[$(Key { name: $name, kind: Kind::$kind, default: $default, help: $help },)*];
    };
}

keys! {
    "data_dir" Path "~/.medring" "folder of the chain, the node's key, `LOCK`, `node.json`, `api.token` and `tokens.json`"
    "genesis" Path "genesis.json" "the network's genesis file"
    "chain.min_work" Text "" "least work of a branch that is stored, 0x and hex digits or a decimal number; protects a new node from floods of cheap headers. A good value is the `work` that `medring chain status` tells on a node you trust"
    "chain.checkpoints" List "" "`HEIGHT:BLOCKID`: the only block that may stand at a height; a branch with another one is refused as long as this stands here"
    "network.listen" List "/ip4/127.0.0.1/tcp/0,/ip4/127.0.0.1/udp/0/quic-v1" "TCP and QUIC addresses to listen on; port 0 takes any free one"
    "network.bootstrap" List "" "nodes to stay linked to, with or without `/p2p/PEERID`"
    "network.announce" List "" "addresses others reach this node at, where they differ from `network.listen` (port forwarding)"
    "network.discovery" Switch "true" "find further nodes through those that are linked; without it only bootstrap addresses are dialled"
    "network.mdns" Switch "false" "find nodes on the local network, and show this one there"
    "network.max_peers" Number "64" "most links at one time, 1 … 250; a quarter is kept for links this node opens; a group of n needs n − 1 and more"
    "network.capture" Path "" "file to which every outgoing payload is copied before it is encrypted; test networks only"
    "network.wire_version" Number "" "1 plays an older node, which gossips whole blocks; the newest if not set; test networks only"
    "api.listen" Text "127.0.0.1:0" "loopback address of the HTTP API; port 0 takes any free one"
    "mining.enabled" Switch "false" "mine all the time"
    "mining.threads" Number "1" "mining threads, 1 … 256"
    "mining.hashes_per_second" Number "" "cap of all mining threads together; test networks only"
    "mining.seed" Number "" "where nonce searches start; drawn from the system if not set"
    "mining.nice" Number "10" "how much mining threads yield to others, 0 … 19"
    "wallet.keystore" Path "" "the participant's keystore; without it the node has no wallet"
    "wallet.passphrase_file" Path "" "file of mode 0600 whose first line is the keystore's passphrase"
    "wallet.birthday_height" Number "0" "height from which the wallet looks for own records"
    "group.archive" Switch "false" "keep keys of past epochs, so that their records stay readable here; who takes this device reads them too"
    "group.members_max" Number "64" "most members of a group this participant owns, 1 … 256"
    "group.step_timeout_ms" Number "" "how long each step of a new epoch may take, 1,000 … 600,000 ms; 30,000 if not set; test networks only"
    "group.crash_after" Number "" "end the process right after storing groups so many times; test networks only"
    "monitor.window_minutes" Number "5" "minutes of recording in each record of vital signs, 1 … 15, unless a stream says otherwise"
    "monitor.queue_mib" Number "32" "mebibytes of vital signs that may wait on disk until the group can be sealed to, 1 … 256"
    "testnet.faults" Path "" "file of faults to start with (JSON, as of `PUT /v1/testnet/faults`), none if it is not there; test networks only"
    "log.format" Text "text" "`text` or `json`"
    "log.filter" Text "info" "tracing filter, for example `info,medring_node::net=debug`"
    "log.file" Path "" "file to append to; standard error if not set"
}

/// The key of that name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The known key nearest to a mistyped one, by edit distance; the last part counts alone, too (`listen` for
/// `network.listen`). `None` where more than a third would have to change: that is no typing error.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let cost = |key: &Key| distance(key.name, name).min(distance(&last(key.name), &last(name)) + 1);
    let near = KEYS.iter().map(|key| (cost(key), key.name)).min_by_key(|(cost, _)| *cost);
    near.filter(|(cost, _)| *cost <= (name.len() / 3).max(1)).map(|(_, key)| key)
}

/// Levenshtein distance, in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
