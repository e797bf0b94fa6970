//! Messages on their way to other nodes. They travel on the reactor, and what became of them comes back as an input.

use super::service::Outcome;
use crate::net::ring::Transport;
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::SendId;
use medring_protocol::group::message::{Answer, Endpoint, Envelope, MESSAGE_BYTES_MAX, Message};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// A group's machine, in one of its lives.
    Machine { group: GroupUid, life: u64, id: SendId },
    /// A recall of ours.
    Recall,
    /// Nobody: that there is a link is all that was wanted.
    Nobody,
}

/// What became of a message.
#[derive(Debug)]
pub(super) struct Delivered {
    pub(super) sender: Sender,
    /// Whose node it was for.
    pub(super) peer: Vec<u8>,
    /// The answer, or why there is none.
    pub(super) answer: Result<Answer, String>,
}

/// The way out.
pub(super) struct Deliveries {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) runtime: Handle,
    pub(super) outcomes: mpsc::UnboundedSender<Outcome>,
}

impl Deliveries {
    /// Sends a message once; the transport bounds how many travel at a time, the machines' outboxes how many wait for that.
    pub(super) fn send(&self, sender: Sender, group: GroupUid, to: Endpoint, message: Message) {
        let (transport, outcomes) = (self.transport.clone(), self.outcomes.clone());
        self.runtime.spawn(async move {
            let frame = Envelope { group, message }.encode();
            let answer = if frame.len() > MESSAGE_BYTES_MAX {
                Err(format!("the message has {} bytes and the limit is {MESSAGE_BYTES_MAX}", frame.len()))
            } else {
                let answer = transport.deliver(&to, frame).await.map_err(|e| e.to_string());
                answer.and_then(|bytes| Answer::decode(&bytes).map_err(|e| format!("its answer is none: {e}")))
            };
            // Err: the groups have ended, and with them who waits.
            let _ = outcomes.send(Outcome::Delivered(Delivered { sender, peer: to.peer_id, answer }));
        });
    }
}
