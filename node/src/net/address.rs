//! Addresses of nodes: an IP address with TCP or QUIC on it, with or without the peer's id, and nothing else.

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How links to an address are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// `/tcp/PORT`: Noise and Yamux over TCP.
    Tcp,
    /// `/udp/PORT/quic-v1`.
    Quic,
}

/// What an address says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Where.
    pub socket: SocketAddr,
    /// How.
    pub transport: Transport,
    /// Who is there, if it says so.
    pub peer: Option<PeerId>,
}

/// The parts of `/ip4/…/tcp/…`, `/ip4/…/udp/…/quic-v1` and the same with `/ip6/`, each with or without `/p2p/PEERID`; `None`
/// for every other form.
pub fn parts(address: &Multiaddr) -> Option<Parts> {
    let mut rest = address.iter();
    let ip = match rest.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    let (transport, port) = match rest.next()? {
        Protocol::Tcp(port) => (Transport::Tcp, port),
        Protocol::Udp(port) => (Transport::Quic, port),
        _ => return None,
    };
    if transport == Transport::Quic && rest.next()? != Protocol::QuicV1 {
        return None;
    }
    let peer = match rest.next() {
        None => None,
        Some(Protocol::P2p(peer)) => Some(peer),
        Some(_) => return None,
    };
    rest.next().is_none().then_some(Parts { socket: SocketAddr::new(ip, port), transport, peer })
}

/// How far an IP address reaches, nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// This machine.
    Machine,
    /// A private or link-local network.
    Private,
    /// Everywhere.
    Global,
}

/// How far `ip` reaches; `None` for addresses that nobody listens at (unspecified, multicast, broadcast).
pub(super) fn scope(ip: IpAddr) -> Option<Scope> {
    let ip = ip.to_canonical();
    if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return None;
    }
    let private = match ip {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local() || v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64,
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    Some(match ip.is_loopback() {
        true => Scope::Machine,
        false if private => Scope::Private,
        false => Scope::Global,
    })
}

/// Addresses that are likely to be one operator's: an IPv4 /16, an IPv6 /32, or this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NetGroup([u8; 5]);

impl NetGroup {
    /// The group of `ip`.
    pub(super) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            ip if ip.is_loopback() => Self([0; 5]),
            IpAddr::V4(ip) => Self([4, ip.octets()[0], ip.octets()[1], 0, 0]),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.octets();
                Self([6, a, b, c, d])
            }
        }
    }

    /// Whether it is this machine, where test networks run whole: of no meaning for diversity.
    pub(super) fn is_machine(self) -> bool {
        self == Self([0; 5])
    }

    /// For keyed hashes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The IP address at the beginning of an address, if there is one.
pub(super) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip)),
        _ => None,
    }
}

/// What of `said`, which a peer linked from `seen` told, is worth dialling: plain addresses with a port, that reach at least as far as
/// the link itself and name nobody but `peer`. Bare, without duplicates, at most `most`.
pub(super) fn worth_dialling(said: &[Multiaddr], peer: PeerId, seen: IpAddr, most: usize) -> Vec<Multiaddr> {
    let least = scope(seen);
    let mut out: Vec<Multiaddr> = Vec::new();
    for address in said.iter().take(SAID_MAX) {
        let Some(Parts { socket, peer: named, .. }) = parts(address) else { continue };
        let reaches = scope(socket.ip());
        let bare = bare(address);
        let good = socket.port() != 0 && reaches.is_some() && reaches >= least && named.is_none_or(|n| n == peer);
        if good && !out.contains(&bare) && out.len() < most {
            out.push(bare);
        }
    }
    out
}

/// Addresses of one peer that are looked at; the rest is not.
const SAID_MAX: usize = 32;

/// The peer id in an address, if there is one.
pub(super) fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    address.iter().find_map(|part| if let Protocol::P2p(id) = part { Some(id) } else { None })
}

/// The address without the peer's id.
pub(crate) fn bare(address: &Multiaddr) -> Multiaddr {
    address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_ip_with_tcp_or_quic_and_perhaps_a_peer() {
        let peer = PeerId::random();
        let read = |text: &str| parts(&text.parse().unwrap());
        for (text, socket, transport) in [
            ("/ip4/192.0.2.1/tcp/4001", "192.0.2.1:4001", Transport::Tcp),
            ("/ip6/2001:db8::1/tcp/4001", "[2001:db8::1]:4001", Transport::Tcp),
            ("/ip4/192.0.2.1/udp/4001/quic-v1", "192.0.2.1:4001", Transport::Quic),
        ] {
            let socket = socket.parse().unwrap();
            assert_eq!(read(text), Some(Parts { socket, transport, peer: None }), "{text}");
            let named = format!("{text}/p2p/{peer}");
            assert_eq!(read(&named), Some(Parts { socket, transport, peer: Some(peer) }), "{named}");
            assert_eq!(bare(&named.parse().unwrap()), text.parse().unwrap());
        }
        for text in [
            "/ip4/192.0.2.1",
            "/ip4/192.0.2.1/udp/4001",
            "/ip4/192.0.2.1/udp/4001/quic",
            "/ip4/192.0.2.1/tcp/4001/quic-v1",
            "/ip4/192.0.2.1/tcp/4001/ws",
            "/dns4/example.org/tcp/4001",
            &format!("/ip4/192.0.2.1/tcp/4001/p2p/{peer}/p2p-circuit"),
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_told_is_dialled_only_where_it_can_be_reached_from_here() {
        let (peer, other) = (PeerId::random(), PeerId::random());
        let said: Vec<Multiaddr> = [
            "/ip4/127.0.0.1/tcp/1".to_owned(),
            "/ip4/10.0.0.1/tcp/1".to_owned(),
            "/ip4/192.0.2.1/tcp/1".to_owned(),
            format!("/ip4/192.0.2.1/tcp/1/p2p/{peer}"),
            format!("/ip4/192.0.2.2/tcp/1/p2p/{other}"),
            "/ip4/0.0.0.0/tcp/1".to_owned(),
            "/ip4/192.0.2.3/tcp/0".to_owned(),
            "/ip4/224.0.0.251/udp/5353/quic-v1".to_owned(),
        ]
        .map(|text| text.parse().unwrap())
        .into();
        let from = |seen: &str| worth_dialling(&said, peer, seen.parse().unwrap(), 4).len();
        assert_eq!(from("127.0.0.1"), 3, "this machine, its network and the world");
        assert_eq!(from("10.1.1.1"), 2, "its network and the world");
        assert_eq!(from("192.0.2.9"), 1, "a peer far away says nothing useful about our own network");
        assert_eq!(worth_dialling(&said, peer, "127.0.0.1".parse().unwrap(), 2).len(), 2, "no more than asked for");
    }

    #[test]
    fn groups_are_a_sixteenth_of_ipv4_and_this_machine_is_one() {
        let group = |text: &str| NetGroup::of(text.parse().unwrap());
        assert_eq!(group("192.0.2.1"), group("192.0.77.1"));
        assert_eq!(group("192.0.2.1"), group("::ffff:192.0.2.1"));
        assert_ne!(group("192.0.2.1"), group("192.1.2.1"));
        assert_eq!(group("2001:db8:1::1"), group("2001:db8:2::1"));
        assert!(group("127.0.1.7").is_machine() && group("::1").is_machine() && !group("10.0.0.1").is_machine());
    }
}
