//! How gossip ranks the peers of its meshes: by what they deliver, first or invalid. Silence, slowness and a shared loopback address
//! count for nothing: networks here are quiet, and test networks are whole on one machine.

use super::topics::Topics;
use libp2p::gossipsub::{PeerScoreParams, PeerScoreThresholds, TopicScoreParams};
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Peers behind one address that are still taken for different people's: a hospital's.
const PEERS_PER_ADDRESS: f64 = 24.0;

/// What is counted, and how much it weighs.
pub(super) fn params(topics: &Topics) -> PeerScoreParams {
    let topic = TopicScoreParams {
        topic_weight: 1.0,
        // A point for each minute in the mesh, up to ten.
        time_in_mesh_weight: 1.0,
        time_in_mesh_quantum: Duration::from_secs(60),
        time_in_mesh_cap: 10.0,
        // A point for what a peer is the first to bring, up to ninety.
        first_message_deliveries_weight: 1.0,
        first_message_deliveries_decay: 0.99,
        first_message_deliveries_cap: 90.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        // By its square: the fifth outweighs everything good. The core has the peer banned long before.
        invalid_message_deliveries_weight: -20.0,
        invalid_message_deliveries_decay: 0.99,
        ..TopicScoreParams::default()
    };
    PeerScoreParams {
        topics: topics.known().map(|t| (topics.ident(t).hash(), topic.clone())).collect(),
        topic_score_cap: 100.0,
        ip_colocation_factor_weight: -1.0,
        ip_colocation_factor_threshold: PEERS_PER_ADDRESS,
        ip_colocation_factor_whitelist: loopback(),
        // Promises of gossip that were broken; a loaded machine breaks some.
        behaviour_penalty_weight: -1.0,
        behaviour_penalty_threshold: 6.0,
        behaviour_penalty_decay: 0.9,
        slow_peer_weight: 0.0,
        ..PeerScoreParams::default()
    }
}

/// From which score on a peer gets no gossip, then none of our messages, then no ear at all.
pub(super) fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: -100.0,
        publish_threshold: -200.0,
        graylist_threshold: -400.0,
        accept_px_threshold: 10.0,
        opportunistic_graft_threshold: 2.0,
    }
}

/// Addresses on which nodes of test networks listen (127.0.0.i, 127.0.1.i, ::1).
fn loopback() -> HashSet<IpAddr> {
    let v4 = (0..=1).flat_map(|c| (0..=255).map(move |d| IpAddr::V4(Ipv4Addr::new(127, 0, c, d))));
    v4.chain([IpAddr::V6(Ipv6Addr::LOCALHOST)]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::behaviour::{Gossip, gossip};
    use super::*;
    use libp2p::core::transport::PortUse;
    use libp2p::core::{ConnectedPoint, Endpoint};
    use libp2p::swarm::behaviour::ConnectionEstablished;
    use libp2p::swarm::{ConnectionId, FromSwarm, NetworkBehaviour};
    use libp2p::{Multiaddr, PeerId};
    use medring_protocol::ChainId;

    /// `count` peers link from `address`; their scores.
    fn scores(gossip: &mut Gossip, address: &str, count: usize) -> Vec<f64> {
        let address: Multiaddr = address.parse().unwrap();
        let peers: Vec<_> = (0..count).map(|_| PeerId::random()).collect();
        for (n, peer_id) in peers.iter().enumerate() {
            let connection_id = ConnectionId::new_unchecked(n);
            let role = Endpoint::Dialer;
            let made =
                gossip.handle_established_outbound_connection(connection_id, *peer_id, &address, role, PortUse::New);
            made.unwrap();
            let endpoint =
                ConnectedPoint::Dialer { address: address.clone(), role_override: role, port_use: PortUse::New };
            gossip.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id: *peer_id,
                connection_id,
                endpoint: &endpoint,
                failed_addresses: &[],
                other_established: 0,
            }));
        }
        peers.iter().map(|peer| gossip.peer_score(peer).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_local_test_network_is_not_graylisted_and_a_crowd_at_one_address_elsewhere_is() {
        let mut gossip = gossip(&Topics::new(&ChainId([7; 32]), 2)).unwrap();
        for address in ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.1.250/tcp/1", "/ip6/::1/udp/1/quic-v1"] {
            let scores = scores(&mut gossip, address, 60);
            assert!(scores.iter().all(|score| *score >= 0.0), "{address}: {scores:?}");
        }
        let office = scores(&mut gossip, "/ip4/192.0.2.1/tcp/1", 24);
        assert!(office.iter().all(|score| *score >= 0.0), "{office:?}");
        let crowd = scores(&mut gossip, "/ip4/192.0.2.2/tcp/1", 60);
        assert!(crowd.iter().all(|score| *score < thresholds().graylist_threshold), "{crowd:?}");
    }
}
