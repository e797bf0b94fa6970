//! Real nodes with real sockets on 127.0.0.1 and folders of their own, and ways to wait for what they do.

use medring_node::config::{Config, ConfigPatch, load};
use medring_node::core::{Event, Snapshot};
use medring_node::driver::{Node, NodeHandle, Shutdown, StartError, Stopped, now_ms};
use medring_node::wallet::{KdfCost, Keystore, Passphrase};
use medring_protocol::identity::IdentitySecret;
use medring_protocol::params::{GenesisFile, Purpose};
use medring_protocol::testkit::{Actor, Kit};
use rand::SeedableRng;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long anything awaited may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A network: its participants, and a folder for its genesis file and nodes.
pub(crate) struct World {
    pub(crate) kit: Kit,
    pub(crate) dir: TempDir,
}

impl World {
    /// A test network that begins now, so that the kit's stamps are recent.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with_purpose(seed, Purpose::Testnet)
    }

    pub(crate) fn with_purpose(seed: u64, purpose: Purpose) -> Self {
        let kit = Kit::with_params(seed, |params| {
            params.purpose = purpose;
            params.genesis_time_ms = now_ms();
            params.stamp_window_ms = 600_000;
            params.retarget = purpose == Purpose::Production;
            params.future_limit_ms = if params.retarget { 7_200 } else { 600_000 };
        });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("genesis.json"), GenesisFile::new(kit.params.clone()).to_json()).unwrap();
        Self { kit, dir }
    }

    pub(crate) fn genesis(&self) -> PathBuf {
        self.dir.path().join("genesis.json")
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Settings of a node that does not mine by itself and knows these addresses.
    pub(crate) fn config(&self, name: &str, bootstrap: &[String]) -> Config {
        config(&self.data(name), &self.genesis(), bootstrap)
    }

    pub(crate) async fn start(&self, name: &str, bootstrap: &[String]) -> NodeHandle {
        Node::start(self.config(name, bootstrap), Shutdown::new()).await.unwrap()
    }

    pub(crate) async fn fails(&self, config: Config) -> StartError {
        Node::start(config, Shutdown::new()).await.expect_err("this node must not start")
    }
}

pub(crate) fn config(data: &Path, genesis: &Path, bootstrap: &[String]) -> Config {
    let mut flags = ConfigPatch::default();
    for (key, value) in [
        ("data_dir", data.to_str().unwrap()),
        ("genesis", genesis.to_str().unwrap()),
        ("network.bootstrap", &bootstrap.join(",")),
        ("mining.nice", "0"),
        // Who is linked to whom is the test's to say.
        ("network.discovery", "false"),
    ] {
        flags.set("test", key, value).unwrap();
    }
    load(None, [], &flags).unwrap()
}

const PASSPHRASE: &str = "a passphrase of the test";

/// Settings of a node on which `actor` lives.
pub(crate) fn config_with_wallet(world: &World, name: &str, actor: &Actor, bootstrap: &[String]) -> Config {
    let (keystore, file) = (world.data(&format!("{name}.keystore")), world.data(&format!("{name}.passphrase")));
    if !keystore.exists() {
        let secret = actor.secret.expose();
        let identity = IdentitySecret::from_bytes(secret[..32].try_into().unwrap(), secret[32..].try_into().unwrap());
        let passphrase = Passphrase::new(PASSPHRASE.as_bytes()).unwrap();
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(31);
        Keystore::create(&keystore, &passphrase, identity.unwrap(), KdfCost::TESTNET, &mut rng).unwrap();
        std::fs::write(&file, PASSPHRASE).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mut config = world.config(name, bootstrap);
    config.wallet.keystore = Some(keystore);
    config.wallet.passphrase_file = Some(file);
    config
}

/// Starts a node on which `actor` lives.
pub(crate) async fn with_wallet(world: &World, name: &str, actor: &Actor, bootstrap: &[String]) -> NodeHandle {
    Node::start(config_with_wallet(world, name, actor, bootstrap), Shutdown::new()).await.unwrap()
}

/// A node's full address.
pub(crate) fn address(node: &NodeHandle) -> String {
    node.info().listen[0].to_string()
}

/// A node's full QUIC address.
pub(crate) fn quic_address(node: &NodeHandle) -> String {
    let quic = node.info().listen.iter().map(ToString::to_string).find(|address| address.contains("/quic-v1"));
    quic.expect("nodes listen on QUIC by default")
}

/// Waits until a node stands as described; says what was awaited if it never does.
pub(crate) async fn until(node: &NodeHandle, what: &str, stands: impl Fn(&Snapshot) -> bool) {
    let mut snapshots = node.watch();
    let waited = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| stands(snapshot))).await;
    let stood =
        waited.unwrap_or_else(|_| panic!("awaited {what} for {PATIENCE:?}; it stands at {:#?}", node.snapshot()));
    stood.unwrap_or_else(|_| panic!("awaited {what}, and the node ended"));
}

/// Waits for what nothing tells of by itself; says what was awaited if it never comes.
pub(crate) async fn until_true(what: &str, stands: impl Fn() -> bool) {
    let wait = async {
        while !stands() {
            tokio::task::yield_now().await;
        }
    };
    in_time(what, wait).await;
}

/// What comes of `wait`; says what was awaited if it never does.
pub(crate) async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("awaited {what} for {PATIENCE:?}"))
}

/// Waits for an event; says what was awaited if it never comes.
pub(crate) async fn event<T>(
    events: &mut tokio::sync::broadcast::Receiver<Event>,
    what: &str,
    mut pick: impl FnMut(Event) -> Option<T>,
) -> T {
    let search = async {
        loop {
            if let Some(found) = pick(events.recv().await.unwrap()) {
                return found;
            }
        }
    };
    in_time(what, search).await
}

pub(crate) async fn stop(node: NodeHandle) {
    node.shutdown();
    let stopped = tokio::time::timeout(PATIENCE, node.stopped()).await;
    assert_eq!(stopped.expect("awaited the end of a node"), Stopped::Asked);
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// Sends these bytes to a node's API and reads all that comes back.
pub(crate) async fn raw_request(node: &NodeHandle, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(node.info().api).await.unwrap();
    // A node may answer and close before it has read all of a body it refuses.
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let read = read.expect("awaited an answer of the API");
    let end =
        bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("no answer: {read:?} {bytes:?}"));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = bytes[end + 4..].to_vec();
    if head.to_lowercase().contains("transfer-encoding: chunked") {
        body = dechunk(&body);
    }
    Answer { status, head, body }
}

fn dechunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let end = bytes.windows(2).position(|w| w == b"\r\n").expect("a chunk's length");
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return out;
        }
        out.extend_from_slice(&bytes[end + 2..end + 2 + length]);
        bytes = &bytes[end + 4 + length..];
    }
}

/// A request with the right token and Host.
pub(crate) async fn call(node: &NodeHandle, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
    let token = std::fs::read_to_string(token_file(node)).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        node.info().api,
        token.trim(),
        body.len()
    );
    let answer = raw_request(node, &[head.as_bytes(), body].concat()).await;
    crate::contract::hold(method, path, &answer);
    answer
}

pub(crate) async fn get(node: &NodeHandle, path: &str) -> Answer {
    call(node, "GET", path, "text/plain", &[]).await
}

pub(crate) async fn post(node: &NodeHandle, path: &str, json: serde_json::Value) -> Answer {
    call(node, "POST", path, "application/json", json.to_string().as_bytes()).await
}

pub(crate) async fn put(node: &NodeHandle, path: &str, json: serde_json::Value) -> Answer {
    call(node, "PUT", path, "application/json", json.to_string().as_bytes()).await
}

fn token_file(node: &NodeHandle) -> PathBuf {
    node.info().data_dir.join(medring_node::driver::TOKEN_FILE)
}
