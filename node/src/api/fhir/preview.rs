//! A dry run: what of a bundle would be public, what sealed, and what neither.

use super::super::types::{BundleKind, BundlePreview, LeftOut, PublicField, RecordPreview, SealedField};
use crate::wallet::Draft;
use medring_protocol::ParticipantId;
use medring_protocol::deid::Policy;
use medring_protocol::fhir::Bundle;
use serde_json::Value;
use std::collections::BTreeMap;

/// Elements listed; a resource with arbitrary members could have any number.
const ELEMENTS_MAX: usize = 5_000;

/// Of these drafts, made from `bundle`.
pub(super) fn of(
    kind: BundleKind,
    bundle: &Bundle,
    policy: &Policy,
    recipient: ParticipantId,
    drafts: &[Draft],
) -> BundlePreview {
    let (mut records, mut public) = (Vec::new(), Vec::new());
    let (mut elements, mut types) = (BTreeMap::new(), BTreeMap::new());
    for (number, draft) in drafts.iter().enumerate() {
        let m: Value = serde_json::from_slice(&draft.public).unwrap_or_default();
        for (field, value) in m.as_object().into_iter().flatten() {
            public.push(PublicField { record: number, field: field.clone(), value: value.clone() });
        }
        // Our own writing: it parses.
        let sealed: Value = serde_json::from_slice(&draft.sensitive.bytes).unwrap_or_default();
        let entries = sealed["entry"].as_array().map_or(&[][..], Vec::as_slice);
        for entry in entries {
            let resource = &entry["resource"];
            let name = resource["resourceType"].as_str().unwrap_or("?");
            *types.entry(name.to_owned()).or_insert(0) += 1;
            count(resource, name, &mut elements);
        }
        records.push(RecordPreview { resources: entries.len(), bytes: draft.sensitive.bytes.len(), public: m });
    }
    let sealed_more = elements.len().saturating_sub(ELEMENTS_MAX);
    let sealed = elements.into_iter().take(ELEMENTS_MAX).map(|(element, values)| SealedField { element, values });
    BundlePreview {
        kind,
        policy: policy.to_string(),
        recipient,
        records,
        public,
        sealed: sealed.collect(),
        sealed_more,
        left_out: left_out(bundle, &types),
        warning: drafts.iter().find_map(|draft| draft.warning).map(Into::into),
    }
}

/// Counts the values below an element; places in lists are not told apart.
fn count(value: &Value, element: &str, elements: &mut BTreeMap<String, usize>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            count(value, &format!("{element}.{name}"), elements);
        }),
        Value::Array(items) => items.iter().for_each(|item| count(item, element, elements)),
        _ => *elements.entry(element.to_owned()).or_insert(0) += 1,
    }
}

fn left_out(bundle: &Bundle, sealed: &BTreeMap<String, usize>) -> Vec<LeftOut> {
    let mut given: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in bundle.entries() {
        *given.entry(entry.resource.resource_type()).or_insert(0) += 1;
    }
    let rest = given.into_iter().filter_map(|(name, count)| {
        let count = count.saturating_sub(sealed.get(name).copied().unwrap_or(0));
        let why = "Table 1 gives it to another kind of record";
        (count > 0).then(|| LeftOut { what: name.into(), count, why: why.into() })
    });
    let no_resources = bundle.not_carried().iter();
    rest.chain(no_resources.map(|one| LeftOut { what: one.at.clone(), count: 1, why: one.why.into() })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use medring_protocol::params::Purpose;
    use medring_protocol::record::Kind;
    use medring_protocol::testkit::Kit;

    /// A committed patient.
    fn bundle() -> Bundle {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/samples/fhir/hypertension-7-0000.json");
        Bundle::parse(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn every_value_of_the_sealed_part_is_counted_and_nothing_of_it_is_shown() {
        let kit = Kit::with_params(1, |params| params.purpose = Purpose::Demo);
        let policy = Policy::Coarse([medring_protocol::deid::Field::AgeBand].into());
        let (bundle, keys) = (bundle(), kit.patient.keys.clone());
        let drafts = Draft::from_bundle(Kind::Ehr, &bundle, &policy, &kit.params, &keys).unwrap();
        let preview = of(BundleKind::Ehr, &bundle, &policy, keys.id(), &drafts);
        assert_eq!(preview.records.len(), drafts.len());
        let fields: Vec<_> = preview.public.iter().map(|one| one.field.as_str()).collect();
        assert!(fields.contains(&"age_band") && fields.contains(&"kind"), "{fields:?}");
        let counted: usize = preview.sealed.iter().map(|one| one.values).sum();
        fn values(value: &Value) -> usize {
            match value {
                Value::Object(members) => members.values().map(values).sum(),
                Value::Array(items) => items.iter().map(values).sum(),
                _ => 1,
            }
        }
        let sealed = drafts.iter().map(|draft| serde_json::from_slice::<Value>(&draft.sensitive.bytes).unwrap());
        let there: usize = sealed
            .map(|part| part["entry"].as_array().unwrap().iter().map(|entry| values(&entry["resource"])).sum::<usize>())
            .sum();
        assert_eq!((counted, preview.sealed_more), (there, 0));
        assert!(preview.sealed.iter().any(|one| one.element == "Patient.name.family"));
        // What travels and what stays are together what came.
        let taken: usize = preview.records.iter().map(|record| record.resources).sum();
        let left: usize = preview.left_out.iter().filter(|one| !one.what.contains('.')).map(|one| one.count).sum();
        assert_eq!(taken + left, bundle.entries().len());
        let text = serde_json::to_string(&preview).unwrap();
        for secret in medring_protocol::deid::identifying_strings(&bundle) {
            assert!(!text.contains(&secret), "{secret:?} is in the preview");
        }
    }
}
