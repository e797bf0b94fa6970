//! Live vital signs on real nodes.

use super::live::reaches_a_relative_across_kills;
use std::path::Path;
use std::time::Duration;

#[test]
fn four_hours_of_vital_signs_reach_a_relative_across_a_kill_of_each_node() {
    let csv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/samples/vitals/live_gaps_1min.csv");
    reaches_a_relative_across_kills(&csv, "5", Duration::from_secs(300));
}
