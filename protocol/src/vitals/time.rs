//! Milliseconds since 1970 as a FHIR instant in UTC, and back, without a clock or a calendar library.

/// First millisecond of the year 10000, which FHIR's four-digit years cannot name.
pub(crate) const YEAR_10000_MS: u64 = 253_402_300_800_000;
const DAY_MS: u64 = 86_400_000;

/// `2020-01-31T23:59:59.999Z`, for a time before the year 10000.
pub fn instant(ms: u64) -> String {
    let (day, rest) = (ms / DAY_MS, ms % DAY_MS);
    let (y, m, d) = civil(day);
    let (h, min, s, milli) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    format!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}.{milli:03}Z")
}

/// Year, month and day of a day counted from 1970-01-01 (the proleptic Gregorian calendar in cycles of 400 years).
fn civil(day: u64) -> (u64, u64, u64) {
    // Days are counted from 0000-03-01, so that the leap day is a year's last.
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let d = of_year - (153 * month + 2) / 5 + 1;
    let m = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(m <= 2), m, d)
}

/// The inverse of [`instant`]; None for any other form.
pub fn parse_instant(text: &str) -> Option<u64> {
    let field = |from: usize, to: usize| {
        text.get(from..to).filter(|s| s.bytes().all(|b| b.is_ascii_digit()))?.parse::<u64>().ok()
    };
    let (y, m, d) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let (h, min, s, milli) = (field(11, 13)?, field(14, 16)?, field(17, 19)?, field(20, 23)?);
    if y < 1970 || !(1..=12).contains(&m) || !(1..=31).contains(&d) {
        return None;
    }
    // March-based year and month, as in civil.
    let (year, month) = if m > 2 { (y, m - 3) } else { (y - 1, m + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + d - 1;
    let ms = (days - 719_468) * DAY_MS + h * 3_600_000 + min * 60_000 + s * 1000 + milli;
    // One form only: what instant writes.
    (ms < YEAR_10000_MS && instant(ms) == text).then_some(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_back() {
        assert_eq!(instant(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(instant(951_827_696_789), "2000-02-29T12:34:56.789Z");
        assert_eq!(instant(YEAR_10000_MS - 1), "9999-12-31T23:59:59.999Z");
        for ms in (0..YEAR_10000_MS).step_by(7_777_777_777_777) {
            assert_eq!(parse_instant(&instant(ms)), Some(ms));
        }
        for wrong in ["", "2000-02-30T12:34:56.789Z", "2000-02-29T12:34:56.789", "1969-02-01T12:34:56.789Z", "x"] {
            assert_eq!(parse_instant(wrong), None, "{wrong}");
        }
    }
}
