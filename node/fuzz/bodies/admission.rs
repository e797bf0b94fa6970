//! A core fed with what the bytes say: peers that come and go, statuses, gossip good and spoiled, answers honest and not,
//! time. Peer 0 is honest, and must never be blamed.

use super::network::NETWORK;
use medring_node::core::{
    CoreConfig, Event, Input, MessageId, NodeCore, Output, Peer, RequestId, Ticket, Topic, Verdict, limits,
};
use medring_protocol::block::Block;
use medring_protocol::codec;
use medring_protocol::compact::CompactBlock;
use medring_protocol::pow::Work;
use medring_protocol::testkit::{self, GENESIS_TIME_MS};
use medring_protocol::wire::{Request, Response, Status};
use medring_storage::{ChainStore, MemoryEngine};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const PEERS: u8 = 4;
const STEPS_MAX: usize = 200;

pub(super) fn admission(data: &[u8]) {
    let mut run = Run::new(Bytes(data));
    for _ in 0..STEPS_MAX {
        if run.bytes.0.is_empty() {
            break;
        }
        run.step();
    }
    run.finish();
}

/// The fuzzer's bytes, taken from the front; zeros after their end.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn u16(&mut self) -> usize {
        usize::from(self.u8()) << 8 | usize::from(self.u8())
    }

    fn take(&mut self) -> &'a [u8] {
        let length = self.u16().min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }
}

struct Run<'a> {
    bytes: Bytes<'a>,
    memory: MemoryEngine,
    core: NodeCore<MemoryEngine>,
    now_ms: u64,
    linked: BTreeSet<Peer>,
    asked: VecDeque<(Peer, RequestId, Request)>,
    awaited: BTreeSet<MessageId>,
    messages: u64,
    work: Work,
}

fn config() -> CoreConfig {
    CoreConfig { mine: true, ..CoreConfig::new(NETWORK.kit.params.clone()) }
}

impl<'a> Run<'a> {
    fn new(bytes: Bytes<'a>) -> Self {
        let (memory, now_ms) = (MemoryEngine::new(), GENESIS_TIME_MS + 20_000);
        let store = ChainStore::open(memory.clone(), &NETWORK.kit.params).expect("memory opens");
        let core = NodeCore::new(config(), store, now_ms).expect("an empty store starts");
        let (linked, asked, awaited) = Default::default();
        Self { bytes, memory, core, now_ms, linked, asked, awaited, messages: 0, work: Work::default() }
    }

    fn step(&mut self) {
        let (what, peer) = (self.bytes.u8() % 12, Peer(u64::from(self.bytes.u8() % PEERS)));
        let (honest, linked) = (peer == Peer(0), self.linked.contains(&peer));
        match what {
            0 if !linked => {
                self.linked.insert(peer);
                self.input(Input::Connected { peer });
                if honest {
                    let status = self.status(honest);
                    self.input(Input::Status { peer, status });
                }
            }
            1 if linked => {
                self.linked.remove(&peer);
                self.asked.retain(|(of, ..)| *of != peer);
                self.input(Input::Disconnected { peer });
            }
            2 if linked => {
                let status = self.status(honest);
                self.input(Input::Status { peer, status });
            }
            3 if linked => {
                let record = &NETWORK.records[usize::from(self.bytes.u8()) % NETWORK.records.len()];
                self.gossip(peer, Topic::Records, record.encode());
            }
            4 if linked => {
                let block = self.block(honest);
                self.gossip(peer, Topic::Blocks, block.encode());
            }
            5 if linked => {
                let (block, mask) = (self.block(honest), self.bytes.u8());
                let wires = block.wire_ids(&NETWORK.kit.chain);
                let compact = CompactBlock::new(&block, &wires, |place| mask >> (place % 8) & 1 == 1);
                self.gossip(peer, Topic::CompactBlocks, compact.encode());
            }
            6 if linked => {
                let bytes = self.bytes.take();
                if let (Ok(request), false) = (Request::decode(bytes), honest) {
                    self.input(Input::Request { peer, id: RequestId(1), request });
                }
            }
            7 => self.answer(),
            8 => self.pass(self.bytes.0.len() as u64 % 30_000),
            9 if linked && !honest => {
                let topic = [Topic::Records, Topic::Blocks, Topic::CompactBlocks][usize::from(self.bytes.u8()) % 3];
                let bytes = self.bytes.take().to_vec();
                self.gossip(peer, topic, bytes);
            }
            10 => {
                let record = NETWORK.records[usize::from(self.bytes.u8()) % NETWORK.records.len()].clone();
                self.input(Input::Submit { ticket: Ticket(1), record: Box::new(record) });
            }
            _ => self.input(Input::Tick),
        }
    }

    fn status(&mut self, honest: bool) -> Status {
        let block = NETWORK.block(usize::from(self.bytes.u8()));
        let lie = if honest { 0 } else { self.bytes.u8() };
        let mut work = [0; 32];
        // Every second id meets the target: a block is two hashes.
        work[31] = if honest { 2 * u8::try_from(block.header.height).unwrap_or_default() + 2 } else { lie };
        Status {
            version: if honest { 2 } else { u16::from(lie % 4) },
            agent: "fuzz".into(),
            chain: NETWORK.kit.chain,
            chain_name: NETWORK.kit.params.name.clone(),
            tip: block.id(),
            height: block.header.height,
            work: Work::from_bytes(&work),
            clock_ms: self.now_ms,
        }
    }

    /// A block of the network; from others than peer 0 perhaps with other records, or another header mined anew.
    fn block(&mut self, honest: bool) -> Block {
        let mut block = NETWORK.block(usize::from(self.bytes.u8())).clone();
        let edit = if honest { 0 } else { self.bytes.u8() };
        let other = &NETWORK.records[usize::from(edit) % NETWORK.records.len()];
        match edit % 8 {
            1 => block.records.push(other.clone()),
            2 => drop(block.records.pop()),
            3 => block.header.time_ms += u64::from(edit) * 1_000,
            4 => block.header.height += u64::from(edit),
            5 => block.header.prev = NETWORK.block(usize::from(edit)).id(),
            6 => block.header.nonce ^= 1 << 40,
            _ => {}
        }
        if edit > 127 {
            block.header.records_root = block.computed_root(&NETWORK.kit.chain);
        }
        if edit % 8 != 6 && edit % 8 != 0 {
            testkit::mine(&mut block.header);
        }
        block
    }

    /// Answers the oldest question: as an honest node does, or not.
    fn answer(&mut self) {
        let how = self.bytes.u8();
        let Some((peer, id, request)) = self.asked.pop_front() else { return };
        let branch = usize::from(how & 1);
        let honest = NETWORK.answer(branch, &request);
        let response = match how >> 1 & 7 {
            _ if peer == Peer(0) => honest,
            1 => Response::Blocks(vec![NETWORK.block(usize::from(how >> 4)).clone()]),
            2 => Response::BlockRecords(NETWORK.records.clone()),
            3 => match Response::decode(self.bytes.take()) {
                Ok(response) => response,
                Err(_) => honest,
            },
            4 => Response::Headers(vec![NETWORK.block(usize::from(how >> 4)).header]),
            _ => honest,
        };
        self.input(Input::Response { peer, id, response: Ok(response) });
    }

    fn gossip(&mut self, peer: Peer, topic: Topic, bytes: Vec<u8>) {
        self.messages += 1;
        let message = MessageId(self.messages);
        self.awaited.insert(message);
        self.input(Input::Gossip { peer, message, topic, bytes });
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(due) = self.core.next_deadline().filter(|due| *due <= until) {
            self.now_ms = due;
            self.input(Input::Tick);
        }
        self.now_ms = until;
        self.input(Input::Tick);
    }

    fn input(&mut self, input: Input) {
        self.core.handle(self.now_ms, input);
        while let Some(output) = self.core.poll_output() {
            self.output(output);
        }
        assert!(self.core.next_deadline().is_none_or(|due| due > self.now_ms), "what was due is not done");
        let snapshot = self.core.snapshot();
        assert!(snapshot.work >= self.work, "the chain lost work");
        self.work = snapshot.work;
        let tables = snapshot.tables;
        assert!(tables.held_blocks <= limits::ORPHANS_MAX + limits::SYNC_HELD_BLOCKS_MAX);
        assert!(tables.jobs <= limits::JOBS_MAX && tables.compact_blocks <= limits::RELAY_BLOCKS_MAX);
        assert!(tables.future_blocks <= limits::FUTURE_BLOCKS_MAX && tables.sources <= limits::SOURCES_MAX);
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Ask { peer, id, request } => {
                codec::encode(&request);
                self.asked.push_back((peer, id, request));
            }
            Output::Verify { job, checks } => {
                let result = checks.iter().position(|check| !check.verify()).map_or(Ok(()), Err);
                self.core.handle(self.now_ms, Input::Verified { job, result });
            }
            Output::Verdict { message, verdict } => {
                assert!(self.awaited.remove(&message), "a message was judged twice");
                let _: Verdict = verdict;
            }
            Output::Disconnect { peer, reason, .. } => {
                assert!(peer != Peer(0), "an honest peer is dropped: {reason}");
                if self.linked.remove(&peer) {
                    self.asked.retain(|(of, ..)| *of != peer);
                    self.core.handle(self.now_ms, Input::Disconnected { peer });
                }
            }
            Output::Event(Event::Fatal(problem)) => panic!("the store failed: {problem}"),
            _ => {}
        }
    }

    /// Every message gets its verdict in time; a restart finds the same tip, and a replay of the chain the same state.
    fn finish(mut self) {
        self.pass(60_000);
        assert!(self.awaited.is_empty(), "{} messages were never judged", self.awaited.len());
        let (tip, state) = (self.core.snapshot().tip, self.core.store().state_hash().expect("it reads"));
        let store = ChainStore::open(self.memory.clone(), &NETWORK.kit.params).expect("memory opens");
        let again = NodeCore::new(config(), store, self.now_ms).expect("it starts again");
        assert_eq!(again.snapshot().tip, tip, "a restart moves the tip");
        let mut chain: BTreeMap<u64, Block> = BTreeMap::new();
        let mut at = tip;
        while let Some(block) = self.core.store().block(&at).expect("it reads").filter(|b| b.header.height > 0) {
            at = block.header.prev;
            chain.insert(block.header.height, block);
        }
        let mut replay = Run::new(Bytes(&[]));
        replay.now_ms = self.now_ms;
        replay.linked.insert(Peer(0));
        replay.input(Input::Connected { peer: Peer(0) });
        for block in chain.into_values() {
            replay.gossip(Peer(0), Topic::Blocks, block.encode());
        }
        assert_eq!(replay.core.snapshot().tip, tip);
        assert_eq!(replay.core.store().state_hash().expect("it reads"), state, "the state is not that of its chain");
    }
}
