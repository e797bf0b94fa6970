//! What an APHR is made from: the newest settled EHR, EMR and PHR of the owner's wallet, each verified.

use super::source::{self, SourceReport, Verdict};
use crate::wallet::{Wallet, WalletRecord, confirmations};
use medring_protocol::ParticipantId;
use medring_protocol::aggregate::{SOURCES_BYTES_MAX, Source};
use medring_protocol::chain::Location;
use medring_protocol::fhir::Bundle;
use medring_protocol::record::Kind;
use medring_protocol::seal::AphrSource;
use medring_storage::{ChainStore, Engine, StorageError};

/// Newest records of each kind that become sources: a bundle of many parts, or a day of live PHR.
pub const SOURCES_OF_A_KIND_MAX: usize = 32;

/// One source with what it holds.
pub struct Gathered {
    /// What the group will be told of it.
    pub source: AphrSource,
    /// EHR, EMR or PHR.
    pub kind: Kind,
    /// Who signed it.
    pub uploader: ParticipantId,
    /// What it holds.
    pub bundle: Bundle,
    at: Location,
}

impl std::fmt::Debug for Gathered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gathered")
            .field("record", &self.source.record)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Gathered {
    /// As the aggregate takes it.
    pub fn as_source(&self) -> Source<'_> {
        Source { record: self.source.record, kind: self.kind, uploader: self.uploader, bundle: &self.bundle }
    }
}

/// A record that would have been a source and did not verify.
pub type Skipped = SourceReport;

/// The newest of each kind at a depth of at least `depth` blocks, at most [`SOURCES_OF_A_KIND_MAX`] of each and not more than
/// an aggregate takes, by height, then position. Sig_H, Sig_D and Sig_P, the role at that height and the recipient inside
/// are verified as every member will; what fails is left out and told.
pub fn gather<E: Engine>(
    wallet: &Wallet,
    store: &ChainStore<E>,
    patient_ids: &[ParticipantId],
    depth: u64,
) -> Result<(Vec<Gathered>, Vec<Skipped>), StorageError> {
    let (_, tip) = store.tip()?;
    let settled = |r: &WalletRecord| r.place.is_some_and(|place| confirmations(place.height, tip) >= depth.max(1));
    // Newest first.
    let mut candidates: Vec<WalletRecord> = wallet.records().into_iter().filter(settled).collect();
    candidates.reverse();
    let (mut gathered, mut skipped, mut bytes) = (Vec::<Gathered>::new(), Vec::new(), 0);
    for kind in [Kind::Ehr, Kind::Emr, Kind::Phr] {
        let mut left = SOURCES_OF_A_KIND_MAX;
        for noted in candidates.iter().filter(|r| r.kind == kind) {
            if left == 0 {
                break;
            }
            let Some(named) = named(store, noted)? else { continue };
            let checked = source::check(store, patient_ids, &named)?;
            let (Verdict::Verified, Some(at), Some(bundle)) = (checked.report.verdict, checked.at, checked.bundle)
            else {
                skipped.push(checked.report);
                continue;
            };
            bytes += bundle.to_bytes().len();
            // Leave room for the other kinds: none may take more than a third of what an aggregate takes.
            if bytes > SOURCES_BYTES_MAX / 3 {
                break;
            }
            left -= 1;
            gathered.push(Gathered { source: named, kind, uploader: noted.uploader, bundle, at });
        }
        bytes = 0;
    }
    gathered.sort_by_key(|g| (g.at.height, g.at.index));
    Ok((gathered, skipped))
}

/// What opens a record and who signed it; `None` if it did not open, or has just left the chain.
pub(super) fn named<E: Engine>(
    store: &ChainStore<E>,
    noted: &WalletRecord,
) -> Result<Option<AphrSource>, StorageError> {
    let Some(r) = noted.secret() else { return Ok(None) };
    let found = source::on_chain(store, &noted.record_id)?;
    Ok(found.map(|(record, ..)| AphrSource { record: noted.record_id, r: r.clone(), signature: record.signature }))
}
