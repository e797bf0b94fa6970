//! Cores wired by hand: one alone with a made-up peer, or a few linked without delay.

mod bodies;
mod branches;
mod deep;
mod faults;
mod headers;
mod importing;
mod liars;
mod operator;
mod random_tree;
mod records;
mod relay;
mod relay_versions;
mod side;
mod syncing;
mod world;

use super::*;
use medring_protocol::block::{Block, Header};
use medring_protocol::record::{Kind, Record, verify_all};
use medring_protocol::testkit::{self, GENESIS_TIME_MS, Kit};
use medring_protocol::wire::{Request, Response, Status};
use medring_protocol::{RecordId, limits as wire_limits};
use medring_storage::{FailPoint, FaultyEngine, MemoryEngine};
use rand::SeedableRng;
use world::World;

type TestEngine = FaultyEngine<MemoryEngine>;

/// A core, its signature worker, and what came out of it.
struct Alone {
    core: NodeCore<TestEngine>,
    memory: MemoryEngine,
    config: CoreConfig,
    now_ms: u64,
    out: Vec<Output>,
    template: Option<Header>,
    tickets: u64,
    /// Signatures verified so far.
    verified: usize,
}

/// The peer a test plays itself.
const EVE: Peer = Peer(900);
/// A second one.
const BOB: Peer = Peer(901);

impl Alone {
    fn new(kit: &Kit) -> Self {
        let config = CoreConfig { mine: true, ..CoreConfig::new(kit.params.clone()) };
        Self::with(config, MemoryEngine::new(), u64::MAX, GENESIS_TIME_MS + 5_000)
    }

    fn with(config: CoreConfig, memory: MemoryEngine, fail_at_write: u64, now_ms: u64) -> Self {
        Self::on(config, memory, (fail_at_write, FailPoint::Before), now_ms)
    }

    /// On a disk that fails there.
    fn on(config: CoreConfig, memory: MemoryEngine, (fail_at_write, point): (u64, FailPoint), now_ms: u64) -> Self {
        let store = ChainStore::open(memory.clone(), &config.params).unwrap();
        drop(store);
        let engine = FaultyEngine::new(memory.clone(), fail_at_write).at(point);
        let store = ChainStore::open(engine, &config.params).unwrap();
        let core = NodeCore::new(config.clone(), store, now_ms).unwrap();
        let mut alone = Self { core, memory, config, now_ms, out: Vec::new(), template: None, tickets: 0, verified: 0 };
        alone.work();
        alone
    }

    /// The same store, a new core: what a restart after kill -9 finds.
    fn restarted(self) -> Self {
        Self::with(self.config, self.memory, u64::MAX, self.now_ms)
    }

    fn input(&mut self, input: Input) {
        self.core.handle(self.now_ms, input);
        self.work();
        let due = self.core.next_deadline();
        assert!(due.is_none_or(|due| due > self.now_ms), "what was due is done, or the driver would spin");
    }

    /// Verifies at once; keeps the rest.
    fn work(&mut self) {
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Verify { job, checks } => {
                    let result = verify_all(&checks, &mut rng);
                    self.verified += checks.len();
                    self.core.handle(self.now_ms, Input::Verified { job, result });
                }
                Output::Mine(template) => self.template = Some(template.header),
                other => self.out.push(other),
            }
        }
    }

    /// Lets time pass, from deadline to deadline.
    fn pass(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(due) = self.core.next_deadline().filter(|due| *due <= until) {
            self.now_ms = self.now_ms.max(due);
            self.input(Input::Tick);
        }
        self.now_ms = until;
        self.input(Input::Tick);
    }

    fn taken(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    fn events(&mut self) -> Vec<Event> {
        let (events, rest) = self.taken().into_iter().partition(|o| matches!(o, Output::Event(_)));
        self.out = rest;
        let event = |output| match output {
            Output::Event(event) => Some(event),
            _ => None,
        };
        Vec::into_iter(events).filter_map(event).collect()
    }

    fn submit(&mut self, record: &Record) -> Result<RecordId, SubmitError> {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.input(Input::Submit { ticket, record: Box::new(record.clone()) });
        let at = self.out.iter().position(|o| matches!(o, Output::Submitted { ticket: t, .. } if *t == ticket));
        match self.out.remove(at.expect("every submission is answered")) {
            Output::Submitted { result, .. } => result,
            _ => unreachable!(),
        }
    }

    /// Submits a record whose stamp is long past, as a peer's pool would give it.
    fn submit_late(&mut self, record: &Record) -> RecordId {
        self.gossip(EVE, Topic::Records, record.encode());
        record.id(&self.config.params.chain_id())
    }

    /// Mines the last template.
    fn mine(&mut self) -> Header {
        let mut header = self.template.expect("a template");
        testkit::mine(&mut header);
        self.input(Input::Mined { header });
        header
    }

    /// Lets a made-up peer connect and say that it has `work_of`'s chain.
    fn meet(&mut self, peer: Peer, tip: &Header, work: u64) {
        self.input(Input::Connected { peer });
        self.input(Input::Status { peer, status: status(&self.config, tip, work) });
    }

    fn gossip_block(&mut self, peer: Peer, block: &Block) -> Verdict {
        self.gossip(peer, Topic::Blocks, block.encode())
    }

    fn gossip(&mut self, peer: Peer, topic: Topic, bytes: Vec<u8>) -> Verdict {
        let message = MessageId(self.tickets);
        self.tickets += 1;
        self.input(Input::Gossip { peer, message, topic, bytes });
        let verdict = |o: &Output| match o {
            Output::Verdict { message: m, verdict } if *m == message => Some(*verdict),
            _ => None,
        };
        let verdicts: Vec<_> = self.out.iter().filter_map(verdict).collect();
        assert_eq!(verdicts.len(), 1, "one verdict for each message");
        self.out.retain(|o| verdict(o).is_none());
        verdicts[0]
    }

    /// The questions put to `peer` so far, taken.
    fn asked(&mut self, peer: Peer) -> Vec<(RequestId, Request)> {
        let mut asked = Vec::new();
        self.out.retain(|output| match output {
            Output::Ask { peer: p, id, request } if *p == peer => {
                asked.push((*id, request.clone()));
                false
            }
            _ => true,
        });
        asked
    }

    /// Answers every question to `peer` from a chain of blocks, until there is none.
    fn serve(&mut self, peer: Peer, chain: &[Block]) {
        loop {
            let asked = self.asked(peer);
            if asked.is_empty() {
                return;
            }
            for (id, request) in asked {
                let response = Ok(answer(&self.config, chain, &request));
                self.input(Input::Response { peer, id, response });
            }
        }
    }

    fn respond(&mut self, peer: Peer, id: RequestId, response: Response) {
        self.input(Input::Response { peer, id, response: Ok(response) });
    }

    /// As [`Self::serve`] once, without any body.
    fn serve_headers_only(&mut self, peer: Peer, chain: &[Block]) {
        for (id, request) in self.asked(peer) {
            let response = match &request {
                Request::Blocks { .. } => Response::Blocks(vec![]),
                other => answer(&self.config, chain, other),
            };
            self.respond(peer, id, response);
        }
    }

    /// The locator of the question for headers put to `peer`, taken.
    fn headers_asked(&mut self, peer: Peer) -> Option<(RequestId, Vec<BlockId>)> {
        self.asked_where(peer, |request| match request {
            Request::Headers { locator } => Some(locator.clone()),
            _ => None,
        })
        .pop()
    }

    /// The bodies asked of `peer` by the questions under way, which are taken and left unanswered.
    fn asked_bodies(&mut self, peer: Peer) -> Vec<Vec<BlockId>> {
        self.bodies_asked(peer).into_iter().map(|(_, ids)| ids).collect()
    }

    /// The questions for bodies put to `peer`, taken.
    fn bodies_asked(&mut self, peer: Peer) -> Vec<(RequestId, Vec<BlockId>)> {
        self.asked_where(peer, |request| match request {
            Request::Blocks { ids } => Some(ids.clone()),
            _ => None,
        })
    }

    /// Questions of one kind put to `peer`, taken; others stay.
    fn asked_where<T>(&mut self, peer: Peer, kind: impl Fn(&Request) -> Option<T>) -> Vec<(RequestId, T)> {
        let mut found = Vec::new();
        self.out.retain(|output| match output {
            Output::Ask { peer: p, id, request } if *p == peer => match kind(request) {
                Some(what) => {
                    found.push((*id, what));
                    false
                }
                None => true,
            },
            _ => true,
        });
        found
    }

    fn is_dropped(&self, peer: Peer) -> bool {
        self.out.iter().any(|o| matches!(o, Output::Disconnect { peer: p, .. } if *p == peer))
    }

    fn tip(&self) -> BlockId {
        self.core.snapshot().tip
    }

    fn pool(&self) -> Vec<RecordId> {
        self.core.pool_records().collect()
    }

    fn confirmed(&self, id: &RecordId) -> bool {
        use medring_protocol::chain::StateRead;
        self.core.store().location(id).unwrap().is_some()
    }
}

fn status(config: &CoreConfig, tip: &Header, work: u64) -> Status {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&work.to_be_bytes());
    Status {
        version: 1,
        agent: "eve".into(),
        chain: config.params.chain_id(),
        chain_name: config.params.name.clone(),
        tip: tip.id(),
        height: tip.height,
        work: medring_protocol::pow::Work::from_bytes(&bytes),
        clock_ms: GENESIS_TIME_MS + 5_000,
    }
}

/// What an honest node on `chain` (without genesis) answers.
fn answer(config: &CoreConfig, chain: &[Block], request: &Request) -> Response {
    match request {
        Request::Headers { locator } => {
            let genesis = config.params.genesis().id();
            let place = |id: &BlockId| match chain.iter().position(|block| block.id() == *id) {
                Some(at) => Some(at + 1),
                None => (*id == genesis).then_some(0),
            };
            let start = locator.iter().find_map(place).unwrap();
            let headers = chain[start..].iter().map(|block| block.header);
            Response::Headers(headers.take(wire_limits::HEADERS_PER_MESSAGE_MAX).collect())
        }
        Request::Blocks { ids } => {
            Response::Blocks(ids.iter().filter_map(|id| chain.iter().find(|b| b.id() == *id).cloned()).collect())
        }
        Request::Pool => Response::Pool(Vec::new()),
        Request::Records { .. } => Response::Records(Vec::new()),
        Request::BlockRecords { block, indexes } => {
            let block = chain.iter().find(|b| b.id() == *block);
            let record = |index: &u16| block.map(|b| b.records[usize::from(*index)].clone());
            Response::BlockRecords(indexes.iter().filter_map(record).collect())
        }
    }
}

/// `count` blocks on `parent`, all of one miner.
fn branch(kit: &Kit, parent: &Header, count: usize, miner: u8) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for _ in 0..count {
        let parent = blocks.last().map_or(*parent, |block| block.header);
        // Close together, so that long branches stay below the future limit.
        blocks.push(kit.forge(&parent, Vec::new(), |header| {
            header.time_ms = parent.time_ms + 1;
            header.miner_tag = [miner; 16];
        }));
    }
    blocks
}

/// A core on a chain whose block 1 enrols the kit's participants.
fn enrolled(kit: &Kit) -> (Alone, Block) {
    let mut alone = Alone::new(kit);
    let first = kit.forge(&kit.params.genesis(), vec![kit.enrol_all(1)], |header| header.time_ms += 1);
    alone.input(Input::Connected { peer: BOB });
    assert_eq!(alone.gossip_block(BOB, &first), Verdict::Accept);
    alone.input(Input::Disconnected { peer: BOB });
    alone.taken();
    (alone, first)
}
