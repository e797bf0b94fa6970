//! Restart = no restart: at the end of a run each node is compared with one started from a copy of its store, before and
//! after both were told the same.

use super::Simulation;
use super::essence::Essence;
use super::node::SimCore;
use medring_node::core::{Input, MessageId, NodeCore, Output, Peer, Ticket, Topic};
use medring_protocol::block::Block;
use medring_protocol::record::{Kind, Record};
use medring_protocol::wire::Status;
use medring_storage::{ChainStore, FaultyEngine};

/// Nodes that are compared, spread over the network.
const TWINS_MAX: usize = 24;
/// Who tells both.
const TELLER: Peer = Peer(u64::MAX - 1);

/// What both are told.
struct News {
    now_ms: u64,
    status: Status,
    block: Block,
    record: Record,
}

pub(super) fn all(sim: &mut Simulation) -> Result<(), String> {
    let news = news(sim)?;
    let honest: Vec<usize> = (0..sim.nodes.len()).filter(|node| sim.nodes[*node].is_honest()).collect();
    for node in honest.iter().copied().step_by(honest.len().div_ceil(TWINS_MAX)) {
        compare(sim, node, &news).map_err(|problem| format!("node {node}: {problem}"))?;
    }
    Ok(())
}

/// The next block, a record for the one after it, and a peer who has that block.
fn news(sim: &Simulation) -> Result<News, String> {
    let core = sim.nodes.iter().filter(|node| node.is_honest()).find_map(|node| node.core.as_ref());
    let core = core.ok_or("no honest node lives")?;
    let snapshot = core.snapshot();
    let parent = core.tree().get(&snapshot.tip).ok_or("the tip is in no tree")?;
    let now_ms = sim.now_ms.max(parent.header.time_ms + 1);
    let block = sim.kit.forge(&parent.header, Vec::new(), |header| {
        (header.time_ms, header.miner_tag) = (now_ms, [0xdd; 16]);
    });
    let child = parent.child(&sim.kit.params, block.header);
    let status = Status { tip: block.id(), height: block.header.height, work: child.work, ..snapshot.status };
    let record = sim.kit.record(Kind::Phr, u64::MAX, block.header.height + 1);
    let (expiry, secret) = (record.envelope.expiry_height, &sim.kit.patient.secret);
    let record = Record::wrap(&sim.kit.chain, record.content, record.signature, now_ms / 1_000 * 1_000, expiry, secret);
    Ok(News { now_ms, status, block, record })
}

fn compare(sim: &mut Simulation, node: usize, news: &News) -> Result<(), String> {
    let at = &mut sim.nodes[node];
    let (config, copy) = (at.config.clone(), at.disk.fork());
    let core = at.core.as_mut().ok_or("it is dead")?;
    // Also those whose end it has not noticed yet.
    let peers: Vec<Peer> = core.snapshot().peers.iter().map(|peer| peer.peer).collect();
    let store = ChainStore::open(FaultyEngine::new(copy, u64::MAX), &config.params).map_err(|e| e.to_string())?;
    let mut twin: SimCore = NodeCore::new(config, store, news.now_ms).map_err(|e| e.to_string())?;
    let before = Essence::of(core);
    before.compare(&Essence::of(&twin))?;
    for peer in peers {
        core.handle(news.now_ms, Input::Disconnected { peer });
    }
    let (told, again) = (tell(core, news), tell(&mut twin, news));
    if told != again {
        let at = told.iter().zip(&again).position(|(a, b)| a != b).unwrap_or(told.len().min(again.len()));
        let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "nothing".into());
        return Err(format!("told the same, it does {} and, restarted, {}", line(&told), line(&again)));
    }
    Essence::of(core).compare(&Essence::of(&twin))?;
    if Essence::of(core).same_tip(&before) {
        return Err("did not take the next block".into());
    }
    Ok(())
}

/// What a core does when told the news: everything but what its own clock makes it do.
fn tell(core: &mut SimCore, news: &News) -> Vec<String> {
    while core.poll_output().is_some() {}
    let mut did = Vec::new();
    let inputs = [
        Input::Connected { peer: TELLER },
        Input::Status { peer: TELLER, status: news.status.clone() },
        Input::Gossip { peer: TELLER, message: MessageId(u64::MAX), topic: Topic::Blocks, bytes: news.block.encode() },
        Input::Submit { ticket: Ticket(u64::MAX), record: Box::new(news.record.clone()) },
    ];
    for input in inputs {
        core.handle(news.now_ms, input);
        while let Some(output) = core.poll_output() {
            match output {
                Output::Verify { job, checks } => {
                    let result = checks.iter().position(|check| !check.verify()).map_or(Ok(()), Err);
                    core.handle(news.now_ms, Input::Verified { job, result });
                }
                // Numbers of questions differ; so do the moments of statuses and templates.
                Output::Ask { request, .. } => did.push(format!("ask {request:?}")),
                Output::SendStatus { .. } | Output::Mine(_) => {}
                Output::Publish { topic, bytes } => did.push(format!("publish {topic:?} of {} bytes", bytes.len())),
                other => did.push(format!("{other:?}")),
            }
        }
    }
    did
}
