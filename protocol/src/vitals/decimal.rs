//! A measured value exactly as it was written: `62.80` is neither `62.8` nor a float near it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{cmp::Ordering, fmt, str::FromStr};

/// Digits a value may have, without leading zeros; keeps every sum of [`super::SAMPLES_MAX`] values inside an i128.
const DIGITS_MAX: usize = 15;
/// Digits after the point.
const SCALE_MAX: usize = 9;

/// mantissa × 10^−scale. Equal means written alike; ordered by value, then by scale.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

/// Text that is not a decimal number this module takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a plain decimal number such as 36.6 (a point, no thousands separator, no exponent, at most 15 digits, 9 of them after the point)"
)]
pub struct NotDecimal;

impl Decimal {
    /// mantissa × 10^−scale, or None beyond 15 digits or 9 of them after the point.
    pub fn new(mantissa: i64, scale: u8) -> Option<Self> {
        let fits = mantissa.unsigned_abs() < 10_u64.pow(15) && usize::from(scale) <= SCALE_MAX;
        fits.then_some(Self { mantissa, scale })
    }

    /// The value in units of 10^−9, exactly.
    pub(crate) fn nanos(self) -> i128 {
        i128::from(self.mantissa) * 10_i128.pow(u32::from(9 - self.scale))
    }

    /// `sum` × 10^−9 / `count` with `scale` digits after the point, halves away from zero; None if that has too many digits
    /// or `count` is 0.
    pub(crate) fn mean(sum: i128, count: usize, scale: u8) -> Option<Self> {
        let step = 10_i128.pow(9_u32.checked_sub(u32::from(scale))?) * i128::try_from(count).ok()?;
        let rounded = (2 * sum.abs() + step).checked_div(2 * step)? * sum.signum();
        Self::new(i64::try_from(rounded).ok()?, scale)
    }

    /// All digits as a whole number, with the sign.
    pub fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// Whether it is less, however the two are written.
    pub fn is_below(self, other: Self) -> bool {
        self.nanos() < other.nanos()
    }

    /// Digits after the point.
    pub fn scale(self) -> u8 {
        self.scale
    }

    /// The nearest 64-bit float, for display only.
    pub fn to_f64(self) -> f64 {
        // Text is the one conversion that rounds once.
        self.to_string().parse().unwrap_or(f64::NAN)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos().cmp(&other.nanos()).then(self.scale.cmp(&other.scale))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, digits) = (if self.mantissa < 0 { "-" } else { "" }, self.mantissa.unsigned_abs());
        let unit = 10_u64.pow(u32::from(self.scale));
        match usize::from(self.scale) {
            0 => write!(f, "{sign}{digits}"),
            scale => write!(f, "{sign}{}.{:0scale$}", digits / unit, digits % unit),
        }
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As text: no float comes near it.
impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for Decimal {
    type Err = NotDecimal;
    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let point_without_digits = part.is_empty() && digits.contains('.');
        if whole.is_empty() || point_without_digits || !all_digits(whole) || !all_digits(part) || part.len() > SCALE_MAX
        {
            return Err(NotDecimal);
        }
        let joined = format!("{whole}{part}");
        let joined = joined.trim_start_matches('0');
        if joined.len() > DIGITS_MAX {
            return Err(NotDecimal);
        }
        let magnitude: i64 = if joined.is_empty() { 0 } else { joined.parse().map_err(|_| NotDecimal)? };
        let scale = u8::try_from(part.len()).map_err(|_| NotDecimal)?;
        Self::new(if negative { -magnitude } else { magnitude }, scale).ok_or(NotDecimal)
    }
}
