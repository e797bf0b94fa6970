//! What our nodes speak: gossip for records and blocks, status and sync by request, ring streams, identify, ping, and limits on links.

use super::NetConfig;
use super::codec::{StatusCodec, SyncCodec};
use super::gate::Gate;
use super::ring::Inlet;
use crate::core::Topic;
use libp2p::gossipsub::{
    self, IdentTopic, MessageAuthenticity, TopicHash, ValidationMode, WhitelistSubscriptionFilter,
};
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, Swarm, connection_limits, identify, memory_connection_limits, ping};
use libp2p::{noise, tcp, yamux};
use medring_protocol::{ChainId, limits};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Inbound streams of one request protocol on one link; more are dropped by the transport.
pub(super) const STREAMS_PER_LINK_MAX: usize = 8;
/// Streams of all protocols on one link.
const STREAMS_MAX: u32 = 128;
/// What a peer may send on one QUIC stream before it is read.
const QUIC_STREAM_BYTES_MAX: u32 = 1024 * 1024;
/// The same on all streams of one link.
const QUIC_LINK_BYTES_MAX: u32 = 4 * 1024 * 1024;
/// Until an answer must be complete.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Until a status must be acknowledged.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);
/// Gossip waits this long for a slow link before it is dropped from that link's queue.
const GOSSIP_QUEUE_TIMEOUT: Duration = Duration::from_secs(8);
/// A message seen within this time is neither taken nor sent again. Shorter than the core waits before it offers a record
/// anew: a longer one would swallow every such offer.
const GOSSIP_DUPLICATE_TIMEOUT: Duration = Duration::from_secs(50);
const _: () = assert!(GOSSIP_DUPLICATE_TIMEOUT.as_millis() < crate::core::limits::REOFFER_MS as u128);
/// Share of the machine's memory above which this process takes no new links.
const MEMORY_SHARE_MAX: f64 = 0.5;

/// All protocols on every link.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) gate: Gate,
    pub(super) limits: connection_limits::Behaviour,
    pub(super) memory: memory_connection_limits::Behaviour,
    pub(super) gossip: gossipsub::Behaviour<gossipsub::IdentityTransform, WhitelistSubscriptionFilter>,
    pub(super) status: request_response::Behaviour<StatusCodec>,
    pub(super) sync: request_response::Behaviour<SyncCodec>,
    /// Streams to members of groups. Those from them are the inlet's: this one would drop what comes faster than it is taken.
    pub(super) ring: libp2p_stream::Behaviour,
    pub(super) ring_inlet: Inlet,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
}

/// The two gossip topics of one chain.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    records: IdentTopic,
    blocks: IdentTopic,
}

impl Topics {
    pub(super) fn new(chain: &ChainId) -> Self {
        let topic = |what: &str| IdentTopic::new(format!("/medring/{chain}/{what}/1"));
        Self { records: topic("records"), blocks: topic("blocks") }
    }

    pub(super) fn ident(&self, topic: Topic) -> &IdentTopic {
        match topic {
            Topic::Records => &self.records,
            Topic::Blocks => &self.blocks,
        }
    }

    pub(super) fn of(&self, hash: &TopicHash) -> Option<Topic> {
        [Topic::Records, Topic::Blocks].into_iter().find(|topic| self.ident(*topic).hash() == *hash)
    }
}

/// SHA-256 over topic and data, 20 bytes: the same message has one name whoever sends it.
fn message_id(message: &gossipsub::Message) -> gossipsub::MessageId {
    let topic = message.topic.as_str().as_bytes();
    let length = u32::try_from(topic.len()).unwrap_or(u32::MAX).to_be_bytes();
    let digest = Sha256::new().chain_update(length).chain_update(topic).chain_update(&message.data).finalize();
    gossipsub::MessageId::from(digest[..20].to_vec())
}

fn gossip(
    topics: &Topics,
) -> Result<gossipsub::Behaviour<gossipsub::IdentityTransform, WhitelistSubscriptionFilter>, String> {
    let config = gossipsub::ConfigBuilder::default()
        .mesh_n(6)
        .mesh_n_low(4)
        .mesh_n_high(12)
        .mesh_outbound_min(2)
        .history_length(12)
        .history_gossip(3)
        .heartbeat_initial_delay(Duration::from_millis(500))
        // Authors would tell who submits what; ids and signatures inside the messages suffice.
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(message_id)
        .max_transmit_size(limits::GOSSIP_BYTES_MAX)
        .publish_queue_duration(GOSSIP_QUEUE_TIMEOUT)
        .forward_queue_duration(GOSSIP_QUEUE_TIMEOUT)
        .connection_handler_queue_len(512)
        .duplicate_cache_time(GOSSIP_DUPLICATE_TIMEOUT)
        .flood_publish(false)
        .idontwant_on_publish(true)
        .build()
        .map_err(|e| e.to_string())?;
    let allowed = [Topic::Records, Topic::Blocks].map(|topic| topics.ident(topic).hash()).into();
    let filter = WhitelistSubscriptionFilter(allowed);
    let mut gossip =
        gossipsub::Behaviour::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)?;
    for topic in [Topic::Records, Topic::Blocks] {
        gossip.subscribe(topics.ident(topic)).map_err(|e| e.to_string())?;
    }
    Ok(gossip)
}

/// Links: all, inbound (a quarter is kept for those we open), and two to one peer (both may have dialled).
fn link_limits(max_peers: u32) -> connection_limits::ConnectionLimits {
    connection_limits::ConnectionLimits::default()
        .with_max_established(Some(max_peers))
        .with_max_established_incoming(Some((max_peers - max_peers / 4).max(1)))
        .with_max_established_outgoing(Some(max_peers))
        .with_max_established_per_peer(Some(2))
        .with_max_pending_incoming(Some(32))
        .with_max_pending_outgoing(Some(32))
}

/// A swarm for `chain` with this node's key. `Err` is a bug in the settings above.
pub(super) fn swarm(config: &NetConfig, topics: &Topics, ring_inlet: Inlet) -> Result<Swarm<Behaviour>, String> {
    let sync_name = format!("/medring/{}/sync/1", hex::encode(&config.chain.0[..8]));
    let sync_name = StreamProtocol::try_from_owned(sync_name).map_err(|e| e.to_string())?;
    let requests = |timeout| {
        request_response::Config::default()
            .with_request_timeout(timeout)
            .with_max_concurrent_streams(STREAMS_PER_LINK_MAX)
    };
    let identify = identify::Config::new("/medring/1".into(), config.key.public());
    let identify = identify.with_agent_version(config.agent.clone());
    let behaviour = Behaviour {
        gate: Gate::default(),
        limits: connection_limits::Behaviour::new(link_limits(config.max_peers)),
        memory: memory_connection_limits::Behaviour::with_max_percentage(MEMORY_SHARE_MAX),
        gossip: gossip(topics)?,
        status: request_response::Behaviour::with_codec(
            StatusCodec { capture: config.capture.clone() },
            [(StreamProtocol::new("/medring/status/1"), ProtocolSupport::Full)],
            requests(STATUS_TIMEOUT),
        ),
        sync: request_response::Behaviour::with_codec(
            SyncCodec { capture: config.capture.clone() },
            [(sync_name, ProtocolSupport::Full)],
            requests(REQUEST_TIMEOUT),
        ),
        ring: libp2p_stream::Behaviour::new(),
        ring_inlet,
        identify: identify::Behaviour::new(identify.with_cache_size(0)),
        ping: ping::Behaviour::new(ping::Config::new()),
    };
    let mux = || {
        let mut config = yamux::Config::default();
        config.set_max_num_streams(STREAMS_MAX as usize);
        config
    };
    let builder = libp2p::SwarmBuilder::with_existing_identity(config.key.clone())
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, mux)
        .map_err(|e| e.to_string())?
        .with_quic_config(|mut config| {
            config.max_concurrent_stream_limit = STREAMS_MAX;
            config.max_stream_data = QUIC_STREAM_BYTES_MAX;
            config.max_connection_data = QUIC_LINK_BYTES_MAX;
            config
        })
        .with_behaviour(move |_| behaviour)
        .map_err(|e| e.to_string())?;
    // Our links are meant to stay; ping finds the dead ones.
    let year = Duration::from_secs(365 * 24 * 3600);
    Ok(builder
        .with_swarm_config(|c| c.with_idle_connection_timeout(year).with_max_negotiating_inbound_streams(32))
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Capture;

    #[tokio::test]
    async fn the_settings_fit_together() {
        let chain = ChainId([7; 32]);
        let topics = Topics::new(&chain);
        let config = NetConfig {
            key: libp2p::identity::Keypair::generate_ed25519(),
            chain,
            agent: "medring/test".into(),
            listen: Vec::new(),
            bootstrap: Vec::new(),
            max_peers: 1,
            capture: Capture::default(),
            metrics: std::sync::Arc::default(),
            now_ms: || 0,
        };
        let (inlet, _streams) = crate::net::ring::inlet(&config).unwrap();
        swarm(&config, &topics, inlet).unwrap();
        assert_eq!(topics.of(&topics.ident(Topic::Blocks).hash()), Some(Topic::Blocks));
    }

    #[test]
    fn a_message_id_names_topic_and_data() {
        let id = |topic: &str, data: &[u8]| {
            let topic = TopicHash::from_raw(topic);
            message_id(&gossipsub::Message { source: None, data: data.to_vec(), sequence_number: None, topic })
        };
        assert_eq!(id("a", b"x"), id("a", b"x"));
        assert_ne!(id("a", b"x"), id("b", b"x"));
        assert_ne!(id("a", b"bc"), id("ab", b"c"));
        assert_eq!(id("a", b"x").0.len(), 20);
    }
}
