//! What the network does: blocks are found and records submitted, at times and places drawn from the seed.

use super::Simulation;
use super::events::What;
use medring_node::core::{Input, Ticket};
use medring_protocol::chain::StateRead;
use medring_protocol::record::{Kind, Record};
use medring_protocol::testkit;

/// Records that expire within a few heights, of a hundred.
const SHORT_LIVED_PERCENT: u64 = 10;
/// Submissions of a record that was submitted before, of a hundred.
const AGAIN_PERCENT: u64 = 4;

impl Simulation {
    /// The next block of the network, `slower` times slower than configured.
    pub(super) fn schedule_block(&mut self, slower: u64) {
        let wait_ms = self.draw_wait_ms(self.config.block_interval_ms * slower);
        self.queue.push(self.now_ms + wait_ms, What::Mine);
    }

    /// Some living node finds a nonce for its template.
    pub(super) fn mine(&mut self) {
        // When all is done blocks come slower, so that ties end.
        self.schedule_block(if self.now_ms < self.busy_until_ms { 1 } else { 2 });
        let Some(node) = self.finder() else { return };
        let Some(mut header) = self.nodes[node].template else { return };
        if self.lie(node, &header) {
            return;
        }
        testkit::mine(&mut header);
        self.say(node, format_args!("mines {} at {}", header.id(), header.height));
        self.stats.found(self.now_ms, header.id(), self.nodes[node].is_honest());
        self.input(node, Input::Mined { header });
    }

    pub(super) fn some_node(&mut self) -> Option<usize> {
        let living: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].core.is_some()).collect();
        let last = u64::try_from(living.len()).ok()?.checked_sub(1)?;
        let at = usize::try_from(self.draw(0..=last)).ok()?;
        living.get(at).copied()
    }

    /// Some living node is given a record: first the enrolment, then records of all kinds.
    pub(super) fn submit(&mut self) {
        let wait_ms = self.draw_wait_ms(self.config.record_interval_ms);
        if self.now_ms + wait_ms < self.busy_until_ms {
            self.queue.push(self.now_ms + wait_ms, What::Submit);
        }
        let Some(node) = self.some_node() else { return };
        let record = self.next_record(node);
        let id = record.id(&self.kit.chain);
        let now_ms = self.now_ms;
        self.records.entry(id).or_insert_with(|| (record.clone(), now_ms));
        let ticket = Ticket(self.expiries.len() as u64);
        self.expiries.push(record.envelope.expiry_height);
        self.submitted += 1;
        self.input(node, Input::Submit { ticket, record: Box::new(record) });
    }

    fn next_record(&mut self, node: usize) -> Record {
        let core = self.nodes[node].core.as_ref();
        let height = core.map_or(0, |core| core.snapshot().height);
        let enrolled =
            core.is_some_and(|core| core.store().participant(&self.kit.doctor.id).is_ok_and(|p| p.is_some()));
        if !enrolled && self.draw(0..=3) == 0 || self.submitted == 0 {
            return self.wrap(node, self.kit.enrol_all(1), height + 400);
        }
        if self.draw(0..=99) < AGAIN_PERCENT {
            let last = self.records.len() as u64 - 1;
            let at = usize::try_from(self.draw(0..=last)).unwrap_or(0);
            if let Some((record, _)) = self.records.values().nth(at) {
                return self.wrap(node, record.clone(), height + 400);
            }
        }
        let kind = match self.draw(0..=99) {
            0..=3 => Kind::Enrol,
            4..=35 => Kind::Ehr,
            36..=67 => Kind::Emr,
            68..=94 => Kind::Phr,
            _ => Kind::EpochCommit,
        };
        let lives = if self.draw(0..=99) < SHORT_LIVED_PERCENT { self.draw(1..=6) } else { 400 };
        let record = self.kit.record(kind, self.submitted, 1);
        self.wrap(node, record, height + lives)
    }

    /// The same content in an envelope of now, by the clock of the node that gets it.
    pub(super) fn wrap(&self, node: usize, record: Record, expiry_height: u64) -> Record {
        let step = self.kit.params.stamp_granularity_ms;
        let secret = &self.kit.uploader(record.content.kind).secret;
        let stamp_ms = self.nodes[node].clock.local_ms(self.now_ms) / step * step;
        Record::wrap(&self.kit.chain, record.content, record.signature, stamp_ms, expiry_height, secret)
    }
}
