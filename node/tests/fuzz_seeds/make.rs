//! Small seeds: files as the commands write them, and lives of a node that get far.

use super::replay::Seed;
use medring_node::wallet::challenge::{Card, Challenge};
use medring_node::wallet::{KdfCost, Keystore, Passphrase};
use medring_protocol::identity::IdentitySecret;
use medring_protocol::testkit::{Actor, Kit};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

/// All of them.
pub(crate) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target, name: &str, bytes: &[u8]| seeds.push((target, name.to_owned(), bytes.to_vec()));
    let kit = Kit::new(55);
    files(&mut add, &kit);
    for (name, life) in lives() {
        add("admission", name, &life);
    }
    seeds
}

fn files(add: &mut dyn FnMut(&'static str, &str, &[u8]), kit: &Kit) {
    let whole = "data_dir = \"data\"\ngenesis = \"genesis.json\"\n\n[network]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n\
                 bootstrap = [\"/ip4/127.0.1.1/tcp/4001\"]\nmax_peers = 64\n\n[mining]\nenabled = true\nthreads = 2\n\n\
                 [log]\nformat = \"json\"\nfilter = \"info\"\n";
    add("config", "usual", whole.as_bytes());
    add("config", "wrong-kind", b"data_dir = 7\n[network]\nlisten = [1, 2]\n");
    add("config", "unknown-key", b"[netwrok]\nlisten = []\n");
    add("config", "api-outside", b"[api]\nlisten = \"0.0.0.0:80\"\n");

    let folder = tempfile::tempdir().unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut open = |name: &str, actor: &Actor| {
        let (path, passphrase) = (folder.path().join(name), Passphrase::new(b"a passphrase of the seeds").unwrap());
        let keystore = Keystore::create(&path, &passphrase, identity(actor), KdfCost::TESTNET, &mut rng).unwrap();
        (keystore, std::fs::read(&path).unwrap())
    };
    let (_, stored) = open("patient", &kit.patient);
    let (authority, _) = open("authority", &kit.authority);
    add("keystore", "usual", &stored);
    add("keystore", "cut", &stored[..stored.len() / 2]);

    let card = Card::new(kit.patient.keys.clone());
    let role = kit.patient.role.unwrap();
    let challenge = Challenge::new(&authority, &kit.chain, &card, role, &mut rng).unwrap();
    let request = challenge.answer(&kit.chain, &identity(&kit.patient)).unwrap();
    add("ceremony", "card", card.to_json().as_bytes());
    add("ceremony", "challenge", challenge.to_json().as_bytes());
    add("ceremony", "request", request.to_json().as_bytes());

    add("node_file", "brackets", b"{}");
    add("ring_frame", "one-byte", &[0, 0, 0, 1, 9]);
    add("ring_frame", "short", &[0, 0, 0, 5, 1, 2]);
    add("ring_frame", "lying-length", &[0xff; 8]);
    add("ring_frame", "empty", &[0; 4]);
}

fn identity(actor: &Actor) -> IdentitySecret {
    let secret = actor.secret.expose();
    IdentitySecret::from_bytes(secret[..32].try_into().unwrap(), secret[32..].try_into().unwrap()).unwrap()
}

/// Steps as `admission` reads them: what, peer, then what the step takes. Connect 0, status 2, records 3, blocks 4, compact
/// blocks 5, answer 7, time 8.
fn lives() -> Vec<(&'static str, Vec<u8>)> {
    let meet = |peer: u8| if peer == 0 { vec![0, 0, 3] } else { vec![0, peer, 2, peer, 3, 9] };
    let answers = [7, 0, 1].repeat(12);
    let block = |peer: u8, number: u8| if peer == 0 { vec![4, 0, number] } else { vec![4, peer, number, 0] };
    let compact = |peer: u8, number: u8, along: u8| {
        if peer == 0 { vec![5, 0, number, along] } else { vec![5, peer, number, 0, along] }
    };
    let sync = [meet(0), answers.clone(), vec![8, 0], answers.clone()].concat();
    let gossip: Vec<u8> = (0..4).flat_map(|number| block(0, number)).collect();
    let gossip = [meet(0), gossip, (0..9).flat_map(|number| vec![3, 0, number]).collect()].concat();
    let whole: Vec<u8> = (4..10).flat_map(|number| block(1, number)).collect();
    let reorg = [gossip.clone(), meet(1), whole].concat();
    let missing: Vec<u8> = (0..4).flat_map(|number| [compact(0, number, 0), vec![7, 0, 0]].concat()).collect();
    let compacts = [meet(0), meet(1), missing].concat();
    let silent = [meet(1), meet(2), compact(1, 0, 0), compact(2, 0, 0), vec![8, 0, 8, 0], answers].concat();
    let liar: Vec<u8> = (0..8).flat_map(|edit| vec![4, 2, 1, edit, 0, 2, 2, 2, 3, 1]).collect();
    let liar = [meet(0), block(0, 0), meet(2), liar].concat();
    vec![
        ("sync", sync),
        ("gossip", gossip),
        ("reorg", reorg),
        ("compact-blocks", compacts),
        ("silent-givers", silent),
        ("liar", liar),
    ]
}
