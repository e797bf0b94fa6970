//! Alerts: what people count on, one by one, and against a plain model on random histories.

use super::alerts::*;
use medring_protocol::vitals::Decimal;
use proptest::prelude::*;
use std::collections::BTreeMap;

const MINUTE: u64 = 60_000;
const HEART: &str = "8867-4";
/// Noon of some day.
const NOON: u64 = 1_767_355_200_000;

fn value(n: i64) -> Decimal {
    Decimal::new(n, 0).unwrap()
}

/// 50 to 120 a minute, stale after ten minutes.
fn limits() -> Limits {
    Limits { unit: "/min".into(), low: Some(value(50)), high: Some(value(120)), stale_ms: 10 * MINUTE }
}

/// A board that watches the heart, and has seen 70 a minute ago.
fn board() -> Board {
    let mut board = Board::default();
    board.set_limits(HEART, Some(limits()), NOON).unwrap();
    assert!(board.observe(HEART, &[(NOON - MINUTE, value(70))], NOON).is_empty());
    board
}

fn see(board: &mut Board, at: u64, n: i64, now: u64) -> Vec<Change> {
    board.observe(HEART, &[(at, value(n))], now)
}

#[test]
fn high_and_low_are_raised_once_and_end() {
    let mut board = board();
    assert_eq!(see(&mut board, NOON, 130, NOON), [Change::Raised(0)]);
    assert_eq!(see(&mut board, NOON + MINUTE, 140, NOON + MINUTE), [], "it lasts");
    assert_eq!(see(&mut board, NOON + 2 * MINUTE, 40, NOON + 2 * MINUTE), [Change::Raised(1), Change::Ended(0)]);
    assert_eq!(
        see(&mut board, NOON + 3 * MINUTE, 50, NOON + 3 * MINUTE),
        [Change::Ended(1)],
        "the limit itself is normal"
    );
    assert!(board.open().is_empty());
    assert_eq!(board.past().map(|a| (a.id, a.kind)).collect::<Vec<_>>(), [(1, AlertKind::Low), (0, AlertKind::High)]);
    assert_eq!(board.past().last().unwrap().value, value(130));
}

#[test]
fn an_acknowledged_alert_is_not_raised_again_while_its_condition_lasts() {
    let mut board = board();
    see(&mut board, NOON, 130, NOON);
    board.acknowledge(0, NOON).unwrap();
    for minute in 1..60 {
        let now = NOON + minute * MINUTE;
        assert_eq!(see(&mut board, now, 125 + i64::try_from(minute).unwrap(), now), []);
        assert_eq!(board.tick(now), []);
    }
    let now = NOON + 60 * MINUTE;
    assert_eq!(see(&mut board, now, 80, now), [Change::Ended(0)]);
    assert_eq!(see(&mut board, now + 1, 130, now), [Change::Raised(1)], "it is another one");
    assert_eq!(board.acknowledge(0, now), Err(AlertError::Unknown(0)));
}

#[test]
fn highs_are_snoozed_without_lows_and_come_back_when_the_snooze_is_over() {
    let mut board = board();
    let until = NOON + 30 * MINUTE;
    board.snooze(HEART, AlertKind::High, until, NOON).unwrap();
    assert_eq!(see(&mut board, NOON, 130, NOON), [], "snoozed");
    assert!(board.open()[0].snoozed);
    assert_eq!(see(&mut board, NOON + 1, 40, NOON), [Change::Raised(1), Change::Ended(0)], "a low is not");
    assert_eq!(see(&mut board, NOON + 2, 130, NOON), [Change::Ended(1)]);
    for minute in 0..30 {
        let now = NOON + minute * MINUTE;
        assert_eq!(see(&mut board, now + 3, 130, now), []);
        assert_eq!(board.tick(now), []);
    }
    assert_eq!(board.tick(until), [Change::Raised(2)]);
    assert_eq!(board.tick(until), [], "once");
    // What was raised and is snoozed comes back, unless it was acknowledged.
    board.snooze(HEART, AlertKind::High, until + MINUTE, until).unwrap();
    assert_eq!(board.tick(until + MINUTE), [Change::Raised(2)]);
    board.acknowledge(2, until).unwrap();
    board.snooze(HEART, AlertKind::High, until + 2 * MINUTE, until).unwrap();
    assert_eq!(board.tick(until + 2 * MINUTE), []);
}

#[test]
fn history_raises_nothing_and_ends_nothing() {
    let mut board = board();
    let old: Vec<(u64, Decimal)> = (2..500).map(|m| (NOON - m * MINUTE, value(200))).collect();
    assert_eq!(board.observe(HEART, &old, NOON), [], "older than the latest");
    see(&mut board, NOON, 130, NOON);
    assert_eq!(see(&mut board, NOON - MINUTE / 2, 80, NOON), [], "an older normal value ends nothing");
    assert_eq!(board.open().len(), 1);
    // After a night without a word its values come: newer than all before, and stale.
    let mut board = self::board();
    let morning = NOON + 480 * MINUTE;
    assert_eq!(board.tick(morning), [Change::Raised(0)], "silent");
    let night: Vec<(u64, Decimal)> = (1..400).map(|m| (NOON + m * MINUTE, value(200))).collect();
    assert_eq!(board.observe(HEART, &night, morning), []);
    assert_eq!(board.open()[0].kind, AlertKind::Stale, "it is silent still");
    assert!(board.latest(morning)[0].stale);
    assert_eq!(see(&mut board, morning, 200, morning), [Change::Ended(0), Change::Raised(1)]);
}

#[test]
fn a_channel_that_falls_silent_is_told_once_and_one_that_never_lived_is_not() {
    let mut board = board();
    assert_eq!(board.tick(NOON + 9 * MINUTE), [], "ten minutes are not over");
    assert_eq!(board.tick(NOON + 10 * MINUTE), [Change::Raised(0)]);
    assert_eq!(board.tick(NOON + 11 * MINUTE), []);
    assert!(board.latest(NOON + 11 * MINUTE)[0].stale && !board.latest(NOON)[0].stale);
    assert_eq!(see(&mut board, NOON + 11 * MINUTE, 70, NOON + 11 * MINUTE), [Change::Ended(0)]);
    let mut never = Board::default();
    never.set_limits(HEART, Some(limits()), NOON).unwrap();
    assert_eq!(never.observe(HEART, &[(NOON - 60 * MINUTE, value(200))], NOON), [], "a recording of old");
    assert_eq!(never.tick(NOON + 60 * MINUTE), []);
}

#[test]
fn of_what_was_there_before_the_limits_only_the_latest_is_judged() {
    let mut board = Board::default();
    board.set_limits(HEART, Some(limits()), NOON).unwrap();
    let before = [(NOON - 3 * MINUTE, value(130)), (NOON - 2 * MINUTE, value(30)), (NOON - MINUTE, value(80))];
    assert_eq!(board.observe(HEART, &before, NOON), []);
    let mut stricter = board.clone();
    let narrow = Limits { high: Some(value(75)), ..limits() };
    assert_eq!(stricter.set_limits(HEART, Some(narrow.clone()), NOON).unwrap(), [Change::Raised(0)]);
    assert_eq!(stricter.set_limits(HEART, Some(narrow), NOON).unwrap(), []);
    assert_eq!(stricter.set_limits(HEART, Some(limits()), NOON).unwrap(), [Change::Ended(0)]);
    assert_eq!(board.set_limits(HEART, None, NOON).unwrap(), []);
    assert_eq!(see(&mut board, NOON, 200, NOON), [], "nobody watches");
}

#[test]
fn what_is_stamped_far_ahead_is_not_judged_and_hides_nothing() {
    let mut board = board();
    assert_eq!(see(&mut board, NOON + AHEAD_MS + 1, 200, NOON), []);
    assert_eq!(see(&mut board, NOON + 1, 200, NOON), [Change::Raised(0)]);
}

#[test]
fn limits_that_cannot_be_are_refused() {
    let mut board = Board::default();
    let mut refused = |limits| assert!(matches!(board.set_limits(HEART, Some(limits), 0), Err(AlertError::Refused(_))));
    refused(Limits { low: Some(value(120)), ..limits() });
    refused(Limits { stale_ms: 59_999, ..limits() });
    refused(Limits { unit: String::new(), ..limits() });
    for n in 0..CHANNELS_MAX {
        board.set_limits(&format!("c{n}"), Some(limits()), 0).unwrap();
    }
    assert!(board.set_limits("one more", Some(limits()), 0).is_err());
    assert!(board.snooze("c0", AlertKind::Low, SNOOZE_MS_MAX + 1, 0).is_err());
    assert!(matches!(board.snooze("x", AlertKind::Low, 1, 0), Err(AlertError::NoLimits(_))));
}

/// What may happen.
#[derive(Clone, Debug)]
enum Happening {
    /// A value, so many minutes old (below 0: ahead).
    Value(i64, i64),
    Minutes(u64),
    Acknowledge,
    Snooze(AlertKind, u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let kind = prop_oneof![Just(AlertKind::Low), Just(AlertKind::High), Just(AlertKind::Stale)];
    prop_oneof![
        6 => (-8..30_i64, prop_oneof![Just(40_i64), Just(80), Just(130)]).prop_map(|(age, n)| Happening::Value(age, n)),
        3 => (0..15_u64).prop_map(Happening::Minutes),
        1 => Just(Happening::Acknowledge),
        1 => (kind, 0..20_u64).prop_map(|(kind, m)| Happening::Snooze(kind, m)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn on_any_history_the_board_keeps_its_promises(happenings in prop::collection::vec(happening(), 1..60)) {
        let (mut board, mut now) = (board(), NOON);
        let mut newest = NOON - MINUTE;
        // By alert: whether it was acknowledged; it may be raised again only if a snooze came between.
        let mut acknowledged: BTreeMap<u64, bool> = BTreeMap::new();
        let mut raised: BTreeMap<u64, u64> = BTreeMap::new();
        let mut snoozes = 0;
        let mut until: BTreeMap<AlertKind, u64> = BTreeMap::new();
        for happening in happenings {
            let mut changes = match happening {
                Happening::Value(age, n) => {
                    let at = now.checked_add_signed(-age * i64::try_from(MINUTE).unwrap()).unwrap();
                    let changes = see(&mut board, at, n, now);
                    let counts = at > newest && at <= now + AHEAD_MS;
                    prop_assert!(counts || changes.is_empty(), "history or the future changed something");
                    let fresh = now.saturating_sub(at) <= 10 * MINUTE;
                    let any_raised = changes.iter().any(|c| matches!(c, Change::Raised(_)));
                    prop_assert!(fresh || !any_raised, "a stale value raised something");
                    if counts {
                        newest = at;
                        let kind = match n { 40 => Some(AlertKind::Low), 130 => Some(AlertKind::High), _ => None };
                        for other in [AlertKind::Low, AlertKind::High] {
                            let open = board.open().iter().any(|a| a.kind == other);
                            prop_assert!(!open || kind == Some(other), "it is over and still open");
                            prop_assert!(open || kind != Some(other) || !fresh, "it is so and not open");
                        }
                    }
                    changes
                }
                Happening::Minutes(minutes) => {
                    now += minutes * MINUTE;
                    board.tick(now)
                }
                Happening::Acknowledge => {
                    if let Some(id) = board.open().first().map(|a| a.id) {
                        board.acknowledge(id, now).unwrap();
                        acknowledged.insert(id, true);
                    }
                    Vec::new()
                }
                Happening::Snooze(kind, minutes) => {
                    snoozes += 1;
                    until.insert(kind, now + minutes * MINUTE);
                    board.snooze(HEART, kind, now + minutes * MINUTE, now).unwrap();
                    Vec::new()
                }
            };
            changes.retain(|c| matches!(c, Change::Raised(_)));
            for change in changes {
                let Change::Raised(id) = change else { continue };
                prop_assert!(!acknowledged.contains_key(&id), "raised though acknowledged");
                let times = raised.entry(id).or_default();
                *times += 1;
                prop_assert!(*times <= 1 + snoozes, "raised more often than snoozes can explain");
                let kind = board.open().iter().chain(board.past()).find(|a| a.id == id).map(|a| a.kind);
                let snoozed = kind.and_then(|kind| until.get(&kind)).is_some_and(|until| now < *until);
                prop_assert!(!snoozed, "raised though snoozed");
            }
            for kind in [AlertKind::Low, AlertKind::High, AlertKind::Stale] {
                prop_assert!(board.open().iter().filter(|a| a.kind == kind).count() <= 1, "two of one kind");
            }
            let again = board.clone().tick(now);
            let settled = { let mut b = board.clone(); b.tick(now); b.tick(now) };
            prop_assert!(settled.is_empty(), "a second look at one moment finds something new: {:?}", again);
            // Stored and read again it is the same.
            let bytes = medring_protocol::codec::encode(&board);
            prop_assert_eq!(&medring_protocol::codec::decode::<Board>(&bytes, 1 << 20).unwrap(), &board);
        }
    }
}
