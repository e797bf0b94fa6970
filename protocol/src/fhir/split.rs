//! Dividing a bundle into EHR, EMR and PHR by Table 1, so that nothing is lost and no reference is left dangling.

use std::collections::BTreeSet;

use super::{Bundle, Column, NotCarried, Topic, refs::Index, topic};

/// The parts of a bundle. Every resource is in `ehr` or `emr`, most are in both, as in the paper's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// What a healthcare center uploads: column EHR of Table 1 and what it refers to. None if no row takes anything.
    pub ehr: Option<Bundle>,
    /// What a doctor uploads: column EMR, what it refers to, and everything no row of the EHR takes.
    pub emr: Option<Bundle>,
    /// A selection for the patient: column PHR and what it refers to. Nothing is in it alone.
    pub phr: Option<Bundle>,
    /// What was no resource and stays behind, each with its reason.
    pub unmapped: Vec<NotCarried>,
}

/// Divides `bundle` by Table 1 (docs/spec/mapping.md).
///
/// A part holds the resources its column has a row for, then everything those refer to within the bundle, then the
/// Provenance of anything it holds; entries keep their order. A resource that neither EHR nor EMR takes goes to the EMR.
pub fn split(bundle: &Bundle) -> Parts {
    let topics: Vec<Topic> = bundle.entries().iter().map(|e| topic(&e.resource)).collect();
    let index = Index::new(bundle);
    let chosen = |column: Column| {
        let rows: BTreeSet<usize> = (0..topics.len()).filter(|&i| topics[i].row(column).is_some()).collect();
        with_provenance(bundle, &index, index.closure(rows))
    };
    let (ehr, phr) = (chosen(Column::Ehr), chosen(Column::Phr));
    let mut emr = chosen(Column::Emr);
    // Whatever neither takes goes to the EMR; it may refer to what only the EHR has taken so far, so close again.
    let rest: Vec<usize> = (0..topics.len()).filter(|i| !ehr.contains(i) && !emr.contains(i)).collect();
    emr.extend(rest);
    let emr = index.closure(emr);
    Parts {
        ehr: pick(bundle, &ehr),
        emr: pick(bundle, &emr),
        phr: pick(bundle, &phr),
        unmapped: bundle.not_carried().to_vec(),
    }
}

/// Adds each Provenance whose target is already in, and what it refers to.
fn with_provenance(bundle: &Bundle, index: &Index<'_>, part: BTreeSet<usize>) -> BTreeSet<usize> {
    let about = |i: usize| {
        let value = bundle.entries().get(i).map(|e| e.resource.value());
        let targets = value.and_then(|v| v.get("target")).and_then(|t| t.as_array()).into_iter().flatten();
        targets.filter_map(|t| super::str_at(t, "reference")).any(|r| index.resolve(r).iter().any(|t| part.contains(t)))
    };
    let provenance = bundle.entries().iter().enumerate().filter(|(_, e)| e.resource.resource_type() == "Provenance");
    let found: Vec<usize> = provenance.map(|(i, _)| i).filter(|&i| about(i)).collect();
    if found.is_empty() {
        return part;
    }
    index.closure(part.into_iter().chain(found).collect())
}

fn pick(bundle: &Bundle, part: &BTreeSet<usize>) -> Option<Bundle> {
    let entries: Vec<_> = part.iter().filter_map(|&i| bundle.entries().get(i).cloned()).collect();
    (!entries.is_empty()).then(|| Bundle::collection(entries))
}
