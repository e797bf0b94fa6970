//! The stages a block passes before it may touch a state; each stage is a type, so a later one cannot be had without the
//! earlier: [`Block`] → [`CheckedBlock`] (structure, by the rules) → [`VerifiedBlock`] (signatures).

use super::Block;
use crate::chain::rules::{BodyContext, RuleSet, ShapeContext};
use crate::error::{RuleId, Violation};
use crate::hash::{BlockId, ChainId, ParticipantId, RecordId, WireId};
use crate::identity::{Enrolment, PublicKeys};
use crate::params::Params;
use crate::record::{Kind, Record, SigCheck, verify_all};

/// A block whose header meets its own target and whose body is well formed: root, size, shapes. Its
/// signatures, and its place on a chain, are not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedBlock {
    block: Block,
    id: BlockId,
    record_ids: Vec<RecordId>,
    wire_ids: Vec<WireId>,
}

/// A signature still to be checked, and the rule that is broken if it is bad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingSignature {
    /// The work.
    pub check: SigCheck,
    /// R-SIG, R-ENVELOPE-SIG or R-ENROL-CONSENT.
    pub rule: RuleId,
    /// Position of the record in its block.
    pub record: usize,
}

impl PendingSignature {
    /// The violation, should it turn out bad.
    pub fn violation(&self) -> Violation {
        Violation::new(self.rule, format!("record {}: the signature does not verify", self.record))
    }
}

/// The signatures of one record: Sig, the envelope's, and the consent of every subject of an enrolment.
pub fn record_signatures(
    rules: &RuleSet,
    chain: &ChainId,
    record: &Record,
    keys: &PublicKeys,
    place: usize,
) -> Vec<PendingSignature> {
    signatures_of(rules, chain, record, &record.id(chain), keys, place)
}

fn signatures_of(
    rules: &RuleSet,
    chain: &ChainId,
    record: &Record,
    id: &RecordId,
    keys: &PublicKeys,
    place: usize,
) -> Vec<PendingSignature> {
    let mut out = Vec::new();
    let mut push = |rule, check| {
        if rules.enforces(rule) {
            out.push(PendingSignature { check, rule, record: place });
        }
    };
    if let Some([content, envelope]) = record.signature_checks_of(id, keys) {
        push("R-SIG", content);
        push("R-ENVELOPE-SIG", envelope);
    }
    if record.content.kind == Kind::Enrol {
        for entry in Enrolment::decode(&record.content.public).map(|e| e.entries).unwrap_or_default() {
            push("R-ENROL-CONSENT", entry.signature_check(chain));
        }
    }
    out
}

impl CheckedBlock {
    /// Checks everything that needs neither state nor signatures, cheapest first: proof of work, root, size, shapes.
    pub fn check(rules: &RuleSet, params: &Params, chain: &ChainId, block: Block) -> Result<Self, Violation> {
        let id = block.id();
        rules.check_pow(&block.header, &id)?;
        let record_ids: Vec<_> = block.records.iter().map(|r| r.id(chain)).collect();
        let wire_ids: Vec<_> = block.records.iter().zip(&record_ids).map(|(r, id)| r.wire_id_of(id)).collect();
        rules.check_body(&BodyContext { block: &block, wire_ids: &wire_ids })?;
        for (place, record) in block.records.iter().enumerate() {
            rules.check_shape(&ShapeContext { params, record }).map_err(|v| at_record(v, place))?;
        }
        Ok(Self { block, id, record_ids, wire_ids })
    }

    /// The block.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// Its id.
    pub fn id(&self) -> BlockId {
        self.id
    }

    /// Ids of its records, in order.
    pub fn record_ids(&self) -> &[RecordId] {
        &self.record_ids
    }

    /// Merkle leaves, in order.
    pub fn wire_ids(&self) -> &[WireId] {
        &self.wire_ids
    }

    /// All signatures to check. `keys` looks an uploader up among authorities and enrolments of this branch (ids commit to
    /// keys, so any branch's word is right); an uploader nobody enrolled breaks R-UPLOADER here already.
    pub fn signatures(
        &self,
        rules: &RuleSet,
        chain: &ChainId,
        mut keys: impl FnMut(&ParticipantId) -> Option<PublicKeys>,
    ) -> Result<Vec<PendingSignature>, Violation> {
        let mut out = Vec::new();
        for (place, (record, id)) in self.block.records.iter().zip(&self.record_ids).enumerate() {
            match keys(&record.content.uploader) {
                Some(keys) => out.extend(signatures_of(rules, chain, record, id, &keys, place)),
                None if !rules.enforces("R-UPLOADER") => {}
                None => {
                    let detail = format!("record {place}: {} is not enrolled", record.content.uploader);
                    return Err(Violation::new("R-UPLOADER", detail));
                }
            }
        }
        Ok(out)
    }

    /// The next stage, once every one of [`Self::signatures`] has been verified by the caller.
    pub fn assume_verified(self) -> VerifiedBlock {
        VerifiedBlock(self)
    }

    /// The next stage, with the signatures verified here and now.
    pub fn verify(
        self,
        rules: &RuleSet,
        chain: &ChainId,
        keys: impl FnMut(&ParticipantId) -> Option<PublicKeys>,
        rng: &mut impl rand::CryptoRng,
    ) -> Result<VerifiedBlock, Violation> {
        let pending = self.signatures(rules, chain, keys)?;
        let checks: Vec<_> = pending.iter().map(|p| p.check.clone()).collect();
        verify_all(&checks, rng).map_err(|bad| pending[bad].violation())?;
        Ok(VerifiedBlock(self))
    }
}

pub(crate) fn at_record(v: Violation, place: usize) -> Violation {
    Violation::new(v.rule, format!("record {place}: {}", v.detail))
}

/// A block whose signatures are good too. What is left is its place: [`crate::chain::apply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBlock(CheckedBlock);

impl std::ops::Deref for VerifiedBlock {
    type Target = CheckedBlock;
    fn deref(&self) -> &CheckedBlock {
        &self.0
    }
}
