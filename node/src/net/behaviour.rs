//! What our nodes speak: gossip for records and blocks, status and sync by request, ring streams, identify, ping, and limits on links.

use super::NetConfig;
use super::codec::{StatusCodec, SyncCodec};
use super::gate::Gate;
use super::known::Bans;
use super::ring::Inlet;
use super::scoring;
use super::topics::Topics;
use libp2p::gossipsub::{self, MessageAuthenticity, ValidationMode, WhitelistSubscriptionFilter};
use libp2p::kad::store::{MemoryStore, MemoryStoreConfig};
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{PeerId, noise, tcp, yamux};
use libp2p::{StreamProtocol, Swarm, connection_limits, identify, kad, mdns, memory_connection_limits, ping};
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
/// The longest message of Kademlia, with twenty peers in it.
const KAD_PACKET_BYTES_MAX: usize = 16 * 1024;
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

/// Gossip that takes no topics but those of its chain.
pub(super) type Gossip = gossipsub::Behaviour<gossipsub::IdentityTransform, WhitelistSubscriptionFilter>;

/// All protocols on every link.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) gate: Gate,
    pub(super) limits: connection_limits::Behaviour,
    pub(super) memory: memory_connection_limits::Behaviour,
    pub(super) gossip: Gossip,
    pub(super) status: request_response::Behaviour<StatusCodec>,
    pub(super) sync: request_response::Behaviour<SyncCodec>,
    /// Streams to members of groups. Those from them are the inlet's: this one would drop what comes faster than it is taken.
    pub(super) ring: libp2p_stream::Behaviour,
    pub(super) ring_inlet: Inlet,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
    pub(super) kad: Toggle<kad::Behaviour<MemoryStore>>,
    pub(super) mdns: Toggle<mdns::tokio::Behaviour>,
}

/// SHA-256 over topic and data, 20 bytes: the same message has one name whoever sends it.
fn message_id(message: &gossipsub::Message) -> gossipsub::MessageId {
    let topic = message.topic.as_str().as_bytes();
    let length = u32::try_from(topic.len()).unwrap_or(u32::MAX).to_be_bytes();
    let digest = Sha256::new().chain_update(length).chain_update(topic).chain_update(&message.data).finalize();
    gossipsub::MessageId::from(digest[..20].to_vec())
}

/// Gossip with settings that fit: large messages, few peers, explicit verdicts.
pub(super) fn gossip(topics: &Topics) -> Result<Gossip, String> {
    let config = gossip_config()?;
    let allowed = topics.known().map(|topic| topics.ident(topic).hash()).collect();
    let filter = WhitelistSubscriptionFilter(allowed);
    let mut gossip =
        gossipsub::Behaviour::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)?;
    for topic in topics.own() {
        gossip.subscribe(topics.ident(topic)).map_err(|e| e.to_string())?;
    }
    gossip.with_peer_score(scoring::params(topics), scoring::thresholds())?;
    Ok(gossip)
}

/// What differs from the library's defaults, which fit small messages that anyone may forward unseen.
fn gossip_config() -> Result<gossipsub::Config, String> {
    gossipsub::ConfigBuilder::default()
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
        .map_err(|e| e.to_string())
}

/// Most inbound peers: a quarter of all links is kept for those we open.
pub(super) fn inbound_max(max_peers: u32) -> u32 {
    (max_peers - max_peers / 4).max(1)
}

/// Inbound links above the bound that stand for a moment, until it is decided who goes.
const SPARE_LINKS: u32 = 4;

/// Links: all, inbound, and two to one peer (both may have dialled).
fn link_limits(max_peers: u32) -> connection_limits::ConnectionLimits {
    connection_limits::ConnectionLimits::default()
        .with_max_established(Some(max_peers + SPARE_LINKS))
        .with_max_established_incoming(Some(inbound_max(max_peers) + SPARE_LINKS))
        .with_max_established_outgoing(Some(max_peers))
        .with_max_established_per_peer(Some(2))
        .with_max_pending_incoming(Some(32))
        .with_max_pending_outgoing(Some(32))
}

/// `/medring/CHAIN/WHAT/1`, CHAIN being the first 8 bytes of the chain id in hex.
pub(super) fn protocol(chain: &ChainId, what: &str) -> Result<StreamProtocol, String> {
    let name = format!("/medring/{}/{what}/1", hex::encode(&chain.0[..8]));
    StreamProtocol::try_from_owned(name).map_err(|e| e.to_string())
}

/// Who is where, asked of others and told to them; nothing else is stored for anyone. A server from the start: on a private
/// network nobody ever confirms an outer address.
fn kademlia(chain: &ChainId, own: PeerId) -> Result<kad::Behaviour<MemoryStore>, String> {
    let mut config = kad::Config::new(protocol(chain, "kad")?);
    config
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        // Only identify feeds it, by what peers say of themselves.
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_query_timeout(REQUEST_TIMEOUT)
        .set_max_packet_size(KAD_PACKET_BYTES_MAX)
        // Who is there is asked by the event loop, at its own pace.
        .set_periodic_bootstrap_interval(None);
    let nothing =
        MemoryStoreConfig { max_records: 0, max_value_bytes: 0, max_providers_per_key: 0, max_provided_keys: 0 };
    let mut kad = kad::Behaviour::with_config(own, MemoryStore::with_config(own, nothing), config);
    kad.set_mode(Some(kad::Mode::Server));
    Ok(kad)
}

/// A swarm for `chain` with this node's key. `Err` is a bug in the settings above, or no mDNS on this machine.
pub(super) fn swarm(
    config: &NetConfig,
    topics: &Topics,
    ring_inlet: Inlet,
    bans: Bans,
) -> Result<Swarm<Behaviour>, String> {
    let sync_name = protocol(&config.chain, "sync")?;
    let own = config.key.public().to_peer_id();
    let requests = |timeout| {
        request_response::Config::default()
            .with_request_timeout(timeout)
            .with_max_concurrent_streams(STREAMS_PER_LINK_MAX)
    };
    let identify = identify::Config::new("/medring/1".into(), config.key.public());
    let identify = identify.with_agent_version(config.agent.clone());
    let behaviour = Behaviour {
        gate: Gate::new(bans, config.now_ms),
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
        kad: config.discovery.then(|| kademlia(&config.chain, own)).transpose()?.into(),
        mdns: config
            .mdns
            .then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), own))
            .transpose()
            .map_err(no_mdns)?
            .into(),
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

fn no_mdns(error: std::io::Error) -> String {
    format!("mDNS does not start on this machine ({error}); set network.mdns = false")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Topic;
    use libp2p::gossipsub::TopicHash;
    use medring_protocol::wire;

    #[tokio::test]
    async fn the_settings_fit_together() {
        let chain = ChainId([7; 32]);
        let topics = Topics::new(&chain, wire::VERSION);
        let key = libp2p::identity::Keypair::generate_ed25519();
        let config = NetConfig { max_peers: 1, discovery: true, ..NetConfig::new(key, chain, || 0) };
        let (inlet, _streams) = crate::net::ring::inlet(&config).unwrap();
        swarm(&config, &topics, inlet, Bans::default()).unwrap();
    }

    #[test]
    fn gossip_has_settings_that_fit() {
        let config = gossip_config().unwrap();
        let topic = Topics::new(&ChainId([7; 32]), wire::VERSION).ident(Topic::Blocks).hash();
        assert_eq!(config.max_transmit_size_for_topic(&topic), limits::GOSSIP_BYTES_MAX);
        assert!(config.validate_messages() && !config.flood_publish() && config.idontwant_on_publish());
        assert_eq!(config.duplicate_cache_time(), GOSSIP_DUPLICATE_TIMEOUT);
        assert!(matches!(config.validation_mode(), ValidationMode::Anonymous));
    }

    #[test]
    fn kademlia_serves_from_the_start_and_stores_nothing() {
        use libp2p::kad::store::RecordStore;
        let mut kad = kademlia(&ChainId([7; 32]), PeerId::random()).unwrap();
        assert_eq!(kad.mode(), kad::Mode::Server, "on a private network nobody confirms an outer address");
        let record = kad::Record::new(vec![1], vec![2]);
        assert!(kad.store_mut().put(record).is_err(), "nothing is kept for others");
        assert_eq!(kad.protocol_names()[0].as_ref(), "/medring/0707070707070707/kad/1");
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
