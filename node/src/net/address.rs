//! Addresses of nodes: an IP address with TCP or QUIC on it, with or without the peer's id, and nothing else.

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use std::net::{IpAddr, SocketAddr};

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
}
