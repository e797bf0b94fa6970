//! The intake under retries, crashes at every byte, damage and full disks; a window under crashes at every step.

use super::entry::Entry;
use super::journal::path_in;
use super::state::{Stage, State};
use super::steps::{Seen, Step, step};
use super::*;
use medring_protocol::group::GroupUid;
use medring_protocol::identity::IdentitySecret;
use medring_protocol::record::{Content, Kind, Receiver, Record};
use medring_protocol::vitals::{Channel, Decimal};
use medring_protocol::{ChainId, Commitment, Gid, ParticipantId};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::path::Path;
use zeroize::Zeroizing;

const MINUTE: u64 = 60_000;
const GROUP: GroupUid = GroupUid([7; 32]);

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(5)
}

fn open_in(dir: &Path, limit: usize) -> Intake {
    let (key, chain) = (Zeroizing::new([3; 32]), ChainId([1; 32]));
    let participant = ParticipantId([2; 32]);
    Intake::open(Place { dir: dir.to_owned(), key, chain, participant, limit, window_minutes: 5 }, &mut rng())
}

/// Samples `from` … `to` of a stream: one a minute, every third of another channel.
fn batch(from: u64, to: u64) -> Batch {
    let sample = |seq: u64| {
        let channel = match seq % 3 {
            0 => Channel::loinc("spo2", "59408-5", "%"),
            _ => Channel::loinc("heart", "8867-4", "/min"),
        };
        let value = Decimal::new(i64::try_from(600 + seq).unwrap(), 1).unwrap();
        Incoming { time_ms: seq * MINUTE, channel, value }
    };
    let samples = (from..to).map(sample).collect();
    Batch { stream: "bed-3".into(), group: GROUP, window_minutes: None, first: from, samples, end: false }
}

fn next(intake: &Intake) -> u64 {
    intake.stream("bed-3").map_or(0, |stream| stream.next)
}

#[test]
fn a_retry_doubles_nothing_and_a_gap_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let intake = open_in(dir.path(), 1 << 20);
    let take = |batch: &Batch| intake.take(batch, 0, &mut rng());
    assert_eq!(take(&batch(0, 4)).unwrap(), Accepted { next: 4, accepted: 4, already: 0 });
    assert_eq!(take(&batch(0, 4)).unwrap(), Accepted { next: 4, accepted: 0, already: 4 });
    assert_eq!(take(&batch(2, 6)).unwrap(), Accepted { next: 6, accepted: 2, already: 2 });
    assert!(matches!(take(&batch(7, 8)), Err(IntakeError::Gap { next: 6, first: 7 })));
    let mut other = batch(5, 7);
    other.samples[0].value = Decimal::new(1, 0).unwrap();
    assert!(matches!(take(&other), Err(IntakeError::Other(5))), "another sample under a number that is taken");
    assert_eq!(next(&intake), 6, "a refused batch leaves nothing behind");
    assert!(matches!(take(&Batch { group: GroupUid([8; 32]), ..batch(6, 7) }), Err(IntakeError::Differs(_))));
    assert!(matches!(take(&Batch { window_minutes: Some(9), ..batch(6, 7) }), Err(IntakeError::Differs(_))));
    assert!(matches!(take(&Batch { stream: "a/b".into(), ..batch(0, 1) }), Err(IntakeError::Input(_))));
}

#[test]
fn what_waits_is_bounded_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let intake = open_in(dir.path(), 10 * super::state::SAMPLE_BYTES);
    intake.take(&batch(0, 8), 0, &mut rng()).unwrap();
    assert!(matches!(intake.take(&batch(8, 12), 0, &mut rng()), Err(IntakeError::Full { .. })));
    assert_eq!(next(&intake), 8);
    assert_eq!(intake.take(&batch(6, 10), 0, &mut rng()).unwrap().accepted, 2, "what is here already takes no room");
    let dir = tempfile::tempdir().unwrap();
    let small = open_in(dir.path(), 1);
    assert!(matches!(small.take(&batch(0, 1), 0, &mut rng()), Err(IntakeError::Full { .. })));
    assert!(small.streams().is_empty(), "no stream is opened for what does not fit");
}

/// Every acknowledged batch is there after a crash at any byte of the last write, and no half of one is.
#[test]
fn a_crash_at_any_byte_of_a_write_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let file = path_in(dir.path());
    let intake = open_in(dir.path(), 1 << 20);
    intake.take(&batch(0, 5), 0, &mut rng()).unwrap();
    let before = std::fs::read(&file).unwrap();
    intake.take(&batch(5, 9), 0, &mut rng()).unwrap();
    let after = std::fs::read(&file).unwrap();
    drop(intake);
    assert!(after.starts_with(&before), "the journal is only appended to");
    assert!(!after.windows(7).any(|bytes| bytes == b"8867-4\0" || bytes == b"59408-5"), "it is encrypted");
    for len in before.len()..=after.len() {
        std::fs::write(&file, &after[..len]).unwrap();
        let again = open_in(dir.path(), 1 << 20);
        assert_eq!(again.problem(), None, "after {len} bytes");
        assert_eq!(next(&again), if len == after.len() { 9 } else { 5 }, "after {len} bytes");
        // And it goes on: the device sends what was not acknowledged.
        let from = next(&again);
        assert_eq!(again.take(&batch(from, 12), 0, &mut rng()).unwrap().next, 12);
    }
}

/// A bit that turned in what was acknowledged is told, not passed over. Only the very last entry looks like one that was torn.
#[test]
fn damage_before_the_end_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = path_in(dir.path());
    let intake = open_in(dir.path(), 1 << 20);
    intake.take(&batch(0, 3), 0, &mut rng()).unwrap();
    let last = std::fs::metadata(&file).unwrap().len();
    intake.take(&batch(3, 5), 0, &mut rng()).unwrap();
    drop(intake);
    let whole = std::fs::read(&file).unwrap();
    for at in 0..usize::try_from(last).unwrap() {
        let mut spoiled = whole.clone();
        spoiled[at] ^= 1;
        std::fs::write(&file, &spoiled).unwrap();
        let again = open_in(dir.path(), 1 << 20);
        assert!(again.problem().is_some_and(|p| p.contains("damaged")), "byte {at}: {:?}", again.problem());
        assert!(matches!(again.take(&batch(0, 1), 0, &mut rng()), Err(IntakeError::Disk(_))));
        assert_eq!(std::fs::read(&file).unwrap(), spoiled, "a damaged journal is left as it is");
    }
}

#[test]
fn a_disk_that_fails_acknowledges_nothing_and_a_mended_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let intake = open_in(dir.path(), 1 << 20);
    intake.take(&batch(0, 2), 0, &mut rng()).unwrap();
    // The next write begins the file anew; a folder in its temporary's place makes that fail, whoever runs the test.
    intake.wear_out();
    let blocker = dir.path().join(".journal.tmp");
    std::fs::create_dir(&blocker).unwrap();
    for _ in 0..2 {
        let refused = intake.take(&batch(2, 5), 0, &mut rng());
        assert!(matches!(refused, Err(IntakeError::Disk(_))), "{refused:?}");
        assert_eq!(next(&intake), 2);
    }
    std::fs::remove_dir(&blocker).unwrap();
    assert_eq!(intake.take(&batch(2, 5), 0, &mut rng()).unwrap().accepted, 3);
    drop(intake);
    assert_eq!(next(&open_in(dir.path(), 1 << 20)), 5);
}

#[test]
fn windows_lie_on_multiples_of_their_length_and_end_with_silence() {
    let dir = tempfile::tempdir().unwrap();
    let intake = open_in(dir.path(), 1 << 20);
    let cut = |now| intake.look(|state| state.streams[&0].next_cut(now, false));
    intake.take(&batch(3, 3), 0, &mut rng()).unwrap_err();
    let shifted = |from: u64, to: u64| {
        let mut batch = batch(from, to);
        batch.samples.iter_mut().for_each(|s| s.time_ms += 3 * MINUTE);
        batch
    };
    intake.take(&shifted(0, 2), 1000, &mut rng()).unwrap();
    assert_eq!(cut(1000), None, "minutes 3 and 4 are in a window that is not over");
    intake.take(&shifted(2, 4), 1000, &mut rng()).unwrap();
    assert_eq!(cut(1000), Some(2), "minute 5 begins the next");
    intake.note(Entry::Cut { of: 0, to: 2 }, &mut rng()).unwrap();
    assert_eq!(cut(1000), None);
    assert_eq!(cut(1000 + 5 * MINUTE), Some(4), "nothing came for five minutes");
    intake.take(&Batch { end: true, ..shifted(4, 5) }, 1000, &mut rng()).unwrap();
    assert_eq!(intake.stream("bed-3").unwrap().waiting, 5);
    assert_eq!(intake.look(|state| state.streams[&0].cut), 5, "the end cuts what waits");
}

/// A record that says what window it is of and how often that was sealed.
fn sealed(gid: Gid, try_number: u8) -> Record {
    let me = IdentitySecret::generate(&mut ChaCha20Rng::seed_from_u64(9));
    let content = Content {
        kind: Kind::Phr,
        uploader: me.public().id(),
        receiver: Receiver::Group(gid),
        commitment: Commitment::ZERO,
        public: Vec::new(),
        sealed: vec![try_number; 8],
    };
    Record::sign(&ChainId([1; 32]), content, 0, 1000, &me)
}

/// A world with a pool and a chain, in which the process dies at any instruction between two steps of a window.
#[test]
fn whenever_the_process_dies_a_window_reaches_the_chain_once() {
    let records: Vec<Record> = (0..12).map(|n| sealed(Gid([n % 2; 32]), n)).collect();
    for seed in 0..3000 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (mut disk, mut made) = (Stage::Cut, 0_usize);
        let (mut pool, mut chain): (Vec<Record>, Vec<(Record, u64)>) = (Vec::new(), Vec::new());
        let mut epoch = 0_u8;
        let mut tip_height = 1;
        for _ in 0..200 {
            if rng.random_range(0..4) == 0 {
                tip_height += 1;
                chain.extend(pool.drain(..).map(|record| (record, tip_height)));
            }
            // At most as often as there are records.
            if made < 8 && rng.random_range(0..12) == 0 {
                epoch = 1 - epoch;
            }
            let of = |record: &Record| record.content.sealed[0];
            let current = match &disk {
                Stage::Sealed(r, _) | Stage::Submitted(r, _) => Some(of(r)),
                _ => None,
            };
            let on_chain =
                chain.iter().find(|(r, _)| Some(of(r)) == current).map(|(_, height)| tip_height + 1 - height);
            let seen = Seen {
                sealing: (rng.random_range(0..5) > 0).then_some(Gid([epoch; 32])),
                depth: on_chain,
                waits: pool.iter().any(|r| Some(of(r)) == current),
                tip_height,
                settled_at: 3,
            };
            // Dies before, or after it had an effect and before it was noted.
            let dies = rng.random_range(0..3) == 0;
            match (step(&disk, &seen), disk.clone()) {
                (Step::Seal, _) if !dies => {
                    let n = made - made % 2 + usize::from(epoch);
                    let n = if n < made { n + 2 } else { n };
                    made = n + 1;
                    disk = Stage::Sealed(Box::new(records[n.min(11)].clone()), [0; 32]);
                }
                (Step::Submit, Stage::Sealed(record, r)) => {
                    pool.push((*record).clone());
                    if !dies {
                        disk = Stage::Submitted(record, r);
                    }
                }
                (Step::NoteSubmitted, Stage::Sealed(record, r)) if !dies => disk = Stage::Submitted(record, r),
                (Step::Unseal, _) if !dies => disk = Stage::Cut,
                (Step::Settle, _) if !dies => disk = Stage::Settled,
                _ => {}
            }
        }
        for _ in 0..20 {
            tip_height += 1;
            chain.extend(pool.drain(..).map(|record| (record, tip_height)));
        }
        assert!(chain.len() <= 1, "seed {seed}: sealed {} times", chain.len());
        assert!(chain.len() == 1 || !matches!(disk, Stage::Settled | Stage::Submitted(..)), "seed {seed}: lost");
    }
}

#[test]
fn what_left_the_chain_goes_back_as_the_same_record_until_it_expires() {
    let gid = Gid([0; 32]);
    let stage = Stage::Submitted(Box::new(sealed(gid, 0)), [0; 32]);
    let seen = Seen { sealing: Some(gid), tip_height: 10, settled_at: 3, ..Seen::default() };
    assert_eq!(step(&stage, &seen), Step::Submit);
    assert_eq!(step(&stage, &Seen { waits: true, ..seen }), Step::Wait);
    assert_eq!(step(&stage, &Seen { depth: Some(2), ..seen }), Step::Wait);
    assert_eq!(step(&stage, &Seen { depth: Some(3), ..seen }), Step::Settle);
    assert_eq!(step(&stage, &Seen { tip_height: 1000, ..seen }), Step::Unseal);
    let sealed = Stage::Sealed(Box::new(sealed(gid, 0)), [0; 32]);
    assert_eq!(step(&sealed, &Seen { sealing: None, ..seen }), Step::Wait, "a removal is under way");
    assert_eq!(step(&sealed, &Seen { sealing: Some(Gid([1; 32])), ..seen }), Step::Unseal, "it is over");
}

/// What is written anew is what was there, whatever happened before.
#[test]
fn a_condensed_journal_leads_to_the_same_state() {
    let mut state = State::default();
    let dir = tempfile::tempdir().unwrap();
    let intake = open_in(dir.path(), 1 << 20);
    intake.take(&batch(0, 30), 77, &mut rng()).unwrap();
    for (from, to) in [(0, 5), (5, 10), (10, 15), (15, 20)] {
        intake.note(Entry::Cut { of: 0, to }, &mut rng()).unwrap();
        let record = sealed(Gid([1; 32]), 1).encode().into();
        if from != 15 {
            intake.note(Entry::Sealed { of: 0, from, record, r: [4; 32] }, &mut rng()).unwrap();
        }
    }
    intake.note(Entry::Submitted { of: 0, from: 5 }, &mut rng()).unwrap();
    intake.note(Entry::Settled { of: 0, from: 10 }, &mut rng()).unwrap();
    let condensed = intake.look(State::condensed);
    condensed.iter().cloned().for_each(|entry| state.apply(entry).unwrap());
    assert!(state.condensed() == condensed);
    assert_eq!(state.streams[&0].settled(), 0, "a window before it is not settled");
    intake.note(Entry::Settled { of: 0, from: 0 }, &mut rng()).unwrap();
    intake.note(Entry::Settled { of: 0, from: 5 }, &mut rng()).unwrap();
    assert_eq!(intake.stream("bed-3").unwrap().settled, 15);
    drop(intake);
    let again = open_in(dir.path(), 1 << 20).stream("bed-3").unwrap();
    assert_eq!((again.settled, again.next, again.waiting, again.first_ms), (15, 30, 15, Some(0)));
}
