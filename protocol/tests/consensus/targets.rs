//! Compact targets and work against known figures of Bitcoin's.

use medring_protocol::pow::{CompactTarget, Target, Work};
use num_bigint::BigUint;
use proptest::prelude::*;

fn hex(text: &str) -> BigUint {
    BigUint::parse_bytes(text.as_bytes(), 16).unwrap()
}

/// From Bitcoin Core's arith_uint256 tests and well-known blocks: compact, the value it stands for.
#[test]
fn bitcoins_examples_decode_alike_if_canonical() {
    let shift = |text: &str, bytes: u32| hex(text) << (8 * bytes);
    for (compact, value) in [
        (0x0112_0000, hex("12")),
        (0x0212_3400, hex("1234")),
        (0x0312_3456, hex("123456")),
        (0x0412_3456, hex("12345600")),
        (0x0500_9234, hex("92340000")),
        (0x2012_3456, shift("123456", 29)),
        (0x1d00_ffff, shift("ffff", 26)),
        (0x1b04_04cb, shift("0404cb", 24)),
        (0x207f_ffff, shift("7fffff", 29)),
        (0x0101_0000, hex("1")),
        (0x0200_8000, hex("80")),
    ] {
        let target = Target::from_uint(&value).unwrap();
        assert_eq!(CompactTarget(compact).decode(), Some(target), "{compact:#010x}");
        assert_eq!(target.compact(), CompactTarget(compact), "{value:#x}");
    }
}

#[test]
fn what_is_zero_negative_too_large_or_not_canonical_is_refused() {
    for compact in [
        0x0000_0000u32,
        0x0012_3456,
        0x0100_3456,
        0x0200_0056,
        0x0300_0000,
        0x0400_0000,
        0x2000_0000, // zero
        0x0180_3456,
        0x0492_3456,
        0x04ff_ffff,
        0x2092_3456, // negative
        0xff12_3456,
        0x2212_3456,
        0x2112_3456,
        0x2300_0001,
        0x2200_00ff_u32.wrapping_add(1), // above 256 bits
        0x0112_3456,
        0x0212_3456,
        0x0500_1234,
        0x2100_0012,
        0x1e00_00ff,
        0x2000_7fff, // another form is canonical
    ] {
        assert_eq!(CompactTarget(compact).decode(), None, "{compact:#010x}");
    }
}

#[test]
fn work_is_two_to_the_256_over_target_plus_one() {
    let work = |compact| CompactTarget(compact).decode().unwrap().work().to_string();
    assert_eq!(work(0x1d00_ffff), "4295032833", "Bitcoin's genesis block");
    assert_eq!(work(0x207f_ffff), "2");
    assert_eq!(Target([0xff; 32]).work().to_string(), "1");
    assert_eq!(Target::from_uint(&hex("1")).unwrap().work().to_string(), (BigUint::from(1u8) << 255u32).to_string());
}

#[test]
fn text_and_work_read_back() {
    assert_eq!(CompactTarget(0x1d00_ffff).to_string(), "0x1d00ffff");
    assert_eq!("0x1d00ffff".parse(), Ok(CompactTarget(0x1d00_ffff)));
    for bad in ["", "1d00ffff", "0x1d00fff", "0x1d00ffff0", "0x1d00fffg", "486604799", "0x+d00ffff"] {
        assert!(bad.parse::<CompactTarget>().is_err(), "{bad:?}");
    }
    let many = Work::from_bytes(&[0xff; 32]).plus(&Work::from_bytes(&[0xff; 32]));
    assert_eq!(many.to_bytes(), [0xff; 32], "saturates");
}

proptest! {
    #[test]
    fn every_canonical_form_is_the_form_of_its_value(compact in any::<u32>()) {
        if let Some(target) = CompactTarget(compact).decode() {
            prop_assert_eq!(target.compact(), CompactTarget(compact));
        }
    }

    #[test]
    fn the_compact_form_rounds_down_by_less_than_one_part_in_32768(bytes in any::<[u8; 32]>(), skip in 0..32usize) {
        let mut target = Target(bytes);
        target.0[..skip].fill(0);
        if target != Target::ZERO {
            let rounded = target.compact().decode().unwrap();
            prop_assert!(rounded <= target);
            prop_assert!((target.to_uint() - rounded.to_uint()) << 15u32 < target.to_uint());
        }
    }

    #[test]
    fn an_id_meets_a_target_as_integers_compare(id in any::<[u8; 32]>(), target in any::<[u8; 32]>()) {
        let meets = BigUint::from_bytes_be(&id) <= BigUint::from_bytes_be(&target);
        prop_assert_eq!(Target(target).is_met_by(&medring_protocol::BlockId(id)), meets);
    }
}
