//! The records that wait to be mined: a bounded table, one envelope per RecordId, in order of admission.

use super::config::PoolLimits;
use medring_protocol::record::Record;
use medring_protocol::{ParticipantId, RecordId, WireId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A waiting record.
#[derive(Clone, Debug)]
pub(super) struct Pooled {
    pub(super) id: RecordId,
    pub(super) wire: WireId,
    pub(super) record: Arc<Record>,
    /// Length in the codec.
    pub(super) bytes: usize,
    pub(super) sequence: u64,
    pub(super) received_ms: u64,
    /// When it was last gossiped by us, or came by gossip.
    pub(super) offered_ms: u64,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Mempool {
    limits: PoolLimits,
    records: BTreeMap<RecordId, Pooled>,
    order: BTreeMap<u64, RecordId>,
    wires: BTreeMap<WireId, RecordId>,
    uploader_bytes: BTreeMap<ParticipantId, usize>,
    bytes: usize,
    next_sequence: u64,
}

impl Mempool {
    pub(super) fn new(limits: PoolLimits) -> Self {
        Self {
            limits,
            records: BTreeMap::new(),
            order: BTreeMap::new(),
            wires: BTreeMap::new(),
            uploader_bytes: BTreeMap::new(),
            bytes: 0,
            next_sequence: 0,
        }
    }

    /// The number of the next record admitted.
    pub(super) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Bytes of all records.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, id: &RecordId) -> Option<&Pooled> {
        self.records.get(id)
    }

    pub(super) fn by_wire(&self, wire: &WireId) -> Option<&Pooled> {
        self.records.get(self.wires.get(wire)?)
    }

    /// In order of admission, from a sequence number on.
    pub(super) fn iter_from(&self, sequence: u64) -> impl Iterator<Item = &Pooled> {
        self.order.range(sequence..).filter_map(|(_, id)| self.records.get(id))
    }

    /// In order of admission.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Pooled> {
        self.iter_from(0)
    }

    /// Whether a record of `bytes` fits, in place of the one with its id if there is one; `Err` says what is full.
    pub(super) fn room_for(&self, id: &RecordId, uploader: &ParticipantId, bytes: usize) -> Result<(), String> {
        let freed = self.records.get(id).map_or(0, |old| old.bytes);
        let (all, count) = (self.bytes - freed + bytes, self.records.len() + usize::from(freed == 0));
        let own = self.uploader_bytes.get(uploader).copied().unwrap_or(0).saturating_sub(freed) + bytes;
        let PoolLimits { bytes_max, records_max, uploader_bytes_max } = self.limits;
        if own > uploader_bytes_max {
            return Err(format!(
                "this uploader's waiting records would take {own} bytes, at most {uploader_bytes_max}"
            ));
        }
        if all > bytes_max || count > records_max {
            return Err(format!("the pool is full: {} records, {} bytes", self.records.len(), self.bytes));
        }
        Ok(())
    }

    /// Whether records that return from a fork still fit: a quarter above the bounds.
    pub(super) fn room_for_returned(&self, count: usize, bytes: usize) -> bool {
        let PoolLimits { bytes_max, records_max, uploader_bytes_max: _ } = self.limits;
        self.bytes + bytes <= bytes_max + bytes_max / 4 && self.records.len() + count <= records_max + records_max / 4
    }

    /// Puts a record in, in place of one of its id.
    pub(super) fn insert(&mut self, pooled: Pooled) {
        self.remove(&pooled.id);
        self.bytes += pooled.bytes;
        *self.uploader_bytes.entry(pooled.record.content.uploader).or_default() += pooled.bytes;
        self.next_sequence = self.next_sequence.max(pooled.sequence + 1);
        self.order.insert(pooled.sequence, pooled.id);
        self.wires.insert(pooled.wire, pooled.id);
        self.records.insert(pooled.id, pooled);
    }

    pub(super) fn remove(&mut self, id: &RecordId) -> Option<Pooled> {
        let old = self.records.remove(id)?;
        self.order.remove(&old.sequence);
        self.wires.remove(&old.wire);
        self.bytes -= old.bytes;
        let uploader = old.record.content.uploader;
        if let Some(own) = self.uploader_bytes.get_mut(&uploader) {
            *own -= old.bytes;
            if *own == 0 {
                self.uploader_bytes.remove(&uploader);
            }
        }
        Some(old)
    }

    /// The moments of last offers.
    pub(super) fn moments(&mut self) -> impl Iterator<Item = &mut u64> {
        self.records.values_mut().map(|pooled| &mut pooled.offered_ms)
    }

    /// Notes that a record was gossiped.
    pub(super) fn offered(&mut self, id: &RecordId, now_ms: u64) {
        if let Some(pooled) = self.records.get_mut(id) {
            pooled.offered_ms = now_ms;
        }
    }
}
