//! Peers that do not keep to the rules: the network of a node with a test in the core's place, and bare sockets.

use super::records::now_ms;
use libp2p::{Multiaddr, PeerId};
use medring_node::core::{Input, Output, Peer, RequestError, RequestId, Topic};
use medring_node::net::{self, Command, Net, NetConfig};
use medring_protocol::block::{Block, Header, NonceSearch};
use medring_protocol::pow::Work;
use medring_protocol::wire::{Request, Response, Status};
use medring_protocol::{BlockId, ChainId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// How long a hostile peer waits for anything before it goes on.
const IMPATIENCE: Duration = Duration::from_millis(500);

/// Who is attacked, and what the attackers count.
#[derive(Clone)]
pub(crate) struct Victim {
    pub(crate) chain: ChainId,
    pub(crate) address: Multiaddr,
    /// An honest header to imitate.
    pub(crate) header: Header,
    /// A valid record's bytes, to spoil.
    pub(crate) record: Arc<Vec<u8>>,
    pub(crate) stop: CancellationToken,
    pub(crate) tally: Arc<Tally>,
}

/// What the attackers did.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) identities: AtomicU64,
    pub(crate) links: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) answers: AtomicU64,
    pub(crate) sockets: AtomicU64,
}

fn count(what: &AtomicU64) -> u64 {
    what.fetch_add(1, Ordering::Relaxed)
}

/// One identity that is linked, or was.
struct Hostile {
    net: Net,
    inputs: mpsc::Receiver<Input>,
    stop: CancellationToken,
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Hostile {
    /// A new identity, linked if it got in, which claims the best chain there is.
    async fn link(victim: &Victim) -> Option<(Self, Peer)> {
        count(&victim.tally.identities);
        let (inputs_tx, inputs) = mpsc::channel(64);
        let stop = victim.stop.child_token();
        let config = NetConfig::new(libp2p::identity::Keypair::generate_ed25519(), victim.chain, now_ms);
        let net = net::start(config, inputs_tx, broadcast::channel(16).0, stop.clone()).await.ok()?;
        let mut hostile = Self { net, inputs, stop };
        hostile.dial(victim).await.ok()?;
        count(&victim.tally.links);
        loop {
            if let Input::Status { peer, status } = hostile.next().await? {
                let work = Work::from_bytes(&[0x7f; 32]);
                let status = Status { tip: BlockId([9; 32]), height: u64::MAX / 2, work, ..status };
                hostile.say(Output::SendStatus { peer, status }).await;
                return Some((hostile, peer));
            }
        }
    }

    async fn dial(&self, victim: &Victim) -> Result<PeerId, ()> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Connect { address: victim.address.clone(), reply };
        self.net.commands.send(command).await.map_err(drop)?;
        answer.await.map_err(drop)?.map_err(drop)
    }

    async fn next(&mut self) -> Option<Input> {
        tokio::time::timeout(IMPATIENCE, self.inputs.recv()).await.ok()?
    }

    async fn say(&self, output: Output) {
        // Err: the test ends.
        let _ = self.net.commands.send(Command::Core(output)).await;
    }

    fn is_linked(&self) -> bool {
        !self.net.links.borrow().is_empty()
    }
}

/// Gossips what `make` gives, until cut off; then again with a new identity.
pub(crate) async fn gossip(victim: Victim, topic: Topic, make: fn(&Victim, u64) -> Vec<u8>) {
    let mut n = 0;
    while !victim.stop.is_cancelled() {
        let Some((mut hostile, _)) = Hostile::link(&victim).await else { continue };
        while hostile.is_linked() && !victim.stop.is_cancelled() {
            for _ in 0..16 {
                hostile.say(Output::Publish { topic, bytes: make(&victim, n) }).await;
                n = count(&victim.tally.messages);
            }
            let _ = tokio::time::timeout(Duration::from_millis(2), hostile.inputs.recv()).await;
        }
    }
}

/// A record whose signature does not hold: its last bytes are spoiled.
pub(crate) fn bad_record(victim: &Victim, n: u64) -> Vec<u8> {
    let mut bytes = victim.record.to_vec();
    let at = bytes.len() - 8;
    bytes[at..].copy_from_slice(&n.to_be_bytes());
    bytes
}

/// Bytes that are no record.
pub(crate) fn junk(_: &Victim, n: u64) -> Vec<u8> {
    n.to_be_bytes().repeat(8 * 1024)
}

/// A block with true proof of work over a parent that nobody knows.
pub(crate) fn orphan(victim: &Victim, n: u64) -> Vec<u8> {
    let mut prev = [7; 32];
    prev[..8].copy_from_slice(&n.to_be_bytes());
    let mut header = Header { prev: BlockId(prev), ..victim.header };
    header.nonce = NonceSearch::new(&header).run(0, 1 << 20).unwrap_or_default();
    Block { header, records: Vec::new() }.encode()
}

/// Answers whatever is asked with headers that have no proof of work, and asks as fast as it can itself.
pub(crate) async fn lie(victim: Victim) {
    while !victim.stop.is_cancelled() {
        let Some((mut hostile, peer)) = Hostile::link(&victim).await else { continue };
        let mut asked = 0;
        while hostile.is_linked() && !victim.stop.is_cancelled() {
            asked += 1;
            hostile.say(Output::Ask { peer, id: RequestId(asked), request: Request::Pool }).await;
            match hostile.next().await {
                Some(Input::Request { peer, id, request: Request::Headers { locator } }) => {
                    count(&victim.tally.answers);
                    let response = Response::Headers(headers(&victim, &locator));
                    hostile.say(Output::Respond { peer, id, response }).await;
                }
                Some(Input::Request { peer, id, .. }) => {
                    hostile.say(Output::Respond { peer, id, response: Response::Blocks(Vec::new()) }).await;
                }
                Some(Input::Response { response: Err(RequestError::Timeout), .. }) | None => break,
                Some(_) => {}
            }
        }
    }
}

/// 2,000 headers that follow each other and what was asked about, without proof of work.
fn headers(victim: &Victim, locator: &[BlockId]) -> Vec<Header> {
    let mut prev = locator.last().copied().unwrap_or(BlockId(victim.chain.0));
    let mut out = Vec::new();
    for height in 1..=2_000 {
        let header = Header { prev, height, time_ms: victim.header.time_ms + height, ..victim.header };
        prev = header.id();
        out.push(header);
    }
    out
}

/// Opens and drops bare connections, some after a few bytes of nonsense, and keeps some open in silence.
pub(crate) async fn churn(victim: Victim, socket: std::net::SocketAddr) {
    use tokio::io::AsyncWriteExt;
    let mut silent = std::collections::VecDeque::new();
    while !victim.stop.is_cancelled() {
        let connecting = tokio::net::TcpStream::connect(socket);
        let Ok(Ok(mut stream)) = tokio::time::timeout(IMPATIENCE, connecting).await else { continue };
        match count(&victim.tally.sockets) % 3 {
            0 => drop(stream),
            1 => drop(tokio::time::timeout(IMPATIENCE, stream.write_all(&[0xff; 4096])).await),
            _ => silent.push_back(stream),
        }
        if silent.len() > 200 {
            silent.pop_front();
        }
        tokio::task::yield_now().await;
    }
}
