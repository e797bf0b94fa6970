//! Proof of work: targets, work, and ASERT retargeting (PROTOCOL section 5; spec: pow).

use crate::params::Params;
use num_bigint::BigUint;
use num_traits::{One, ToPrimitive, Zero};
use serde::{Deserialize, Serialize};

/// A target in Bitcoin's compact form: one byte of exponent, three of mantissa with a sign bit that must be 0. In text
/// formats 0x and eight hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CompactTarget(pub u32);

impl std::fmt::Debug for CompactTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CompactTarget({:#010x})", self.0)
    }
}

impl std::fmt::Display for CompactTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

impl std::str::FromStr for CompactTarget {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let digits = s.strip_prefix("0x").filter(|d| d.len() == 8 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        value.map(Self).ok_or_else(|| format!("{s:?} is no compact target; one looks like 0x1e00ffff"))
    }
}

impl Serialize for CompactTarget {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { s.serialize_u32(self.0) }
    }
}

impl<'de> Deserialize<'de> for CompactTarget {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            return String::deserialize(d)?.parse().map_err(serde::de::Error::custom);
        }
        u32::deserialize(d).map(Self)
    }
}

byte_newtype!(
    /// A full target: a block id, read as a big-endian integer, must not exceed it.
    Target, 32);

impl CompactTarget {
    /// The target it stands for; `None` if negative, zero, above 256 bits, or not the canonical encoding of its value.
    pub fn decode(self) -> Option<Target> {
        let exponent = self.0 >> 24;
        let mantissa = BigUint::from(self.0 & 0x007f_ffff);
        if self.0 & 0x0080_0000 != 0 || mantissa.is_zero() || exponent > 34 {
            return None;
        }
        let value = if exponent <= 3 { mantissa >> (8 * (3 - exponent)) } else { mantissa << (8 * (exponent - 3)) };
        let target = Target::from_uint(&value)?;
        (!value.is_zero() && target.compact() == self).then_some(target)
    }
}

impl Target {
    /// From an integer below 2^256; `None` above.
    pub fn from_uint(value: &BigUint) -> Option<Self> {
        let bytes = value.to_bytes_be();
        let start = 32usize.checked_sub(bytes.len())?;
        let mut out = [0; 32];
        out[start..].copy_from_slice(&bytes);
        Some(Self(out))
    }

    /// As an integer.
    pub fn to_uint(self) -> BigUint {
        BigUint::from_bytes_be(&self.0)
    }

    /// The canonical compact form; loses all but the highest 15 to 23 bits.
    pub fn compact(self) -> CompactTarget {
        let skip = self.0.iter().take_while(|b| **b == 0).count();
        let mut size = 32 - skip;
        let byte = |i: usize| self.0.get(skip + i).copied().map_or(0, u32::from);
        let mut mantissa = if size == 0 { 0 } else { byte(0) << 16 | byte(1) << 8 | byte(2) };
        if mantissa & 0x0080_0000 != 0 {
            mantissa >>= 8;
            size += 1;
        }
        // size is at most 33.
        CompactTarget(u32::try_from(size).unwrap_or(33) << 24 | mantissa)
    }

    /// ⌊2^256 / (target + 1)⌋: the expected number of hashes for one block.
    pub fn work(self) -> Work {
        Work((BigUint::one() << 256u32) / (self.to_uint() + 1u32))
    }

    /// Whether a block id meets this target.
    pub fn is_met_by(&self, id: &crate::BlockId) -> bool {
        id.0 <= self.0
    }
}

/// Cumulative work: expected hashes, an integer without practical bound.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Work(BigUint);

impl Work {
    /// No work.
    pub fn zero() -> Self {
        Self::default()
    }

    /// Sum of two amounts.
    #[must_use]
    pub fn plus(&self, other: &Work) -> Work {
        Work(&self.0 + &other.0)
    }

    /// What is left of it without another amount; nothing if that is more.
    #[must_use]
    pub fn minus(&self, other: &Work) -> Work {
        if self.0 > other.0 { Work(&self.0 - &other.0) } else { Work::zero() }
    }

    /// So many times this amount.
    #[must_use]
    pub fn times(&self, count: u64) -> Work {
        Work(&self.0 * count)
    }

    /// 32 bytes big-endian (saturating; 2^256 hashes are out of reach).
    pub fn to_bytes(&self) -> [u8; 32] {
        Target::from_uint(&self.0).map_or([0xff; 32], |t| t.0)
    }

    /// From 32 bytes big-endian.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Work(BigUint::from_bytes_be(bytes))
    }

    /// As a float, for display and rates only.
    pub fn approx(&self) -> f64 {
        self.0.to_f64().unwrap_or(f64::INFINITY)
    }
}

impl std::str::FromStr for Work {
    type Err = String;
    /// 0x and hex digits, or decimal ones; below 2^256.
    fn from_str(s: &str) -> Result<Self, String> {
        let parsed = match s.strip_prefix("0x") {
            Some(digits) => BigUint::parse_bytes(digits.as_bytes(), 16),
            None => BigUint::parse_bytes(s.as_bytes(), 10),
        };
        let fits = parsed.filter(|value| value.bits() <= 256);
        fits.map(Self).ok_or_else(|| format!("{s:?} is no work; one looks like 0x1e0ff or 123135"))
    }
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Work({})", self.0)
    }
}

impl Serialize for Work {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        Target(self.to_bytes()).serialize(s)
    }
}

impl<'de> Deserialize<'de> for Work {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Work::from_bytes(&Target::deserialize(d)?.0))
    }
}

/// One step of schedule time: S_h = S_{h−1} + min(Δt, τ). Milliseconds; S_1 = 0.
pub fn schedule_step(params: &Params, parent_schedule_ms: u64, height: u64, delta_ms: u64) -> u64 {
    if height <= 1 { 0 } else { parent_schedule_ms.saturating_add(delta_ms.min(params.tau_ms())) }
}

/// The target of the block after height `tip` whose schedule time is `schedule_ms` (R-TARGET).
///
/// ASERT in integers, anchored at block 1: the target doubles for every τ the chain is behind schedule T·(h−1), and halves
/// for every τ it is ahead. Blocks 0 and 1 have the genesis target, and so has every block where `retarget` is off.
pub fn next_target(params: &Params, tip: u64, schedule_ms: u64) -> CompactTarget {
    if tip == 0 || !params.retarget {
        return params.genesis_target;
    }
    let (tau, spacing) = (i128::from(params.tau_ms()), i128::from(params.target_spacing_ms));
    let ahead = i128::from(schedule_ms) - spacing.saturating_mul(i128::from(tip - 1));
    // Rust's division truncates toward zero, as the rule asks.
    let e = ahead.saturating_mul(65_536) / tau;
    let n = e >> 16;
    let f = (e - (n << 16)).unsigned_abs();
    let factor = 65_536 + ((195_766_423_245_049 * f + 971_821_376 * f * f + 5_127 * f * f * f + (1 << 47)) >> 48);
    let anchor = params.genesis_target.decode().map(Target::to_uint).unwrap_or_default() * factor;
    // Beyond ±320 doublings the clamp decides anyway; bounding n keeps the shift small.
    let shifted = match n.clamp(-320, 320) {
        n if n >= 0 => anchor << n.unsigned_abs(),
        n => anchor >> n.unsigned_abs(),
    } >> 16u32;
    let limit = params.limit_target.decode().map(Target::to_uint).unwrap_or_default();
    let clamped = shifted.clamp(BigUint::one(), limit);
    Target::from_uint(&clamped).map_or(params.limit_target, Target::compact)
}
