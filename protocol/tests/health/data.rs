//! Where the samples are: committed ones always, the larger collection when it is there.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use medring_protocol::fhir::Bundle;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// testnet/samples, which every clone has.
pub(crate) fn samples() -> PathBuf {
    workspace().join("testnet/samples")
}

/// MEDRING_DATA, or ../shared/data beside the workspace; says loudly when there is none.
pub(crate) fn shared() -> Option<PathBuf> {
    let dir = env::var_os("MEDRING_DATA").map_or_else(|| workspace().join("../shared/data"), PathBuf::from);
    if dir.join("fhir").is_dir() {
        return Some(dir);
    }
    eprintln!("SKIPPED: no larger sample collection at {}; set MEDRING_DATA to test on it", dir.display());
    None
}

pub(crate) fn json_files(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|f| f.extension().is_some_and(|e| e == "json") && !f.ends_with("INDEX.json")).collect();
    files.sort();
    assert!(!files.is_empty(), "no bundle in {}", dir.display());
    files
}

/// Every bundle there is, with its path.
pub(crate) fn bundles() -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = json_files(&samples().join("fhir"));
    if let Some(shared) = shared() {
        for dir in ["synthea", "synthea_notes", "hl7_examples"] {
            files.extend(json_files(&shared.join("fhir").join(dir)));
        }
    }
    files.into_iter().map(|f| (f.clone(), fs::read(&f).unwrap())).collect()
}

pub(crate) fn parsed() -> Vec<(PathBuf, Bundle)> {
    let parse = |(path, bytes): (PathBuf, Vec<u8>)| {
        let bundle = Bundle::parse(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        (path, bundle)
    };
    bundles().into_iter().map(parse).collect()
}
