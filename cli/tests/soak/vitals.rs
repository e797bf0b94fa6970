//! 32 hours of a real patient's vital signs at speed 600, with each node killed on the way.

use super::live::reaches_a_relative_across_kills;
use super::short_or_long;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The recording, in the folder that `MEDRING_DATA` names or in ../shared/data beside the workspace.
fn recording() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("MEDRING_DATA").map_or_else(beside, PathBuf::from);
    folder.join("vitals/icu_s00001_numerics_1min.csv")
}

#[test]
fn a_day_and_a_half_of_vital_signs_reaches_a_relative_across_a_kill_of_each_node() {
    // It takes over three minutes at this speed; the short one of the e2e tests is the same with four hours.
    if !short_or_long(false, true) {
        return;
    }
    let csv = recording();
    if !csv.is_file() {
        eprintln!("SKIPPED: no recording at {}; set MEDRING_DATA to test on it", csv.display());
        return;
    }
    reaches_a_relative_across_kills(&csv, "10", Duration::from_secs(1200));
}
