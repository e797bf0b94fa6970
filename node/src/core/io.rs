//! Everything that goes into [`super::NodeCore`] and comes out of it. Time enters as `now_ms` with each input.

use super::operator::{OperatorAnswer, OperatorCommand, OperatorError};
use medring_protocol::block::Header;
use medring_protocol::record::{Record, SigCheck};
use medring_protocol::wire::{Request, Response, Status};
use medring_protocol::{BlockId, RecordId, Violation};
use medring_storage::ReorgReport;

/// A connected peer, numbered by the driver; numbers are never used again within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub u64);

/// A request under way, numbered by whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A gossip message awaiting our verdict, numbered by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

/// Signature work under way, numbered by the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// A local caller who awaits an answer, numbered by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What is gossiped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// A record in the codec.
    Records,
    /// A whole block in the codec: what nodes of wire version 1 speak.
    Blocks,
    /// A compact block in the codec, from wire version 2 on.
    CompactBlocks,
}

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time passed: the deadline that `next_deadline` named, or any other moment.
    Tick,
    /// A link to a peer stands.
    Connected {
        /// Who.
        peer: Peer,
    },
    /// Its last link is gone; every request to it is dead.
    Disconnected {
        /// Who.
        peer: Peer,
    },
    /// A peer says where it stands. Nothing is asked of, or served to, a peer before this.
    Status {
        /// Who.
        peer: Peer,
        /// What it says.
        status: Status,
    },
    /// A peer asks; answered by exactly one [`Output::Respond`].
    Request {
        /// Who.
        peer: Peer,
        /// Which question of that peer.
        id: RequestId,
        /// The question.
        request: Request,
    },
    /// The answer to one [`Output::Ask`], or why there is none (time limit, link lost, malformed).
    Response {
        /// Who.
        peer: Peer,
        /// Which question of ours.
        id: RequestId,
        /// The answer.
        response: Result<Response, RequestError>,
    },
    /// A gossip message; answered by exactly one [`Output::Verdict`], soon.
    Gossip {
        /// Who forwarded it.
        peer: Peer,
        /// The message.
        message: MessageId,
        /// What it should be.
        topic: Topic,
        /// Its bytes, within the transport's limit, not decoded.
        bytes: Vec<u8>,
    },
    /// The result of one [`Output::Verify`]: all good, or the index of the first bad signature.
    Verified {
        /// Which.
        job: JobId,
        /// The result.
        result: Result<(), usize>,
    },
    /// A local caller submits a record; answered by exactly one [`Output::Submitted`].
    Submit {
        /// Who awaits the answer.
        ticket: Ticket,
        /// The record.
        record: Box<Record>,
    },
    /// Blocks are about to be mined on demand: make a template of what waits in the pool now.
    Remake,
    /// A miner found a nonce for a template of ours.
    Mined {
        /// The template's header with the nonce set.
        header: Header,
    },
    /// The operator asks something of the chain; answered by exactly one [`Output::Operated`].
    Operator {
        /// Who awaits the answer.
        ticket: Ticket,
        /// What.
        command: OperatorCommand,
    },
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The time limit passed.
    #[error("no answer within the time limit")]
    Timeout,
    /// The link died, or the peer does not speak the protocol.
    #[error("the link failed: {0}")]
    Link(String),
    /// The answer was too large or malformed: the peer's fault.
    #[error("malformed answer: {0}")]
    Malformed(String),
}

/// What gossip is told about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Forward it.
    Accept,
    /// Do not forward it; nobody is to blame.
    Ignore,
    /// Do not forward it; its forwarder is to blame.
    Reject,
}

/// What a node wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Tell a peer where we stand.
    SendStatus {
        /// Whom.
        peer: Peer,
        /// What.
        status: Status,
    },
    /// Ask a peer; answered by exactly one [`Input::Response`], unless [`Input::Disconnected`] comes first.
    Ask {
        /// Whom.
        peer: Peer,
        /// Number of the question.
        id: RequestId,
        /// The question.
        request: Request,
    },
    /// Answer a peer.
    Respond {
        /// Whom.
        peer: Peer,
        /// Which question of that peer.
        id: RequestId,
        /// The answer.
        response: Response,
    },
    /// Tell gossip about a message.
    Verdict {
        /// Which.
        message: MessageId,
        /// What.
        verdict: Verdict,
    },
    /// Gossip something of our own, or something that did not come by gossip.
    Publish {
        /// Where.
        topic: Topic,
        /// What.
        bytes: Vec<u8>,
    },
    /// Verify these signatures on a worker; answered by exactly one [`Input::Verified`].
    Verify {
        /// Number of the job.
        job: JobId,
        /// The work.
        checks: Vec<SigCheck>,
    },
    /// Drop every link to a peer.
    Disconnect {
        /// Whom.
        peer: Peer,
        /// Why, for the log.
        reason: String,
        /// Whether it proved that it does not keep to the rules: then it is not welcome for a while.
        fault: bool,
    },
    /// The answer to one [`Input::Submit`].
    Submitted {
        /// Who awaits it.
        ticket: Ticket,
        /// The record's id, or why it was refused.
        result: Result<RecordId, SubmitError>,
    },
    /// The answer to one [`Input::Operator`].
    Operated {
        /// Who awaits it.
        ticket: Ticket,
        /// The answer, or why nothing was done.
        result: Result<OperatorAnswer, OperatorError>,
    },
    /// Mine on this from now on, and on nothing earlier.
    Mine(Template),
    /// Something people and the wallet want to know.
    Event(Event),
}

/// A block that lacks only a nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The header, nonce 0.
    pub header: Header,
    /// Records it commits to.
    pub records: usize,
}

/// Why a record was not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// It breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Violation),
    /// |T_BT − T| > ΔT.
    #[error(
        "the record's stamp lies {off_ms} ms from this node's clock, at most {most_ms} are accepted; check both clocks and submit it anew"
    )]
    Stamp {
        /// How far off, ms.
        off_ms: u64,
        /// ΔT, ms.
        most_ms: u64,
    },
    /// It waits in the pool, with at least this expiry, already.
    #[error("record {0} is waiting already; `medring record show {0}` tells where")]
    Pending(RecordId),
    /// The pool, or this uploader's share of it, is full.
    #[error("{0}; submit it again after the next blocks")]
    Full(String),
    /// The node could not store it.
    #[error("the node could not store the record: {0}")]
    Storage(String),
}

/// What people, the wallet and metrics are told.
#[derive(Clone, Debug)]
pub enum Event {
    /// The best chain changed, after it was committed to disk.
    Tip {
        /// Blocks that left the best chain, old tip first.
        disconnected: Vec<BlockId>,
        /// Blocks that joined it, new tip last.
        connected: Vec<BlockId>,
        /// The new height.
        height: u64,
        /// False for a step of a deep reorganisation that another one follows.
        settled: bool,
    },
    /// Blocks left the best chain for good, in one step or several. Their records return to the pool now.
    Reorg {
        /// From where to where; nothing is counted yet.
        report: ReorgReport,
    },
    /// A record was admitted to the pool.
    Pooled {
        /// Which.
        record: RecordId,
    },
    /// A record left the pool without being mined: expired, replaced, or in conflict with the chain.
    Dropped {
        /// Which.
        record: RecordId,
        /// Why.
        reason: String,
    },
    /// A block of ours joined the tree.
    MinedBlock {
        /// Which.
        block: BlockId,
        /// Its height.
        height: u64,
    },
    /// A peer is on another network. Both sides are told.
    WrongNetwork {
        /// Who.
        peer: Peer,
        /// What it said.
        theirs: Status,
    },
    /// A peer broke a rule and was disconnected.
    PeerFault {
        /// Who.
        peer: Peer,
        /// What it did.
        reason: String,
    },
    /// Something an operator should know, for example a peer's clock far off ours.
    Warning(String),
    /// The disk failed: the driver must stop the node, nothing more was acknowledged.
    Fatal(String),
}
