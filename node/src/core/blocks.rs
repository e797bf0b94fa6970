//! The way of a block from bytes to the store: header, structure, parent, signatures. Cheapest first; what is no fault of a
//! peer is not blamed on it, and nothing temporary marks a block invalid.

use super::{Event, Flaw, Job, JobId, MessageId, NodeCore, Output, Peer, Topic, Verdict, limits};
use crate::core::held::{HeldBlock, Stage};
use medring_protocol::block::{Block, CheckedBlock, Header, PendingSignature, VerifiedBlock};
use medring_protocol::chain::HeaderError;
use medring_protocol::limits::{BLOCK_BYTES_MAX, BLOCK_RECORDS_MAX};
use medring_protocol::{BlockId, Violation};
use medring_storage::{Durability, Engine, StorageError};
use std::collections::BTreeSet;

/// How a block came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Mined here.
    Own,
    /// Unasked, by gossip.
    Gossip(Peer),
    /// Unasked, by gossip, as short ids; put together here.
    Relayed(Peer),
    /// As the answer to a question.
    Asked(Peer),
    /// From a file that the operator named.
    File,
}

/// How a block came, and the gossip message that still awaits a verdict.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) source: Source,
    pub(super) message: Option<MessageId>,
}

impl Origin {
    pub(super) fn asked(&self) -> bool {
        matches!(self.source, Source::Asked(_))
    }

    fn peer(&self) -> Option<Peer> {
        match self.source {
            Source::Own | Source::File => None,
            Source::Gossip(peer) | Source::Relayed(peer) | Source::Asked(peer) => Some(peer),
        }
    }

    /// Whoever gossiped it.
    pub(super) fn gossiped_by(&self) -> Option<Peer> {
        match self.source {
            Source::Gossip(peer) | Source::Relayed(peer) => Some(peer),
            Source::Own | Source::Asked(_) | Source::File => None,
        }
    }

    /// The topic on which gossip has it already.
    fn heard_on(&self) -> Option<Topic> {
        self.message?;
        match self.source {
            Source::Gossip(_) => Some(Topic::Blocks),
            Source::Relayed(_) => Some(Topic::CompactBlocks),
            Source::Own | Source::Asked(_) | Source::File => None,
        }
    }
}

/// Where a header stands.
pub(super) enum Standing {
    /// Its block is known, or refused; everyone has been told.
    Done,
    /// Its time has not come.
    Early,
    /// Its parent is unknown.
    Orphan,
    /// It is in the tree; the block of its parent is not stored yet.
    Waiting,
    /// It is in the tree, on a stored block.
    Attached,
}

/// A block whose signatures are being verified.
#[derive(Debug)]
pub(super) struct BlockJob {
    checked: CheckedBlock,
    pending: Vec<PendingSignature>,
    origin: Origin,
}

impl<E: Engine> NodeCore<E> {
    pub(super) fn on_gossiped_block(
        &mut self,
        peer: Peer,
        message: MessageId,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        let origin = Origin { source: Source::Gossip(peer), message: Some(message) };
        match Block::decode(bytes) {
            Ok(block) => self.take_block(block, origin),
            Err(problem) => self.blame(origin, &format!("gossiped a block that cannot be read: {problem}")),
        }
        Ok(())
    }

    /// Queues a block to be looked at before this call ends.
    pub(super) fn take_block(&mut self, block: Block, origin: Origin) {
        self.ready.push_back(HeldBlock::new(Stage::Read(block), origin));
    }

    /// Looks at every queued block; a stored one may free others that waited for it.
    pub(super) fn process_ready_blocks(&mut self) -> Result<(), StorageError> {
        while let Some(HeldBlock { stage, origin, .. }) = self.ready.pop_front() {
            match stage {
                Stage::Read(block) => self.process_block(block, origin)?,
                Stage::Checked(checked) => self.collect_signatures(checked, origin)?,
                Stage::Verified(checked) => self.store_block(checked, origin)?,
            }
        }
        Ok(())
    }

    /// Blocks put aside for their stamp, whose time has come.
    pub(super) fn release_future_blocks(&mut self) {
        let most_ms = self.latest_stamp_ms();
        self.ready.extend(self.held.take_due(most_ms));
    }

    /// The latest stamp a block may have now. Node policy, not consensus: clocks differ.
    pub(super) fn latest_stamp_ms(&self) -> u64 {
        self.now_ms.saturating_add(self.config.params.future_limit_ms)
    }

    fn process_block(&mut self, block: Block, origin: Origin) -> Result<(), StorageError> {
        let id = block.id();
        match self.place_header(&id, &block.header, origin)? {
            Standing::Done => {}
            Standing::Early => {
                if self.has_its_own_body(&id, &block, origin) {
                    self.verdict(origin.message, Verdict::Ignore);
                    self.held.wait_for_time(id, block, Origin { message: None, ..origin });
                }
            }
            Standing::Orphan => self.hold(id, Stage::Read(block), origin),
            Standing::Waiting | Standing::Attached => self.check_block(id, block, origin)?,
        }
        Ok(())
    }

    /// Judges a block by its header, proof of work before anything that costs more than a look-up, and takes it into the
    /// tree.
    pub(super) fn place_header(
        &mut self,
        id: &BlockId,
        header: &Header,
        origin: Origin,
    ) -> Result<Standing, StorageError> {
        if let Some(node) = self.tree.get(id) {
            if node.vetoed {
                self.verdict(origin.message, Verdict::Ignore);
                return Ok(Standing::Done);
            }
            if node.invalid {
                self.blame(origin, &format!("sent block {id}, which is invalid"));
                return Ok(Standing::Done);
            }
            if node.body || self.verifying.contains_key(id) {
                self.verdict(origin.message, Verdict::Ignore);
                return Ok(Standing::Done);
            }
        }
        if let Err(violation) = self.config.rules.check_pow(header, id) {
            self.blame_block(origin, id, &violation);
            return Ok(Standing::Done);
        }
        if header.time_ms > self.latest_stamp_ms() {
            if let Some(flaw) = self.config.flaw
                && self.early_flaw(flaw, origin, header)?
            {
                return Ok(Standing::Done);
            }
            return Ok(Standing::Early);
        }
        let excluded = self.contradicts_checkpoint(header.height, id);
        let unasked = origin.gossiped_by().is_some();
        if excluded || unasked && !self.has_enough_work(header) {
            self.verdict(origin.message, Verdict::Ignore);
            return Ok(Standing::Done);
        }
        match self.insert_header(header)? {
            Ok(()) => {}
            Err(HeaderError::Orphan(_)) => return Ok(Standing::Orphan),
            // The operator's word is no fault of a peer's.
            Err(HeaderError::VetoedParent(_)) => {
                self.verdict(origin.message, Verdict::Ignore);
                return Ok(Standing::Done);
            }
            Err(error) => {
                self.blame(origin, &format!("sent block {id}: {error}"));
                return Ok(Standing::Done);
            }
        }
        Ok(if self.is_parent_complete(header) { Standing::Attached } else { Standing::Waiting })
    }

    /// What a node of a flaw does with a block stamped too far ahead; `false`: what all do.
    fn early_flaw(&mut self, flaw: Flaw, origin: Origin, header: &Header) -> Result<bool, StorageError> {
        match flaw {
            Flaw::EarlyIsAFault => self.blame(origin, "sent a block stamped too far ahead"),
            Flaw::EarlyIsInvalid if self.insert_header(header)?.is_ok() => {
                self.invalidate(&header.id(), &Violation::new("R-TIME", "stamped too far ahead"))?;
                self.verdict(origin.message, Verdict::Ignore);
            }
            Flaw::EarlyIsInvalid | Flaw::ForgetsLeftRecords => return Ok(false),
        }
        Ok(true)
    }

    /// Whether this is the body that the header commits to. Asked before a block is put aside: another one, which anyone can
    /// make, must not stand in its place when the true one comes.
    fn has_its_own_body(&mut self, id: &BlockId, block: &Block, origin: Origin) -> bool {
        let own = block.computed_root(&self.chain) == block.header.records_root;
        if !own {
            self.blame(origin, &format!("sent block {id} with another's records"));
        }
        own
    }

    fn hold(&mut self, id: BlockId, stage: Stage, origin: Origin) {
        if let Stage::Read(block) = &stage
            && !self.has_its_own_body(&id, block, origin)
        {
            return;
        }
        self.verdict(origin.message, Verdict::Ignore);
        self.hint_from(origin);
        self.held.wait_for_parent(id, stage, Origin { message: None, ..origin });
    }

    fn is_parent_complete(&self, header: &Header) -> bool {
        self.tree.get(&header.prev).is_some_and(|parent| parent.arrival.is_some())
    }

    /// Takes a header into the tree and the store.
    pub(super) fn insert_header(&mut self, header: &Header) -> Result<Result<(), HeaderError>, StorageError> {
        match self.tree.insert(&self.config.rules, &self.config.params, *header) {
            Ok(medring_protocol::chain::Inserted::New) => {
                self.store.put_headers(std::slice::from_ref(header), Durability::Buffered)?;
                Ok(Ok(()))
            }
            Ok(medring_protocol::chain::Inserted::Known) => Ok(Ok(())),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Structure: needs nothing but the block, and shows whether the body is its own.
    fn check_block(&mut self, id: BlockId, block: Block, origin: Origin) -> Result<(), StorageError> {
        // Another body under a good header says nothing about the block itself. Whatever is checked after R-ROOT is the
        // block's own; before it stands the size, for which the root is computed here.
        let oversize = block.records_len() > BLOCK_BYTES_MAX || block.records.len() > BLOCK_RECORDS_MAX;
        let own_oversize = oversize && block.computed_root(&self.chain) == block.header.records_root;
        let rules = self.config.rules.clone();
        let checked = match CheckedBlock::check(&rules, &self.config.params, &self.chain, block) {
            Ok(checked) => checked,
            Err(violation) => {
                if own_oversize || !["R-POW", "R-BLOCK-SIZE", "R-ROOT"].contains(&violation.rule) {
                    self.invalidate(&id, &violation)?;
                }
                self.blame_block(origin, &id, &violation);
                return Ok(());
            }
        };
        self.collect_signatures(checked, origin)
    }

    /// The list of signatures. Where all ancestors are stored, an uploader nobody enrolled is none; before that it may only be
    /// that its enrolment is still to come. A body that was asked for is verified as soon as its keys are known, so that
    /// workers are busy with many blocks at once.
    fn collect_signatures(&mut self, checked: CheckedBlock, origin: Origin) -> Result<(), StorageError> {
        let id = checked.id();
        let complete = self.is_parent_complete(&checked.block().header);
        if !complete && !origin.asked() {
            self.hold(id, Stage::Checked(checked), origin);
            return Ok(());
        }
        let rules = self.config.rules.clone();
        let mut failed = None;
        let keys = |who: &_| {
            self.store.keys_of(who).unwrap_or_else(|error| {
                failed = Some(error);
                None
            })
        };
        let mut pending = checked.signatures(&rules, &self.chain, keys);
        if let Some(error) = failed {
            return Err(error);
        }
        if let Ok(pending) = &mut pending {
            // Equal WireIds are equal bytes, and whatever is or was in the pool has been verified.
            let wires = checked.wire_ids();
            pending.retain(|p| wires.get(p.record).is_none_or(|wire| !self.is_verified(wire)));
        }
        match pending {
            Err(_) if !complete => {
                self.hold(id, Stage::Checked(checked), origin);
                Ok(())
            }
            Err(violation) => {
                self.invalidate(&id, &violation)?;
                self.blame_block(origin, &id, &violation);
                Ok(())
            }
            // Records of our own templates were verified when they were admitted.
            Ok(pending) if pending.is_empty() || origin.source == Source::Own => self.store_or_hold(checked, origin),
            Ok(pending) => {
                self.verify_block(checked, pending, origin);
                Ok(())
            }
        }
    }

    fn verify_block(&mut self, checked: CheckedBlock, pending: Vec<PendingSignature>, origin: Origin) {
        if self.jobs.len() >= limits::JOBS_MAX {
            self.verdict(origin.message, Verdict::Ignore);
            return;
        }
        let checks = pending.iter().map(|p| p.check.clone()).collect();
        let id = checked.id();
        let job = self.start_job(Job::Block(Box::new(BlockJob { checked, pending, origin })), checks);
        self.verifying.insert(id, job);
    }

    /// Sends signatures out to be verified.
    pub(super) fn start_job(&mut self, job: Job, checks: Vec<medring_protocol::record::SigCheck>) -> JobId {
        let id = JobId(self.next_job);
        self.next_job += 1;
        self.jobs.insert(id, job);
        self.out(Output::Verify { job: id, checks });
        id
    }

    pub(super) fn on_block_verified(&mut self, job: BlockJob, result: Result<(), usize>) -> Result<(), StorageError> {
        let BlockJob { checked, pending, origin } = job;
        let id = checked.id();
        self.verifying.remove(&id);
        match result {
            Ok(()) => self.store_or_hold(checked, origin),
            Err(bad) => {
                let violation = pending.get(bad).map_or_else(
                    || Violation::new("R-SIG", "a signature does not verify"),
                    PendingSignature::violation,
                );
                self.invalidate(&id, &violation)?;
                self.blame_block(origin, &id, &violation);
                Ok(())
            }
        }
    }

    fn store_or_hold(&mut self, checked: CheckedBlock, origin: Origin) -> Result<(), StorageError> {
        if self.is_parent_complete(&checked.block().header) {
            return self.store_block(checked, origin);
        }
        self.hold(checked.id(), Stage::Verified(checked), origin);
        Ok(())
    }

    /// Stores a verified block, moves the tip if it makes a better branch, and lets those go on that waited for it.
    fn store_block(&mut self, checked: CheckedBlock, origin: Origin) -> Result<(), StorageError> {
        let verified = checked.assume_verified();
        let (id, header) = (verified.id(), verified.block().header);
        if self.tree.get(&id).is_none_or(|node| node.invalid) {
            self.verdict(origin.message, Verdict::Ignore);
            return Ok(());
        }
        let lacking = self.likely_lacking(&verified);
        let complete = self.tree.body_stored(&id);
        self.store.put_body(&verified, &complete, Durability::Buffered)?;
        // As `Block::encode` has it: the header, a count, the records.
        self.side.add(id, Header::LEN + 8 + verified.block().records_len());
        if let Some(peer) = origin.peer() {
            self.sources.insert(id, peer);
            if self.sources.len() > limits::SOURCES_MAX {
                self.sources.pop_first();
            }
        }
        if origin.source == Source::Own {
            self.event(Event::MinedBlock { block: id, height: header.height });
        }
        self.body_stored(header.height, &id);
        self.advance()?;
        self.judge_stored(&verified, origin, &lacking);
        self.ready.extend(self.held.take_children(&id));
        Ok(())
    }

    /// Tells gossip about a stored block. Only what is on our best chain is forwarded: of a side branch we do not know
    /// whether its records may stand where they stand.
    fn judge_stored(&mut self, block: &VerifiedBlock, origin: Origin, lacking: &BTreeSet<usize>) {
        let id = block.id();
        let verdict = match self.tree.get(&id) {
            Some(node) if node.invalid => Verdict::Reject,
            _ if self.is_active(&id) => Verdict::Accept,
            _ => Verdict::Ignore,
        };
        self.verdict(origin.message, verdict);
        self.settle_relay(block, verdict);
        // What gossip did not bring is gossiped by us, if it is news: not the whole chain while catching up. A header whose
        // block its miner keeps back does not make a newer block old.
        let height = block.block().header.height;
        if self.tip() == id && self.best_header_height() <= height + limits::GOSSIP_AHEAD_BLOCKS {
            self.announce(block, lacking, origin.heard_on());
        }
    }

    /// A block broke a rule for good: neither it nor a descendant is ever chosen, also after a restart.
    pub(super) fn invalidate(&mut self, id: &BlockId, violation: &Violation) -> Result<(), StorageError> {
        let lost = self.tree.mark_invalid(id);
        self.store.mark_invalid(&lost, &violation.to_string())?;
        for id in &lost {
            self.sources.remove(id);
            self.held.take_children(id);
            self.drop_relay(id);
        }
        self.stop_sync_to(&lost);
        Ok(())
    }

    pub(super) fn blame_block(&mut self, origin: Origin, id: &BlockId, violation: &Violation) {
        self.blame(origin, &format!("sent block {id}, which breaks {violation}"));
    }

    pub(super) fn blame(&mut self, origin: Origin, what: &str) {
        self.verdict(origin.message, Verdict::Reject);
        match origin.peer() {
            Some(peer) => self.fault(peer, what),
            None if origin.source == Source::File => self.event(Event::Warning(what.to_owned())),
            // Our own template broke a rule: a bug, and nothing to hide.
            None => self.event(Event::Warning(format!("a block mined here was refused: {what}"))),
        }
    }

    /// A nonce was found. One for a template that was replaced long ago is ignored.
    pub(super) fn on_mined(&mut self, header: Header) -> Result<(), StorageError> {
        if let Some(block) = self.templates.finish(header) {
            self.take_block(block, Origin { source: Source::Own, message: None });
        }
        Ok(())
    }
}
