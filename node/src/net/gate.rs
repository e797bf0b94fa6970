//! A door in front of all links: who is banned, comes too often or finds no place does not get in. On test networks
//! it can be shut to everybody, or to those who are to be cut off.

use super::address::{NetGroup, ip_of};
use super::known::Bans;
use super::meter::{Bucket, Rate};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    dummy,
};
use libp2p::{Multiaddr, PeerId};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll};

/// Links that one IP address may open.
const ARRIVALS: Rate = Rate { per_second: 20, burst: 300 };
/// Handshakes of one IP address under way; this machine's are not counted.
const HANDSHAKES_PER_ADDRESS_MAX: usize = 8;
/// Addresses whose arrivals are counted.
const ARRIVALS_MAX: usize = 4096;

/// The door.
#[derive(Debug)]
pub(super) struct Gate {
    /// Whether all links are refused.
    pub(super) shut: bool,
    /// With whom links are refused.
    pub(super) cut: BTreeSet<PeerId>,
    /// Who does not get in.
    pub(super) bans: Bans,
    /// Whether Kademlia may open links: there is room for links of ours.
    pub(super) room: bool,
    /// Address groups to which a link of ours stands.
    pub(super) groups: BTreeSet<NetGroup>,
    /// Dials that we began ourselves, and not Kademlia.
    wanted: BTreeSet<ConnectionId>,
    arrivals: BTreeMap<IpAddr, Bucket>,
    /// Handshakes under way; the limits on links bound them.
    handshakes: BTreeMap<ConnectionId, IpAddr>,
    now_ms: fn() -> u64,
}

/// Why a link was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("this node is cut off from the network on purpose")]
    Shut,
    #[error("banned here; `medring peers banned` says why and until when, `medring peers unban` ends it")]
    Banned,
    #[error("too many links from this address in a short time")]
    TooOften,
    #[error("too many handshakes of this address are under way")]
    TooMany,
    #[error("no room for another link of ours")]
    NoRoom,
    #[error("a link of ours stands to this part of the network")]
    SameGroup,
}

impl Gate {
    pub(super) fn new(bans: Bans, now_ms: fn() -> u64) -> Self {
        let (groups, wanted) = (BTreeSet::new(), BTreeSet::new());
        let (arrivals, handshakes) = (BTreeMap::new(), BTreeMap::new());
        Self { shut: false, cut: BTreeSet::new(), bans, room: true, groups, wanted, arrivals, handshakes, now_ms }
    }

    /// Whether no link with this peer may stand, on purpose.
    pub(super) fn refuses(&self, peer: &PeerId) -> bool {
        self.shut || self.cut.contains(peer)
    }

    /// A dial of our own is about to begin: room and groups have been thought of.
    pub(super) fn want(&mut self, connection: ConnectionId) {
        self.wanted.insert(connection);
    }

    fn arrives(&mut self, connection: ConnectionId, address: &Multiaddr) -> Result<(), Refused> {
        if self.shut {
            return Err(Refused::Shut);
        }
        let Some(ip) = ip_of(address).map(|ip| ip.to_canonical()) else { return Ok(()) };
        let now_ms = (self.now_ms)();
        if self.bans.has_ip(ip, now_ms) {
            return Err(Refused::Banned);
        }
        if self.arrivals.len() >= ARRIVALS_MAX {
            self.arrivals.retain(|_, bucket| !bucket.is_full(ARRIVALS, now_ms));
            if self.arrivals.len() >= ARRIVALS_MAX {
                self.arrivals.pop_first();
            }
        }
        let bucket = self.arrivals.entry(ip).or_insert_with(|| Bucket::new(now_ms));
        if !bucket.take(ARRIVALS, 1, now_ms) {
            return Err(Refused::TooOften);
        }
        let same = self.handshakes.values().filter(|other| **other == ip).count();
        if same >= HANDSHAKES_PER_ADDRESS_MAX && !ip.is_loopback() {
            return Err(Refused::TooMany);
        }
        self.handshakes.insert(connection, ip);
        Ok(())
    }

    fn stands(&self, peer: &PeerId) -> Result<(), Refused> {
        match self.refuses(peer) {
            true => Err(Refused::Shut),
            false if self.bans.has_peer(peer, (self.now_ms)()) => Err(Refused::Banned),
            false => Ok(()),
        }
    }

    fn may_dial(&self, connection: ConnectionId, peer: Option<&PeerId>) -> Result<(), Refused> {
        if let Some(peer) = peer {
            self.stands(peer)?;
        }
        match self.shut {
            true => Err(Refused::Shut),
            false if self.room || self.wanted.contains(&connection) => Ok(()),
            false => Err(Refused::NoRoom),
        }
    }

    fn reached(&mut self, connection: ConnectionId, peer: &PeerId, address: &Multiaddr) -> Result<(), Refused> {
        self.stands(peer)?;
        let wanted = self.wanted.remove(&connection);
        let Some(ip) = ip_of(address) else { return Ok(()) };
        if self.bans.has_ip(ip, (self.now_ms)()) {
            return Err(Refused::Banned);
        }
        let group = NetGroup::of(ip);
        if !wanted && !group.is_machine() && self.groups.contains(&group) {
            return Err(Refused::SameGroup);
        }
        Ok(())
    }
}

fn handler(checked: Result<(), Refused>) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
    checked.map(|()| dummy::ConnectionHandler).map_err(ConnectionDenied::new)
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.arrives(connection, remote).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        handler(self.stands(&peer))
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.may_dial(connection, peer.as_ref()).map(|()| Vec::new()).map_err(ConnectionDenied::new)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        handler(self.reached(connection, &peer, address))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::DialFailure(failure) => drop(self.wanted.remove(&failure.connection_id)),
            FromSwarm::ListenFailure(failure) => drop(self.handshakes.remove(&failure.connection_id)),
            FromSwarm::ConnectionEstablished(link) => drop(self.handshakes.remove(&link.connection_id)),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::super::known::FAULT_POINTS;
    use super::*;

    fn gate() -> Gate {
        Gate::new(Bans::default(), || 1_000)
    }

    impl Gate {
        /// Somebody comes, and their handshake ends.
        fn come(&mut self, address: &Multiaddr) -> Result<(), Refused> {
            let connection = ConnectionId::new_unchecked(0);
            let came = self.arrives(connection, address);
            self.handshakes.remove(&connection);
            came
        }
    }

    fn at(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_banned_do_not_get_in_and_are_not_dialled() {
        let (mut gate, peer) = (gate(), PeerId::random());
        gate.bans.blame(peer, None, FAULT_POINTS, "x", 1_000);
        for _ in 0..3 {
            gate.bans.blame(PeerId::random(), Some("192.0.2.1".parse().unwrap()), FAULT_POINTS, "x", 1_000);
        }
        assert_eq!(gate.stands(&peer), Err(Refused::Banned));
        assert_eq!(gate.come(&at("/ip4/192.0.2.1/tcp/9")), Err(Refused::Banned));
        assert_eq!(gate.come(&at("/ip4/192.0.2.2/tcp/9")), Ok(()));
        let dial = ConnectionId::new_unchecked(1);
        gate.want(dial);
        assert_eq!(gate.may_dial(dial, Some(&peer)), Err(Refused::Banned));
        assert_eq!(gate.reached(dial, &PeerId::random(), &at("/ip4/192.0.2.1/tcp/9")), Err(Refused::Banned));
    }

    #[test]
    fn kademlia_opens_no_second_link_to_a_group_and_none_without_room() {
        let (mut gate, peer) = (gate(), PeerId::random());
        let (ours, other) = (ConnectionId::new_unchecked(1), ConnectionId::new_unchecked(2));
        gate.groups.insert(NetGroup::of("192.0.2.1".parse().unwrap()));
        assert_eq!(gate.reached(other, &peer, &at("/ip4/192.0.77.1/tcp/9")), Err(Refused::SameGroup));
        assert_eq!(gate.reached(other, &peer, &at("/ip4/198.51.100.1/udp/9/quic-v1")), Ok(()));
        gate.groups.insert(NetGroup::of("127.0.0.1".parse().unwrap()));
        assert_eq!(gate.reached(other, &peer, &at("/ip4/127.0.1.2/tcp/9")), Ok(()), "test networks are on one machine");
        gate.room = false;
        gate.want(ours);
        assert_eq!(gate.may_dial(other, Some(&peer)), Err(Refused::NoRoom));
        assert_eq!(gate.may_dial(ours, Some(&peer)), Ok(()));
        assert_eq!(gate.reached(ours, &peer, &at("/ip4/192.0.77.1/tcp/9")), Ok(()), "what an operator asks for");
        assert!(gate.wanted.is_empty());
    }

    #[test]
    fn churn_from_one_address_is_refused_and_others_come_in() {
        let mut gate = gate();
        let let_in = (0..1_000).filter(|_| gate.come(&at("/ip4/192.0.2.1/tcp/9")).is_ok()).count();
        assert_eq!(let_in, 300);
        assert_eq!(gate.come(&at("/ip4/192.0.2.2/tcp/9")), Ok(()));
        for n in 0..10_000u32 {
            let ip = std::net::Ipv4Addr::from(0x0a00_0000 + n);
            assert_eq!(gate.come(&at(&format!("/ip4/{ip}/tcp/9"))), Ok(()));
        }
        assert!(gate.arrivals.len() <= ARRIVALS_MAX);
    }

    #[test]
    fn one_address_does_not_take_all_handshakes() {
        let mut gate = gate();
        let mut start = |n: usize, address: &str| gate.arrives(ConnectionId::new_unchecked(n), &at(address));
        assert!((0..8).all(|n| start(n, "/ip4/192.0.2.1/tcp/9").is_ok()));
        assert_eq!(start(8, "/ip4/192.0.2.1/tcp/9"), Err(Refused::TooMany));
        assert_eq!(start(9, "/ip4/192.0.2.2/tcp/9"), Ok(()));
        assert!((10..40).all(|n| start(n, "/ip4/127.0.0.1/tcp/9").is_ok()), "test networks are on one machine");
    }
}
