//! The JSON of the routes about peers, as types for the server and for its clients.

use crate::net::{Ban, Direction, Known, Target};
use medring_protocol::BlockId;
use serde::{Deserialize, Serialize};

/// `GET /v1/peers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PeersResponse {
    /// Linked peers, oldest first.
    pub peers: Vec<PeerInfo>,
}

/// A linked peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PeerInfo {
    /// Its libp2p id.
    pub peer_id: String,
    /// Its address.
    pub address: String,
    /// Who opened the link.
    pub direction: Direction,
    /// Its software, once it said so.
    pub agent: Option<String>,
    /// Its height, once it said so.
    pub height: Option<u64>,
    /// Its tip, once it said so.
    #[schemars(with = "Option<crate::api::schema::Id>")]
    pub tip: Option<BlockId>,
    /// When the link was opened.
    pub connected_ms: u64,
}

/// `POST /v1/peers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectRequest {
    /// `/ip4/ADDRESS/tcp/PORT` or `/ip4/ADDRESS/udp/PORT/quic-v1`, with or without `/p2p/PEERID`.
    pub address: String,
}

/// Its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ConnectResponse {
    /// The peer found there.
    pub peer_id: String,
}

/// `GET /v1/peers/known`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KnownResponse {
    /// Peers remembered, by id.
    pub peers: Vec<Known>,
}

/// `GET /v1/peers/bans`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BansResponse {
    /// Those that end first in front.
    pub bans: Vec<Ban>,
}

/// `POST /v1/peers/bans`; the answer is the [`Ban`], on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BanRequest {
    /// A peer id, or an IP address.
    pub target: String,
    /// For how long.
    pub minutes: u64,
    /// Why, at most 200 bytes.
    #[serde(default)]
    pub reason: String,
}

/// `POST /v1/peers/unban`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnbanRequest {
    /// A peer id, or an IP address.
    pub target: String,
}

/// Its answer: the ban is gone, also on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UnbanResponse {
    /// Whose.
    #[schemars(with = "String")]
    pub target: Target,
}
