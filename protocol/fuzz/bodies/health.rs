//! What people's devices and documents hold: sealed contents, FHIR bundles, vital signs.

use super::one_encoding;
use medring_protocol::ParticipantId;
use medring_protocol::aggregate;
use medring_protocol::fhir::{self, Bundle};
use medring_protocol::seal::{AphrContent, SensitivePlain};
use medring_protocol::vitals::{Layout, Recording, Window};
use std::collections::BTreeSet;

pub(super) fn aphr(data: &[u8]) {
    let write = |content: &AphrContent| content.encode().expect("what was read fits").to_vec();
    if let Some(content) = one_encoding(data, AphrContent::decode, write) {
        let _ = aggregate::budget_of(&content.aggregate);
    }
}

/// What is read is packed again, perhaps shorter: compression has many forms; and reads the same.
pub(super) fn sealed_plain(data: &[u8]) {
    let Ok(plain) = SensitivePlain::decode(data) else { return };
    let Ok(again) = plain.encode(1024) else { return };
    let again = SensitivePlain::decode(&again).expect("what was written is read");
    assert!(again.recipient == plain.recipient && again.bytes == plain.bytes);
}

/// A bundle is written as one that reads the same, and divided without losing a resource.
pub(super) fn fhir(data: &[u8]) {
    let Ok(bundle) = Bundle::parse(data) else { return };
    let again = Bundle::parse(&bundle.to_bytes()).expect("what was written is read");
    assert_eq!(again.to_bytes(), bundle.to_bytes());
    if let Ok(Some(window)) = Window::from_fhir(&bundle) {
        let written = window.to_fhir("Patient/1").expect("what was read can be written");
        assert!(Window::from_fhir(&written).expect("what was written is read") == Some(window));
    }
    let (before, parts) = (bundle.entries().len(), fhir::split(&bundle));
    for entry in bundle.entries() {
        let _ = fhir::topic(&entry.resource);
    }
    let parts = [&parts.ehr, &parts.emr].into_iter().flatten();
    let held: BTreeSet<&str> = parts.flat_map(Bundle::entries).map(|entry| entry.resource.text()).collect();
    assert!(bundle.entries().iter().all(|entry| held.contains(entry.resource.text())), "{before} entries went in");
}

/// A recording survives the way through FHIR.
pub(super) fn vitals(data: &[u8]) {
    let layouts = [Layout::default(), Layout::ppg(125).expect("a rate within bounds")];
    for layout in layouts {
        let Ok(recording) = Recording::from_csv(data, &layout, 1_700_000_000_000) else { continue };
        assert!(recording.rows() > 0 && recording.signals().len() <= layout.channels().len());
        let bundle = recording.to_fhir(&ParticipantId::ZERO.to_string());
        let again = Recording::from_fhir(&bundle).expect("what was written is read");
        assert_eq!(again.rows(), recording.rows());
    }
}
