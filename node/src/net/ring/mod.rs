//! Direct streams between members of a group: one message and one answer per stream (docs/spec/wire.md, "Ring").
//!
//! Nothing here knows what a group is. A frame is delivered whole with its answer, or the caller learns why not; sending again is
//! the caller's part. Whoever answers holds the key of the peer id asked for, since Noise proves it, so addresses are hints.

pub mod frame;
mod inbound;
mod inlet;
mod slots;
mod streams;

pub use streams::RingStreams;

pub(super) use inlet::{Inlet, Taken};

use super::{Command, NetConfig};
use futures::future::BoxFuture;
use inbound::Inbound;
use libp2p::StreamProtocol;
use libp2p_stream::Control;
use medring_protocol::group::message::Endpoint;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Until a peer's message must be here, from the first byte of its stream.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Until a peer's message must be answered.
const INBOUND_TIMEOUT: Duration = Duration::from_secs(10);
/// Until a message of ours must be answered, its dialling and its wait for a place included.
const OUTBOUND_TIMEOUT: Duration = Duration::from_secs(20);
/// Exchanges that peers may have open with this node. Each holds at most one message in memory.
pub const INBOUND_MAX: usize = 64;
/// … and each one of them.
pub const INBOUND_PER_PEER_MAX: usize = 4;
/// Exchanges this node has open with peers; more wait for their turn.
pub const OUTBOUND_MAX: usize = 32;
/// … and with each one.
pub const OUTBOUND_PER_PEER_MAX: usize = 2;

/// Carries messages of groups to other nodes.
pub trait Transport: Send + Sync + 'static {
    /// Delivers one frame of 1 to [`MESSAGE_BYTES_MAX`](medring_protocol::group::message::MESSAGE_BYTES_MAX) bytes and
    /// returns the peer's answer, of 1 to [`ANSWER_BYTES_MAX`](medring_protocol::group::message::ANSWER_BYTES_MAX) bytes.
    /// Settled within 20 s. After an error the peer may have taken the frame or not.
    fn deliver(&self, to: &Endpoint, frame: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>>;
}

/// A peer's message, and where its answer goes.
#[derive(Debug)]
pub struct Incoming {
    /// Peer id that the Noise handshake proved, multihash bytes.
    pub from: Vec<u8>,
    /// 1 to [`MESSAGE_BYTES_MAX`](medring_protocol::group::message::MESSAGE_BYTES_MAX) bytes.
    pub frame: Vec<u8>,
    /// Takes the answer, 1 to [`ANSWER_BYTES_MAX`](medring_protocol::group::message::ANSWER_BYTES_MAX) bytes. Dropped, or
    /// too late: the stream is reset and the peer sends again.
    pub answer: oneshot::Sender<Vec<u8>>,
}

/// Why a frame got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The endpoint or the frame cannot be sent to, or sent, by anyone.
    #[error("{0}")]
    Caller(String),
    /// No link stands and none could be made.
    #[error("not reached: {0}")]
    Unreachable(String),
    /// The peer speaks to us, but not of groups of this chain.
    #[error("the node there takes no part in groups of this chain")]
    Unsupported,
    /// The stream broke: the peer vanished, is busy, or had no answer in time.
    #[error("the stream ended before the answer: {0}")]
    Lost(String),
    /// What came back is no answer.
    #[error("the answer is malformed: {0}")]
    Malformed(String),
    /// Time is up.
    #[error("no answer within {} s", OUTBOUND_TIMEOUT.as_secs())]
    Timeout,
    /// This node stops.
    #[error("this node is stopping")]
    Stopping,
}

/// `/medring/CHAIN/ring/1`, CHAIN being the first 8 bytes of the chain id in hex. `Err` is a bug in the settings.
fn protocol(config: &NetConfig) -> Result<StreamProtocol, String> {
    let name = format!("/medring/{}/ring/1", hex::encode(&config.chain.0[..8]));
    StreamProtocol::try_from_owned(name).map_err(|e| e.to_string())
}

/// What is to be part of the swarm, and where peers' streams come out of it.
pub(super) fn inlet(config: &NetConfig) -> Result<(Inlet, mpsc::Receiver<Taken>), String> {
    Ok(Inlet::new(protocol(config)?, config.metrics.clone()))
}

/// Starts serving peers' streams, and gives the way to send to peers.
pub(super) fn start(
    control: Control,
    streams: mpsc::Receiver<Taken>,
    config: &NetConfig,
    commands: &mpsc::Sender<Command>,
    stop: &CancellationToken,
) -> Result<(RingStreams, mpsc::Receiver<Incoming>), String> {
    let shared = || (config.capture.clone(), config.metrics.clone());
    let (inbound, incoming) = Inbound::new(commands.clone(), shared());
    tokio::spawn(inbound::accept(inbound, streams, stop.clone()));
    Ok((RingStreams::new(control, protocol(config)?, commands.clone(), shared()), incoming))
}
