//! The quota window against its definition: bytes placed at the last 144 heights.

use medring_protocol::chain::Usage;
use medring_protocol::limits::QUOTA_WINDOW_HEIGHTS;
use proptest::prelude::*;

proptest! {
    #[test]
    fn the_window_holds_what_was_placed_in_the_last_heights(
        steps in prop::collection::vec((0..40u64, 1..1000u64), 0..200),
        later in 0..300u64,
    ) {
        let mut usage = Usage::default();
        let mut placed: Vec<(u64, u64)> = vec![];
        let mut height = 1;
        let sum = |placed: &[(u64, u64)], at: u64| -> u64 {
            placed.iter().filter(|(h, _)| *h + QUOTA_WINDOW_HEIGHTS > at).map(|(_, bytes)| bytes).sum()
        };
        for (step, bytes) in steps {
            height += step;
            prop_assert_eq!(usage.bytes_at(height), sum(&placed, height));
            usage = usage.after(height, bytes);
            placed.push((height, bytes));
            prop_assert_eq!(usage.bytes_at(height), sum(&placed, height));
            prop_assert!(usage.0.len() as u64 <= QUOTA_WINDOW_HEIGHTS);
            prop_assert!(usage.0.windows(2).all(|pair| pair[0].0 < pair[1].0), "ascending, each height once");
        }
        prop_assert_eq!(usage.bytes_at(height + later), sum(&placed, height + later));
    }
}

#[test]
fn what_was_placed_leaves_the_window_after_144_heights() {
    let usage = Usage::default().after(10, 5);
    assert_eq!(usage.bytes_at(10 + QUOTA_WINDOW_HEIGHTS - 1), 5);
    assert_eq!(usage.bytes_at(10 + QUOTA_WINDOW_HEIGHTS), 0);
}
