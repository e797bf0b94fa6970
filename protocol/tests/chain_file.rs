//! A chain in a file: what was written is verified, and what was changed afterwards never passes for it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

use medring_protocol::chain::file::{FileError, MAGIC, Part, Reader, Report, Writer, verify};
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::codec;
use medring_protocol::record::{Kind, Record};
use medring_protocol::testkit::{Kit, TestChain};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A chain of seven blocks with every kind of record, two of them really sealed.
fn chain(kit: &Kit) -> TestChain<'_> {
    let mut chain = TestChain::enrolled(kit, RuleSet::standard());
    let at = chain.next_height();
    chain.extend(vec![kit.sealed_record(Kind::Ehr, "{\"a\":1}", &kit.patient, 1, at)]).unwrap();
    chain.extend(vec![]).unwrap();
    let at = chain.next_height();
    chain
        .extend(vec![kit.record(Kind::Emr, 2, at), kit.record(Kind::Phr, 3, at), kit.record(Kind::Enrol, 4, at)])
        .unwrap();
    let at = chain.next_height();
    chain.extend(vec![kit.record(Kind::EpochCommit, 5, at), kit.record(Kind::Revoke, 6, at)]).unwrap();
    let at = chain.next_height();
    chain.extend(vec![kit.record(Kind::Aphr, 7, at)]).unwrap();
    chain.extend(vec![kit.sealed_record(Kind::Emr, "{}", &kit.patient, 8, at)]).unwrap();
    chain
}

fn export(chain: &TestChain<'_>) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &chain.kit.params).unwrap();
    for (block, _) in &chain.blocks {
        writer.block(block).unwrap();
    }
    writer.finish().unwrap()
}

fn check(file: &[u8]) -> Result<Report, FileError> {
    verify(file, &RuleSet::standard(), &mut rng(1), |_| {})
}

#[test]
fn what_was_written_is_verified_to_the_same_tip_and_state() {
    let kit = Kit::new(1);
    let chain = chain(&kit);
    let file = export(&chain);
    let mut seen = Vec::new();
    let report =
        verify(file.as_slice(), &RuleSet::standard(), &mut rng(1), |p| seen.push((p.height, p.records))).unwrap();
    assert_eq!(seen, [(1, 1), (2, 2), (3, 2), (4, 5), (5, 7), (6, 8), (7, 9)]);
    assert_eq!((report.chain, report.tip, report.height, report.records), (kit.chain, chain.tip().id(), 7, 9));
    assert_eq!(report.work, chain.tree.get(&report.tip).unwrap().work);
    assert_eq!((&report.state, report.state_hash), (&chain.state, chain.state.hash()));

    let mut reader = Reader::new(file.as_slice()).unwrap();
    let mut blocks = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        blocks.push(block);
    }
    assert!(blocks.iter().eq(chain.blocks.iter().map(|(block, _)| block)));
    assert!(reader.next_block().unwrap().is_none(), "and stays at its end");
}

#[test]
fn a_chain_of_genesis_alone_is_a_file_too() {
    let kit = Kit::new(1);
    let report = check(&export(&TestChain::new(&kit, RuleSet::standard()))).unwrap();
    assert_eq!((report.height, report.tip), (0, kit.params.genesis().id()));
}

/// (start, payload length) of each frame: parameters, blocks, and the trailer, whose frame is 4 + 40 + 8 bytes.
fn frames(file: &[u8]) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut at = MAGIC.len();
    while at < file.len() {
        let length = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        let payload = if length == 0 { 40 } else { length };
        out.push((at, payload));
        at += 4 + payload + 8;
    }
    out
}

/// Makes every checksum fit again.
fn fix_checksums(file: &mut [u8], frames: &[(usize, usize)]) {
    for (start, payload) in frames {
        let digest = Sha256::digest(&file[*start..start + 4 + payload]);
        file[start + 4 + payload..][..8].copy_from_slice(&digest[..8]);
    }
}

/// Makes the trailer name the last block there is.
fn fix_tip(file: &mut [u8], frames: &[(usize, usize)]) {
    let [.., (block, _), (trailer, _)] = frames else { unreachable!() };
    let id = Sha256::digest(&file[block + 4..][..112]);
    file[trailer + 4 + 8..][..32].copy_from_slice(&id);
}

/// The experiment of the issue: one bit flipped anywhere, all checksums fixed by whoever flipped it.
#[test]
fn thousands_of_flipped_bytes_are_each_found() {
    let kit = Kit::new(1);
    let file = export(&chain(&kit));
    let good = check(&file).unwrap();
    let frames = frames(&file);
    let (trailer, _) = *frames.last().unwrap();
    let mut rng = rng(2);
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    // Every byte of parameters, headers and trailer, and two thousand others.
    let headers = frames[1..frames.len() - 1].iter().flat_map(|(start, _)| *start..start + 4 + 112);
    let mut places: Vec<usize> = (0..frames[1].0).chain(headers).chain(trailer..file.len()).collect();
    places.extend((0..2000).map(|_| usize::try_from(rng.next_u32()).unwrap() % file.len()));
    for place in places {
        let mut flipped = file.clone();
        flipped[place] ^= 1 << (rng.next_u32() % 8);
        fix_checksums(&mut flipped, &frames);
        for relinked in [false, true] {
            if relinked {
                fix_tip(&mut flipped, &frames);
                fix_checksums(&mut flipped, &frames);
            }
            let verdict = match check(&flipped) {
                // The flip hit a checksum or a tip that was then fixed: the file is the original.
                Ok(report) if flipped == file => {
                    assert_eq!(report, good);
                    "undone by the fix".into()
                }
                Ok(report) => {
                    assert_ne!((report.chain, report.tip), (good.chain, good.tip), "byte {place} passed unseen");
                    "another tip".to_string()
                }
                Err(FileError::Rule { height, rule, .. }) => {
                    // A parameter shows in block 1, a header at the latest in the block after it.
                    let frame = frames.iter().rposition(|(start, _)| *start <= place).unwrap_or(0).max(1) as u64;
                    assert!((frame..=frame + 1).contains(&height), "byte {place}, frame {frame}: at height {height}");
                    rule.to_string()
                }
                Err(FileError::Trailer { claimed, claimed_count, tip, .. }) => {
                    assert!(claimed != tip || claimed_count != good.height);
                    "not the tip it claims".into()
                }
                Err(other) => format!("{other:?}").split([' ', '(', '{']).next().unwrap_or_default().to_string(),
            };
            *found.entry(verdict).or_default() += 1;
        }
    }
    println!("{} bytes: {found:#?}", file.len());
    for rule in
        ["R-POW", "R-PREV", "R-VERSION", "R-HEIGHT", "R-TARGET", "R-ROOT", "another tip", "not the tip it claims"]
    {
        assert!(found.contains_key(rule), "no flip was found by {rule}: {found:?}");
    }
}

#[test]
fn damage_is_named_with_its_place() {
    let kit = Kit::new(1);
    let file = export(&chain(&kit));
    let frames = frames(&file);
    let at = |place: usize| {
        let mut damaged = file.clone();
        damaged[place] ^= 1;
        check(&damaged).unwrap_err()
    };
    assert!(matches!(at(3), FileError::Magic));
    assert!(matches!(at(frames[0].0 + 10), FileError::Checksum { at: Part::Params }));
    assert!(matches!(at(frames[3].0 + 50), FileError::Checksum { at: Part::Block(3) }));
    assert!(matches!(at(file.len() - 1), FileError::Checksum { at: Part::Trailer }));
    for length in 0..file.len() {
        let error = check(&file[..length]).unwrap_err();
        assert!(matches!(error, FileError::Truncated { .. }), "cut to {length} bytes: {error}");
    }
    let mut longer = file.clone();
    longer.push(0);
    assert!(matches!(check(&longer).unwrap_err(), FileError::Trailing));
}

#[test]
fn a_length_that_lies_is_refused_before_anything_is_read() {
    let kit = Kit::new(1);
    let file = export(&chain(&kit));
    let frames = frames(&file);
    for (frame, part) in [(0, Part::Params), (2, Part::Block(2))] {
        let mut lying = file.clone();
        lying[frames[frame].0..][..4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(matches!(check(&lying).unwrap_err(), FileError::Malformed { at, .. } if at == part));
    }
}

/// Blocks taken out, swapped, or the chain cut and closed with a trailer of its own.
#[test]
fn another_selection_of_blocks_is_another_chain() {
    let kit = Kit::new(1);
    let chain = chain(&kit);
    let write = |order: &[usize]| {
        let mut writer = Writer::new(Vec::new(), &kit.params).unwrap();
        order.iter().for_each(|i| writer.block(&chain.blocks[*i].0).unwrap());
        check(&writer.finish().unwrap())
    };
    assert!(matches!(write(&[0, 2]).unwrap_err(), FileError::Rule { height: 2, rule: "R-PREV", .. }));
    assert!(matches!(write(&[0, 0]).unwrap_err(), FileError::Rule { height: 2, rule: "R-PREV", .. }));
    assert!(matches!(write(&[0, 1, 3, 2]).unwrap_err(), FileError::Rule { height: 3, rule: "R-PREV", .. }));
    assert_ne!(write(&[0, 1]).unwrap().tip, chain.tip().id());

    let other = Kit::new(2);
    let mut writer = Writer::new(Vec::new(), &other.params).unwrap();
    chain.blocks.iter().for_each(|(block, _)| writer.block(block).unwrap());
    let error = check(&writer.finish().unwrap()).unwrap_err();
    assert!(matches!(error, FileError::Rule { height: 1, rule: "R-PREV", .. }), "{error}");
}

#[test]
fn parameters_out_of_bounds_are_refused() {
    let mut kit = Kit::new(1);
    kit.params.confirmations = 0;
    let file = Writer::new(Vec::new(), &kit.params).unwrap().finish().unwrap();
    let error = check(&file).unwrap_err();
    assert!(error.to_string().contains("confirmations"), "{error}");
    assert!(codec::encode(&kit.params).len() < 16 * 1024);
}

/// A file that was made without one rule is refused by it.
#[test]
fn a_bad_block_is_reported_by_rule_and_height() {
    let kit = Kit::new(1);
    let mut chain = TestChain::enrolled(&kit, RuleSet::standard().without("R-SIG"));
    let mut record = kit.record(Kind::Ehr, 1, 2);
    record.signature.0[5] ^= 1;
    let secret = &kit.healthcare_center.secret;
    let (stamp, expiry) = (record.envelope.stamp_ms, record.envelope.expiry_height);
    let record = Record::wrap(&kit.chain, record.content, record.signature, stamp, expiry, secret);
    chain.extend(vec![record]).unwrap();
    chain.extend(vec![]).unwrap();
    let file = export(&chain);
    let error = check(&file).unwrap_err();
    assert!(matches!(error, FileError::Rule { height: 2, rule: "R-SIG", .. }), "{error}");
    let trusting = RuleSet::standard().without("R-SIG");
    assert_eq!(verify(file.as_slice(), &trusting, &mut rng(1), |_| {}).unwrap().height, 3);
}
