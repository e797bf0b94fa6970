//! Status and sync: questions and answers, one stream each.

use super::super::requests::Requests;
use super::Service;
use crate::core::{Input, Peer, RequestError, RequestId};
use libp2p::PeerId;
use libp2p::request_response::{Event as RequestEvent, InboundFailure, Message, OutboundFailure};
use medring_protocol::wire::{Request, Response, Status};
use std::io::ErrorKind;

impl Service {
    pub(super) fn ask(&mut self, peer: Peer, id: RequestId, request: Request) {
        // Unknown: `Disconnected` has been said, or is about to be.
        let Some(peer_id) = self.peers.id(peer) else { return };
        if !Requests::may_ask(&mut self.peers, &peer_id) {
            let response = Err(RequestError::Link("too many requests under way".into()));
            self.backlog.push_back(Input::Response { peer, id, response });
            return;
        }
        let wire = self.swarm.behaviour_mut().sync.send_request(&peer_id, request);
        self.requests.asked(&mut self.peers, &peer_id, wire, peer, id);
    }

    pub(super) fn status_event(&mut self, event: RequestEvent<Status, ()>) {
        match event {
            RequestEvent::Message {
                peer: peer_id, message: Message::Request { request: status, channel, .. }, ..
            } => {
                // A failure means that the peer is gone.
                let _ = self.swarm.behaviour_mut().status.send_response(channel, ());
                let now_ms = (self.now_ms)();
                if !self.peers.get_mut(&peer_id).is_some_and(|state| state.usage.may_say_status(now_ms)) {
                    return self.excess(peer_id, "statuses");
                }
                if let Some(peer) = self.peers.open(&peer_id) {
                    self.topics.met(peer_id, status.version, &mut self.swarm.behaviour_mut().gossip);
                    self.deliver(peer_id, Input::Status { peer, status });
                }
            }
            RequestEvent::Message { peer: peer_id, message: Message::Response { .. }, .. } => {
                self.status_settled(peer_id);
            }
            RequestEvent::OutboundFailure { peer: peer_id, error, .. } => {
                tracing::debug!(%peer_id, %error, "our status was not acknowledged");
                self.status_settled(peer_id);
            }
            RequestEvent::InboundFailure { peer: peer_id, error, .. } => self.inbound_failure(peer_id, &error),
            RequestEvent::ResponseSent { .. } => {}
        }
    }

    fn status_settled(&mut self, peer_id: PeerId) {
        let Some(state) = self.peers.get_mut(&peer_id) else { return };
        state.statuses_unacknowledged = state.statuses_unacknowledged.saturating_sub(1);
        if state.closing && state.statuses_unacknowledged == 0 {
            self.drop_links(peer_id);
        }
    }

    pub(super) fn sync_event(&mut self, event: RequestEvent<Request, Response>) {
        match event {
            RequestEvent::Message {
                peer: peer_id, message: Message::Request { request_id, request, channel }, ..
            } => {
                let now_ms = (self.now_ms)();
                if !self.peers.get_mut(&peer_id).is_some_and(|state| state.usage.may_ask(now_ms)) {
                    return self.excess(peer_id, "requests");
                }
                match self.requests.serve(&mut self.peers, peer_id, request_id, channel) {
                    Some((peer, id)) => self.deliver(peer_id, Input::Request { peer, id, request }),
                    None => tracing::debug!(%peer_id, "too many requests at once: one was dropped"),
                }
            }
            RequestEvent::Message { peer: peer_id, message: Message::Response { request_id, response }, .. } => {
                if let Some((peer, id)) = self.requests.answered(&mut self.peers, request_id) {
                    self.deliver(peer_id, Input::Response { peer, id, response: Ok(response) });
                }
            }
            RequestEvent::OutboundFailure { request_id, error, .. } => {
                if let Some((peer, id)) = self.requests.answered(&mut self.peers, request_id) {
                    self.backlog.push_back(Input::Response { peer, id, response: Err(request_error(error)) });
                }
            }
            RequestEvent::InboundFailure { peer: peer_id, request_id, error, .. } => {
                self.requests.served(&mut self.peers, request_id);
                self.inbound_failure(peer_id, &error);
            }
            RequestEvent::ResponseSent { request_id, .. } => self.requests.served(&mut self.peers, request_id),
        }
    }

    /// A request that could not be read: malformed ones cost the link, all others are bad luck.
    fn inbound_failure(&mut self, peer_id: PeerId, error: &InboundFailure) {
        tracing::debug!(%peer_id, %error, "a peer's request failed");
        let InboundFailure::Io(io) = error else { return };
        if io.kind() == ErrorKind::InvalidData {
            self.fault(peer_id, format!("malformed request: {io}"));
        }
    }
}

fn request_error(error: OutboundFailure) -> RequestError {
    match error {
        OutboundFailure::Timeout => RequestError::Timeout,
        OutboundFailure::Io(io) if io.kind() == ErrorKind::InvalidData => RequestError::Malformed(io.to_string()),
        other => RequestError::Link(other.to_string()),
    }
}
