//! Applying a block to the state of its parent: a pure function from state and block to a diff.

use super::rules::{PlacementContext, RuleSet, Standing};
use super::state::{Change, Diff, Location, Participant, Revoked, StateRead, Usage};
use crate::block::VerifiedBlock;
use crate::error::Violation;
use crate::hash::{ChainId, ParticipantId, RecordId};
use crate::identity::{Enrolment, EnrolmentEntry, KeyHash, PublicKeys, Revocation};
use crate::params::Params;
use crate::record::{Kind, Record};
use std::collections::{BTreeMap, BTreeSet};

/// Why a block was not applied.
#[derive(Debug)]
pub enum ApplyError<E> {
    /// A record breaks a rule at this place: the block is invalid for good.
    Violation(Violation),
    /// The state could not be read: nothing is known about the block.
    State(E),
}

impl<E> From<Violation> for ApplyError<E> {
    fn from(v: Violation) -> Self {
        Self::Violation(v)
    }
}

/// Changes so far within one block, over the parent's state.
struct Draft<'a, S> {
    params: &'a Params,
    parent: &'a S,
    authorities: BTreeSet<ParticipantId>,
    authority_keys: BTreeSet<KeyHash>,
    participants: BTreeMap<ParticipantId, (Option<Participant>, Participant)>,
    keys: BTreeMap<KeyHash, ParticipantId>,
    locations: BTreeMap<RecordId, Location>,
    usage: BTreeMap<ParticipantId, (Usage, Usage)>,
}

impl<'a, S: StateRead> Draft<'a, S> {
    fn new(params: &'a Params, parent: &'a S) -> Self {
        let (participants, keys, locations, usage) = Default::default();
        let authorities = params.authorities.iter().map(PublicKeys::id).collect();
        let authority_keys = params.authorities.iter().flat_map(PublicKeys::key_hashes).collect();
        Self { params, parent, authorities, authority_keys, participants, keys, locations, usage }
    }

    /// The uploader as the parent's state has it: an enrolment in this very block does not count yet.
    fn standing_in_parent(&self, id: &ParticipantId) -> Result<Standing, S::Error> {
        if self.authorities.contains(id) {
            return Ok(Standing::Authority);
        }
        Ok(self.parent.participant(id)?.map_or(Standing::Unknown, |p| Standing::Enrolled(Box::new(p))))
    }

    /// Likewise, but revocations earlier in this block count.
    fn standing_now(&self, id: &ParticipantId) -> Result<Standing, S::Error> {
        match self.participants.get(id) {
            Some((Some(_), now)) => Ok(Standing::Enrolled(Box::new(now.clone()))),
            _ => self.standing_in_parent(id),
        }
    }

    /// Whether a key of these entries is an authority's, was enrolled before, or stands in two of them.
    fn key_taken(&self, entries: &[EnrolmentEntry]) -> Result<bool, S::Error> {
        let mut seen = BTreeSet::new();
        for key in entries.iter().flat_map(|entry| entry.keys.key_hashes()) {
            let known = self.authority_keys.contains(&key) || self.keys.contains_key(&key);
            if known || !seen.insert(key) || self.parent.key_owner(&key)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn context<'r>(
        &self,
        record: &'r Record,
        id: RecordId,
        height: u64,
        block_time_ms: u64,
    ) -> Result<PlacementContext<'r>, S::Error>
    where
        'a: 'r,
    {
        let content = &record.content;
        let usage = match self.usage.get(&content.uploader) {
            Some((_, now)) => now.clone(),
            None => self.parent.usage(&content.uploader)?,
        };
        let (mut key_taken, mut subject) = (false, Standing::Unknown);
        match content.kind {
            Kind::Enrol => {
                let payload = Enrolment::decode(&content.public);
                key_taken = self.key_taken(payload.map(|p| p.entries).as_deref().unwrap_or_default())?;
            }
            Kind::Revoke => {
                if let Ok(payload) = Revocation::decode(&content.public) {
                    subject = self.standing_now(&payload.subject)?;
                }
            }
            Kind::Ehr | Kind::Emr | Kind::Phr | Kind::Aphr | Kind::EpochCommit | Kind::AuthorityUpdate => {}
        }
        let placed = match self.locations.get(&id) {
            Some(at) => Some(*at),
            None => self.parent.location(&id)?,
        };
        let uploader = self.standing_in_parent(&content.uploader)?;
        let used_bytes = usage.bytes_at(height);
        Ok(PlacementContext {
            params: self.params,
            record,
            id,
            height,
            block_time_ms,
            uploader,
            placed,
            used_bytes,
            key_taken,
            subject,
        })
    }

    fn place(&mut self, record: &Record, id: RecordId, at: Location) -> Result<(), S::Error> {
        let content = &record.content;
        self.locations.insert(id, at);
        let before = match self.usage.get(&content.uploader) {
            Some((before, _)) => before.clone(),
            None => self.parent.usage(&content.uploader)?,
        };
        let now = self.usage.get(&content.uploader).map_or(&before, |(_, now)| now);
        let after = now.after(at.height, record.encoded_len() as u64);
        self.usage.insert(content.uploader, (before, after));
        match content.kind {
            Kind::Enrol => {
                for entry in Enrolment::decode(&content.public).map(|e| e.entries).unwrap_or_default() {
                    self.enrol(entry, at.height)?;
                }
            }
            Kind::Revoke => {
                if let Ok(payload) = Revocation::decode(&content.public) {
                    self.revoke(payload, at.height)?;
                }
            }
            Kind::Ehr | Kind::Emr | Kind::Phr | Kind::Aphr | Kind::EpochCommit | Kind::AuthorityUpdate => {}
        }
        Ok(())
    }

    fn enrol(&mut self, entry: EnrolmentEntry, height: u64) -> Result<(), S::Error> {
        let id = entry.keys.id();
        self.keys.extend(entry.keys.key_hashes().map(|key| (key, id)));
        let before = self.parent.participant(&id)?;
        let EnrolmentEntry { keys, role, valid_from, valid_until, subject_signature: _ } = entry;
        let now = Participant { keys, role, valid_from, valid_until, enrolled_at: height, revoked: None };
        self.participants.insert(id, (before, now));
        Ok(())
    }

    fn revoke(&mut self, payload: Revocation, height: u64) -> Result<(), S::Error> {
        let before = self.parent.participant(&payload.subject)?;
        let now = self.participants.get(&payload.subject).map(|(_, now)| now.clone()).or_else(|| before.clone());
        if let Some(mut now) = now {
            now.revoked = Some(Revoked { at: height, invalid_from: payload.invalid_from });
            self.participants.insert(payload.subject, (before, now));
        }
        Ok(())
    }

    fn finish(self) -> Result<Diff, S::Error> {
        let mut keys = Vec::with_capacity(self.keys.len());
        for (key, owner) in self.keys {
            keys.push(Change { key, before: self.parent.key_owner(&key)?, after: Some(owner) });
        }
        let mut locations = Vec::with_capacity(self.locations.len());
        for (key, at) in self.locations {
            locations.push(Change { key, before: self.parent.location(&key)?, after: Some(at) });
        }
        let some = |usage: Usage| (!usage.0.is_empty()).then_some(usage);
        Ok(Diff {
            participants: (self.participants.into_iter())
                .map(|(key, (before, after))| Change { key, before, after: Some(after) })
                .collect(),
            keys,
            locations,
            usage: (self.usage.into_iter())
                .map(|(key, (before, after))| Change { key, before: some(before), after: some(after) })
                .collect(),
        })
    }
}

/// What `block` changes in `parent`, the state of its parent, or the first rule it breaks. Reads only.
pub fn apply<S: StateRead>(
    rules: &RuleSet,
    params: &Params,
    parent: &S,
    block: &VerifiedBlock,
) -> Result<Diff, ApplyError<S::Error>> {
    let header = &block.block().header;
    let mut draft = Draft::new(params, parent);
    for (place, (record, id)) in block.block().records.iter().zip(block.record_ids()).enumerate() {
        let context = draft.context(record, *id, header.height, header.time_ms).map_err(ApplyError::State)?;
        rules.check_placement(&context).map_err(|v| crate::block::at_record(v, place))?;
        // A block holds at most 4,096 records.
        let at = Location { height: header.height, index: u32::try_from(place).unwrap_or(u32::MAX) };
        draft.place(record, *id, at).map_err(ApplyError::State)?;
    }
    draft.finish().map_err(ApplyError::State)
}

/// A block being put together, or the mempool's view of the next one: records are tried one after the other, and each
/// that breaks no rule is placed.
pub struct Candidate<'a, S> {
    draft: Draft<'a, S>,
    rules: &'a RuleSet,
    chain: ChainId,
    height: u64,
    block_time_ms: u64,
    count: u32,
}

impl<'a, S: StateRead> Candidate<'a, S> {
    /// An empty block at `height` on top of `parent`, stamped `block_time_ms`.
    pub fn new(rules: &'a RuleSet, params: &'a Params, parent: &'a S, height: u64, block_time_ms: u64) -> Self {
        Self { draft: Draft::new(params, parent), rules, chain: params.chain_id(), height, block_time_ms, count: 0 }
    }

    /// Places `record` if no placement rule forbids it. Its shape and signatures must have been checked.
    pub fn push(&mut self, record: &Record) -> Result<(), ApplyError<S::Error>> {
        let id = record.id(&self.chain);
        let context = self.draft.context(record, id, self.height, self.block_time_ms).map_err(ApplyError::State)?;
        self.rules.check_placement(&context)?;
        let at = Location { height: self.height, index: self.count };
        self.draft.place(record, id, at).map_err(ApplyError::State)?;
        self.count += 1;
        Ok(())
    }
}
