//! The patients whose records are aggregated: the committed ones always, the larger collection when it is there.

use crate::data::{json_files, samples, shared};
use medring_protocol::fhir::Bundle;
use std::fs;
use std::path::{Path, PathBuf};

fn read(dir: &Path) -> Vec<(PathBuf, Bundle)> {
    let parse = |file: PathBuf| {
        let bundle = Bundle::parse(&fs::read(&file).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        (file, bundle)
    };
    json_files(dir).into_iter().map(parse).collect()
}

/// The four committed patients.
pub(crate) fn committed() -> Vec<(PathBuf, Bundle)> {
    let all = read(&samples().join("fhir"));
    assert_eq!(all.len(), 4);
    all
}

/// Every patient there is: the committed ones and those of the larger collection.
pub(crate) fn patients() -> Vec<(PathBuf, Bundle)> {
    let mut all = committed();
    if let Some(shared) = shared() {
        all.extend(read(&shared.join("fhir/synthea")));
        all.extend(read(&shared.join("fhir/synthea_notes")));
    }
    all
}
