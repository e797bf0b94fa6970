//! When a resource says that it was: FHIR dates read as milliseconds since 1970, without a clock or a calendar library.

use serde_json::Value;

use crate::fhir::str_at;

/// Members that tell when, the more telling first. Of a period its end counts, or else its start.
const MEMBERS: [&str; 20] = [
    "effectiveDateTime",
    "effectiveInstant",
    "effectivePeriod",
    "performedDateTime",
    "performedPeriod",
    "occurrenceDateTime",
    "authoredOn",
    "recordedDate",
    "dateAsserted",
    "assertedDate",
    "recorded",
    "date",
    "issued",
    "onsetDateTime",
    "onsetPeriod",
    "started",
    "period",
    "billablePeriod",
    "created",
    "statusDate",
];

/// When `resource` was, by the first of [`MEMBERS`] that can be read.
pub(super) fn when(resource: &Value) -> Option<i64> {
    MEMBERS.iter().find_map(|name| {
        let member = resource.get(name)?;
        let text = member.as_str().or_else(|| str_at(member, "end")).or_else(|| str_at(member, "start"))?;
        parse(text)
    })
}

/// A FHIR date, dateTime or instant in milliseconds since 1970; a partial one means its first moment, one without a zone
/// UTC. None for anything else.
pub(super) fn parse(text: &str) -> Option<i64> {
    let digits = |from: usize, to: usize| {
        text.get(from..to).filter(|s| s.bytes().all(|b| b.is_ascii_digit()))?.parse::<i64>().ok()
    };
    let at = |i: usize| text.as_bytes().get(i).copied();
    let (year, mut month, mut day) = (digits(0, 4)?, 1, 1);
    if text.len() > 4 {
        month = digits(5, 7).filter(|m| at(4) == Some(b'-') && (1..=12).contains(m))?;
    }
    if text.len() > 7 {
        day = digits(8, 10).filter(|d| at(7) == Some(b'-') && (1..=31).contains(d))?;
    }
    let midnight = days(year, month, day) * 86_400_000;
    if text.len() <= 10 {
        return Some(midnight);
    }
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    if at(10) != Some(b'T') || at(13) != Some(b':') || at(16) != Some(b':') || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = text.get(19..)?;
    let fraction: String = rest.strip_prefix('.').unwrap_or("").chars().take_while(char::is_ascii_digit).collect();
    let milli: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    Some(midnight + hour * 3_600_000 + minute * 60_000 + second * 1000 + milli - offset_ms(zone)?)
}

/// `Z`, nothing, or `+hh:mm`.
fn offset_ms(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone == "Z" {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let two =
        |s: &str| (s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse::<i64>().ok()).flatten();
    Some(sign * (two(hours)? * 60 + two(minutes)?) * 60_000)
}

/// Days from 1970-01-01 (the proleptic Gregorian calendar; years count from March, so that the leap day comes last).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_every_precision_and_zone_are_read() {
        for (text, ms) in [
            ("1970", 0),
            ("1970-02", 31 * 86_400_000),
            ("1969-12-31", -86_400_000),
            ("2000-02-29T12:34:56.789Z", 951_827_696_789),
            ("2000-02-29T12:34:56.7891234Z", 951_827_696_789),
            ("2000-02-29T14:34:56.789+02:00", 951_827_696_789),
            ("2000-02-29T07:04:56.789-05:30", 951_827_696_789),
            ("1970-01-01T00:00:01", 1000),
            ("0001-01-01", -62_135_596_800_000),
        ] {
            assert_eq!(parse(text), Some(ms), "{text}");
        }
        for wrong in
            ["", "70", "1970-13", "1970-1", "1970-01-01T", "1970-01-01T25:00:00Z", "1970-01-01T00:00:00+2", "é970"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_end_of_a_period_counts() {
        let both = serde_json::json!({"effectivePeriod": {"start": "1970-01-01", "end": "1970-01-02"}});
        let open = serde_json::json!({"period": {"start": "1970-01-03"}, "issued": "no date"});
        assert_eq!(when(&both), Some(86_400_000));
        assert_eq!(when(&open), Some(2 * 86_400_000));
    }
}
