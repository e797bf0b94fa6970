//! Staying linked to the bootstrap addresses: dial, back off, dial again, for as long as the node runs.

use super::address::peer_of;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use std::time::Duration;
use tokio::time::Instant;

/// First wait after a failure.
const BACKOFF_MIN: Duration = Duration::from_millis(250);
/// Longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Where one bootstrap address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be dialled at this time.
    Waiting(Instant),
    /// Being dialled.
    Dialling(ConnectionId),
    /// A link to this peer stands.
    Linked(PeerId),
    /// The address is this node's own: left alone.
    Own,
}

#[derive(Debug)]
struct Target {
    address: Multiaddr,
    expected: Option<PeerId>,
    state: State,
    backoff: Duration,
}

/// All bootstrap addresses.
#[derive(Debug)]
pub(super) struct Bootstrap(Vec<Target>);

impl Bootstrap {
    pub(super) fn new(addresses: &[Multiaddr], own: PeerId, now: Instant) -> Self {
        let target = |address: &Multiaddr| {
            let expected = peer_of(address);
            let state = if expected == Some(own) { State::Own } else { State::Waiting(now) };
            Target { address: address.clone(), expected, state, backoff: BACKOFF_MIN }
        };
        Self(addresses.iter().map(target).collect())
    }

    /// Whether one of the addresses leads to this peer.
    pub(super) fn leads_to(&self, peer: &PeerId) -> bool {
        self.0.iter().any(|target| target.expected == Some(*peer) || target.state == State::Linked(*peer))
    }

    /// When to dial next.
    pub(super) fn next(&self) -> Option<Instant> {
        let wait = |target: &Target| if let State::Waiting(at) = target.state { Some(at) } else { None };
        self.0.iter().filter_map(wait).min()
    }

    /// Addresses to dial now. Each must be answered by [`Self::dialling`] or [`Self::failed_to_dial`].
    pub(super) fn due(&self, now: Instant) -> Vec<Multiaddr> {
        let due = |target: &&Target| matches!(target.state, State::Waiting(at) if at <= now);
        self.0.iter().filter(due).map(|target| target.address.clone()).collect()
    }

    /// An attempt is under way.
    pub(super) fn dialling(&mut self, address: &Multiaddr, connection: ConnectionId) {
        if let Some(target) = self.0.iter_mut().find(|t| t.address == *address) {
            target.state = State::Dialling(connection);
        }
    }

    /// The attempt could not even start.
    pub(super) fn failed_to_dial(&mut self, address: &Multiaddr, now: Instant) {
        if let Some(target) = self.0.iter_mut().find(|t| t.address == *address) {
            target.wait(now);
        }
    }

    /// A link stands. Settles every address known to lead to this peer.
    pub(super) fn linked(&mut self, peer: PeerId, connection: ConnectionId) {
        for target in &mut self.0 {
            if target.state == State::Dialling(connection) || target.expected == Some(peer) {
                target.state = State::Linked(peer);
                target.backoff = BACKOFF_MIN;
            }
        }
    }

    /// The last link to a peer is gone.
    pub(super) fn unlinked(&mut self, peer: PeerId, now: Instant) {
        for target in self.0.iter_mut().filter(|t| t.state == State::Linked(peer)) {
            target.wait(now);
        }
    }

    /// An attempt failed; returns the address if it was one of ours.
    pub(super) fn failed(&mut self, connection: ConnectionId, own: bool, now: Instant) -> Option<Multiaddr> {
        let target = self.0.iter_mut().find(|t| t.state == State::Dialling(connection))?;
        if own {
            target.state = State::Own;
        } else {
            target.wait(now);
        }
        Some(target.address.clone())
    }

    /// Dial everything that waits at once: the door was opened again.
    pub(super) fn hurry(&mut self, now: Instant) {
        for target in &mut self.0 {
            target.backoff = BACKOFF_MIN;
            if matches!(target.state, State::Waiting(_)) {
                target.state = State::Waiting(now);
            }
        }
    }
}

impl Target {
    fn wait(&mut self, now: Instant) {
        self.state = State::Waiting(now + self.backoff);
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::multiaddr::Protocol;

    #[expect(clippy::disallowed_methods, reason = "a point in time to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    fn address(port: u16) -> Multiaddr {
        format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()
    }

    #[tokio::test]
    async fn redials_with_growing_waits_until_linked_and_again_after_a_loss() {
        let (own, peer) = (PeerId::random(), PeerId::random());
        let mut now = start();
        let mut bootstrap = Bootstrap::new(&[address(1)], own, now);
        let mut waits = Vec::new();
        for attempt in 0..8 {
            assert_eq!(bootstrap.due(now), [address(1)]);
            let connection = ConnectionId::new_unchecked(attempt);
            bootstrap.dialling(&address(1), connection);
            assert!(bootstrap.due(now).is_empty());
            assert_eq!(bootstrap.failed(connection, false, now), Some(address(1)));
            let at = bootstrap.next().unwrap();
            waits.push((at - now).as_millis());
            now = at;
        }
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 10000, 10000]);
        let connection = ConnectionId::new_unchecked(9);
        bootstrap.dialling(&address(1), connection);
        bootstrap.linked(peer, connection);
        assert_eq!(bootstrap.next(), None);
        bootstrap.unlinked(peer, now);
        assert_eq!(bootstrap.next(), Some(now + BACKOFF_MIN));
    }

    #[tokio::test]
    async fn an_own_address_is_left_alone_and_an_inbound_link_settles_an_address() {
        let (own, peer) = (PeerId::random(), PeerId::random());
        let now = start();
        let with = |id| address(1).with(Protocol::P2p(id));
        let mut bootstrap = Bootstrap::new(&[with(own), with(peer)], own, now);
        assert_eq!(bootstrap.due(now), [with(peer)]);
        bootstrap.linked(peer, ConnectionId::new_unchecked(1));
        assert!(bootstrap.due(now).is_empty());
    }
}
