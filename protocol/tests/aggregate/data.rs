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

fn read(dir: &Path) -> Vec<(PathBuf, Bundle)> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|f| f.extension().is_some_and(|e| e == "json") && !f.ends_with("INDEX.json"))
        .collect();
    files.sort();
    let parse = |f: PathBuf| {
        let bundle = Bundle::parse(&fs::read(&f).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", f.display()));
        (f, bundle)
    };
    files.into_iter().map(parse).collect()
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
