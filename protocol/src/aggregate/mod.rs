//! `aggregate/1`: what a patient's records say together, as one FHIR R4 document (docs/spec/aggregate.md).
//!
//! A pure function: the same sources in the same order give the same bytes on every machine, so that every member of the
//! group makes the aggregate again from the disclosed sources and compares. Nothing of it reads a clock, draws a random
//! number or depends on how a JSON object was ordered; numbers are written as RFC 8785 writes them.

mod conflicts;
mod document;
mod facts;
mod items;
mod merge;
mod shorten;
mod trend;
mod when;

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::fhir::{Bundle, Column};
use crate::hash::{ParticipantId, RecordId};
use crate::limits::APHR_SOURCES_MAX;
use crate::record::Kind;

/// Bytes of resources an aggregate may carry, largest first; the document names the one it was made with. The producer
/// takes the first whose aggregate fits a record once sealed, and every reader makes the aggregate with the same.
pub const BUDGETS_BYTES: [usize; 8] = [1 << 20, 1 << 19, 1 << 18, 1 << 17, 1 << 16, 1 << 15, 1 << 14, 1 << 13];
/// Bytes of all sources together, as FHIR JSON; bounds what a reader does for an aggregate from outside.
pub const SOURCES_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Resources of all sources together.
pub const RESOURCES_MAX: usize = 100_000;
/// Values of vital signs of all sources together.
pub const VALUES_MAX: usize = 2_000_000;
/// Conflicts that are written out; the document says how many more there are.
pub const CONFLICTS_MAX: usize = 64;
/// Vital signs that get a trend, by their codes' order.
pub const TRENDS_MAX: usize = 64;

/// One source record, opened.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Which record.
    pub record: RecordId,
    /// EHR, EMR or PHR: the column of Table 1 its resources stand in.
    pub kind: Kind,
    /// Who signed it.
    pub uploader: ParticipantId,
    /// What it holds.
    pub bundle: &'a Bundle,
}

/// Why sources give no aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AggregateError {
    /// None, or more than an APHR can name.
    #[error("{0} sources; an aggregate is made from 1 to {max}", max = APHR_SOURCES_MAX)]
    Sources(usize),
    /// One record is named twice.
    #[error("the record {0} is named twice among the sources; name each once")]
    Twice(RecordId),
    /// Only EHR, EMR and PHR have a column in Table 1.
    #[error("a source is of kind {0:?}; an aggregate is made from EHR, EMR and PHR")]
    Kind(Kind),
    /// More than [`SOURCES_BYTES_MAX`], [`RESOURCES_MAX`] or [`VALUES_MAX`].
    #[error("the sources hold more {what} than {limit}; aggregate fewer records")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Not one of [`BUDGETS_BYTES`].
    #[error("a budget of {0} bytes is none of those of the specification")]
    Budget(usize),
    /// A number or a string that RFC 8785 cannot write.
    #[error("a source holds a value that canonical JSON cannot express")]
    NotCanonical,
}

/// The aggregate of `sources` for `patient`, with the largest budget: canonical JSON (RFC 8785) of a FHIR R4 document.
///
/// The sources' order counts: by height, then by position in the block (docs/spec/aggregate.md).
pub fn aggregate(patient: &ParticipantId, sources: &[Source<'_>]) -> Result<Zeroizing<Vec<u8>>, AggregateError> {
    aggregate_within(patient, sources, BUDGETS_BYTES[0])
}

/// Like [`aggregate`], with one of [`BUDGETS_BYTES`]: what does not fit is left out by a fixed order, and counted.
pub fn aggregate_within(
    patient: &ParticipantId,
    sources: &[Source<'_>],
    budget_bytes: usize,
) -> Result<Zeroizing<Vec<u8>>, AggregateError> {
    check(sources, budget_bytes)?;
    let items = items::Items::new(sources);
    let merged = merge::merge(&items);
    let trends = trend::trends(&items, &merged)?;
    let conflicts = conflicts::conflicts(&items);
    document::Document::new(patient, &items, &merged, budget_bytes)?.write(&trends, &conflicts)
}

/// The budget that an aggregate names, to make it again with the same; None if it names none of [`BUDGETS_BYTES`].
pub fn budget_of(aggregate: &[u8]) -> Option<usize> {
    document::budget_of(aggregate).filter(|b| BUDGETS_BYTES.contains(b))
}

fn check(sources: &[Source<'_>], budget_bytes: usize) -> Result<(), AggregateError> {
    if sources.is_empty() || sources.len() > APHR_SOURCES_MAX {
        return Err(AggregateError::Sources(sources.len()));
    }
    if !BUDGETS_BYTES.contains(&budget_bytes) {
        return Err(AggregateError::Budget(budget_bytes));
    }
    let (mut seen, mut bytes, mut resources) = (BTreeSet::new(), 0, 0);
    for source in sources {
        if !seen.insert(source.record) {
            return Err(AggregateError::Twice(source.record));
        }
        column(source.kind).ok_or(AggregateError::Kind(source.kind))?;
        let entries = source.bundle.entries();
        resources += entries.len();
        bytes += entries.iter().map(|e| e.resource.text().len()).sum::<usize>();
    }
    if bytes > SOURCES_BYTES_MAX {
        return Err(AggregateError::TooLarge { what: "bytes", limit: SOURCES_BYTES_MAX });
    }
    if resources > RESOURCES_MAX {
        return Err(AggregateError::TooLarge { what: "resources", limit: RESOURCES_MAX });
    }
    Ok(())
}

/// The column of Table 1 for records of this kind.
fn column(kind: Kind) -> Option<Column> {
    match kind {
        Kind::Ehr => Some(Column::Ehr),
        Kind::Emr => Some(Column::Emr),
        Kind::Phr => Some(Column::Phr),
        _ => None,
    }
}

/// Canonical JSON, RFC 8785.
fn canonical(value: &serde_json::Value) -> Result<Vec<u8>, AggregateError> {
    serde_json_canonicalizer::to_vec(value).map_err(|_| AggregateError::NotCanonical)
}
