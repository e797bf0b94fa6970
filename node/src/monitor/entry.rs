//! What the intake's journal holds, one entry for each thing that must not be forgotten (docs/spec/vitals.md).

use medring_protocol::group::GroupUid;
use medring_protocol::vitals::{Channel, Decimal};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A channel at rest.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredChannel {
    pub(super) name: String,
    pub(super) system: String,
    pub(super) code: String,
    pub(super) unit: String,
}

/// A sample at rest: time, place of its channel in the stream's table, mantissa, scale.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredSample(pub(super) u64, pub(super) u16, pub(super) i64, pub(super) u8);

/// An entry. Streams have numbers, in the order in which they were opened.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Entry {
    /// A stream, empty, that counts from `base`.
    Open { of: u32, stream: String, group: GroupUid, window_ms: u64, base: u64, first_ms: Option<u64>, arrived_ms: u64 },
    /// Samples `first` … of a stream, with the channels that it has not named before.
    Samples { of: u32, first: u64, arrived_ms: u64, channels: Vec<StoredChannel>, samples: Vec<StoredSample> },
    /// What is in no window yet and below `to` becomes one.
    Cut { of: u32, to: u64 },
    /// The window from `from` was sealed into this record, which is opened by r.
    Sealed { of: u32, from: u64, record: ByteBuf, r: [u8; 32] },
    /// That record is in the pool, or was.
    Submitted { of: u32, from: u64 },
    /// That record never comes onto the chain; the window is sealed again.
    Unsealed { of: u32, from: u64 },
    /// It lies deep enough on the chain: its samples need not be kept here.
    Settled { of: u32, from: u64 },
    /// The stream is forgotten.
    Forget { of: u32 },
}

impl From<&Channel> for StoredChannel {
    fn from(channel: &Channel) -> Self {
        let Channel { name, system, code, unit } = channel.clone();
        Self { name, system, code, unit }
    }
}

impl From<StoredChannel> for Channel {
    fn from(stored: StoredChannel) -> Self {
        let StoredChannel { name, system, code, unit } = stored;
        Self { name, system, code, unit }
    }
}

impl StoredSample {
    pub(super) fn value(&self) -> Option<Decimal> {
        Decimal::new(self.2, self.3)
    }
}
