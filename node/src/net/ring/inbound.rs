//! Peers' exchanges: each stream has a task and a place of its own, and ends in time whatever its peer does.

use super::super::Command;
use super::super::capture::Capture;
use super::frame::{self, FrameError};
use super::inlet::Taken;
use super::slots::Slot;
use super::{INBOUND_MAX, INBOUND_TIMEOUT, Incoming, READ_TIMEOUT};
use crate::telemetry::{Metrics, RingOutcome};
use futures::AsyncWriteExt;
use libp2p::{PeerId, Stream};
use medring_protocol::group::message::{ANSWER_BYTES_MAX, MESSAGE_BYTES_MAX};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What each exchange needs.
#[derive(Clone)]
pub(in crate::net) struct Inbound {
    /// Messages to their reader. Holds [`INBOUND_MAX`], so it is never full.
    incoming: mpsc::Sender<Incoming>,
    commands: mpsc::Sender<Command>,
    capture: Capture,
    metrics: Arc<Metrics>,
}

impl Inbound {
    /// With the far end for the reader of the messages.
    pub(in crate::net) fn new(
        commands: mpsc::Sender<Command>,
        (capture, metrics): (Capture, Arc<Metrics>),
    ) -> (Self, mpsc::Receiver<Incoming>) {
        let (incoming, reader) = mpsc::channel(INBOUND_MAX);
        (Self { incoming, commands, capture, metrics }, reader)
    }

    /// One exchange from its first byte to its last. Dropping the stream early resets it, which tells the peer to try later.
    async fn serve(self, peer: PeerId, mut stream: Stream, _slot: Slot) {
        let exchange = tokio::time::timeout(INBOUND_TIMEOUT, self.exchange(peer, &mut stream)).await;
        let outcome = match exchange.unwrap_or_else(|_| Err("no answer in time".into())) {
            Ok(()) => RingOutcome::Done,
            Err(why) => {
                tracing::debug!(%peer, why, "a ring stream was cut");
                RingOutcome::Failed
            }
        };
        self.metrics.ring_in(outcome);
    }

    async fn exchange(&self, peer: PeerId, stream: &mut Stream) -> Result<(), String> {
        let read = tokio::time::timeout(READ_TIMEOUT, frame::read(stream, MESSAGE_BYTES_MAX)).await;
        let frame = match read.map_err(|_| "its message did not come in time")? {
            Ok(frame) => frame,
            Err(FrameError::Stream(error)) => return Err(error.to_string()),
            Err(FrameError::Length(why)) => {
                let reason = format!("malformed message on a ring stream: {why}");
                // Err: the event loop has ended, and with it the link.
                let _ = self.commands.send(Command::Fault { peer_id: peer, reason }).await;
                return Err(why);
            }
        };
        self.metrics.ring_bytes_in(frame.len());
        let (answer, answered) = oneshot::channel();
        let incoming = Incoming { from: peer.to_bytes(), frame, answer };
        self.incoming.send(incoming).await.map_err(|_| "this node takes no part in groups")?;
        let answer = answered.await.map_err(|_| "it was given no answer")?;
        debug_assert!((1..=ANSWER_BYTES_MAX).contains(&answer.len()), "an answer of {} bytes", answer.len());
        self.capture.add(&answer);
        frame::write(stream, &answer).await.map_err(|e| e.to_string())?;
        self.metrics.ring_bytes_out(answer.len());
        stream.close().await.map_err(|e| e.to_string())
    }
}

/// Serves peers' streams until `stop`, then cuts those that are open.
pub(in crate::net) async fn accept(inbound: Inbound, mut streams: mpsc::Receiver<Taken>, stop: CancellationToken) {
    let mut exchanges = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            next = streams.recv() => {
                let Some(Taken { peer, stream, slot }) = next else { return };
                exchanges.spawn(inbound.clone().serve(peer, stream, slot));
            }
            Some(_) = exchanges.join_next() => {}
        }
    }
}
