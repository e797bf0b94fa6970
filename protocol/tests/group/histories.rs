//! Random histories (see `testkit::group::history`): a few here, many with MEDRING_SOAK=1 in tests/soak.rs.

use medring_protocol::testkit::group::{history, knowledge};

#[test]
fn random_histories_end_in_one_epoch_and_give_nobody_more_than_its_due() {
    for seed in seeds(0..12) {
        let (world, _) = history::play(seed, 30);
        knowledge::check(&world);
    }
}

/// MEDRING_SEED=n plays that one alone.
fn seeds(usual: std::ops::Range<u64>) -> Vec<u64> {
    match std::env::var("MEDRING_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => vec![seed],
        None => usual.collect(),
    }
}
