//! Blocks to be mined: what waits in the pool, on top of the tip, as far as it may stand there.

use super::{NodeCore, Output, Template, limits};
use medring_protocol::block::{Block, Header};
use medring_protocol::chain::{ApplyError, Candidate};
use medring_protocol::limits::{BLOCK_BYTES_MAX, BLOCK_RECORDS_MAX};
use medring_protocol::pow::next_target;
use medring_protocol::record::Record;
use medring_protocol::{WireId, merkle};
use medring_storage::{Engine, StorageError};
use std::collections::VecDeque;
use std::sync::Arc;

/// Templates given out lately, and whether a new one is due.
#[derive(Debug, Default)]
pub(super) struct Templates {
    recent: VecDeque<(Header, Vec<Arc<Record>>)>,
    made_ms: Option<u64>,
    grew: bool,
}

impl Templates {
    /// What was given out is not to be mined on any more: the tip moved, or more is to go in.
    pub(super) fn outdated(&mut self) {
        self.made_ms = None;
        self.grew = false;
    }

    /// Another record waits.
    pub(super) fn pool_grew(&mut self) {
        self.grew = true;
    }

    /// The moment kept here.
    pub(super) fn made_mut(&mut self) -> Option<&mut u64> {
        self.made_ms.as_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.recent.len()
    }

    fn due_ms(&self) -> u64 {
        let wait_ms = if self.grew { limits::TEMPLATE_INTERVAL_MIN_MS } else { limits::TEMPLATE_INTERVAL_MS };
        self.made_ms.map_or(0, |made| made + wait_ms)
    }

    /// The block of a header whose nonce was found.
    pub(super) fn finish(&self, header: Header) -> Option<Block> {
        let blank = Header { nonce: 0, ..header };
        let (_, records) = self.recent.iter().find(|(template, _)| *template == blank)?;
        Some(Block { header, records: records.iter().map(|record| Record::clone(record)).collect() })
    }
}

impl<E: Engine> NodeCore<E> {
    /// When a new template is due; `None`: not mining, or too far behind for it.
    pub(super) fn template_due_ms(&self) -> Option<u64> {
        (self.config.mine && !self.is_behind()).then(|| self.templates.due_ms())
    }

    /// Makes a new template if the tip moved, records came, or time went on.
    pub(super) fn refresh_template(&mut self) -> Result<(), StorageError> {
        if self.template_due_ms().is_none_or(|due| due > self.now_ms) {
            return Ok(());
        }
        let (header, records) = self.make_template()?;
        self.templates.made_ms = Some(self.now_ms);
        self.templates.grew = false;
        let count = records.len();
        self.templates.recent.push_front((header, records));
        self.templates.recent.truncate(limits::TEMPLATES_MAX);
        self.out(Output::Mine(Template { header, records: count }));
        Ok(())
    }

    fn make_template(&self) -> Result<(Header, Vec<Arc<Record>>), StorageError> {
        let (height, time_ms) = self.next_place();
        let (rules, params) = (&self.config.rules, &self.config.params);
        let mut next = Candidate::new(rules, params, &self.store, height, time_ms);
        let (mut records, mut wires, mut bytes) = (Vec::new(), Vec::<WireId>::new(), 0);
        for pooled in self.pool.iter() {
            if records.len() == BLOCK_RECORDS_MAX {
                break;
            }
            if bytes + pooled.bytes > BLOCK_BYTES_MAX {
                continue;
            }
            match next.push(&pooled.record) {
                Ok(()) => {
                    bytes += pooled.bytes;
                    records.push(pooled.record.clone());
                    wires.push(pooled.wire);
                }
                // It waits for an enrolment, a quota or a time.
                Err(ApplyError::Violation(_)) => {}
                Err(ApplyError::State(error)) => return Err(error),
            }
        }
        let schedule_ms = self.tree.get(&self.tip()).map_or(0, |tip| tip.schedule_ms);
        let header = Header {
            prev: self.tip(),
            records_root: merkle::records_root(&wires),
            version: Header::VERSION,
            target: next_target(params, self.height(), schedule_ms),
            height,
            time_ms,
            miner_tag: self.config.miner_tag,
            nonce: 0,
        };
        Ok((header, records))
    }
}
