//! What the columns of a vital-sign table mean: names, codes and units, and how long one row lasts.

use std::{collections::BTreeSet, str::FromStr};

use super::{SIGNALS_MAX, VitalsError};

/// LOINC, the default code system.
pub const LOINC: &str = "http://loinc.org";
/// ISO/IEEE 11073-10101, for what LOINC has no code for (waveforms).
pub const MDC: &str = "urn:iso:std:iso:11073:10101";

/// What a signal is: its column's name, code and unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The column's name in the table.
    pub name: String,
    /// Code system, [`LOINC`] or [`MDC`].
    pub system: String,
    /// Code, for example `8867-4`, heart rate.
    pub code: String,
    /// Unit in UCUM, for example `/min`; `1` for a pure number.
    pub unit: String,
}

/// How to read a table of vital signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Nanoseconds from one row to the next.
    pub(crate) period_ns: u64,
    /// The column that counts rows, in units of the period; without one, rows follow each other.
    pub(crate) counter: Option<String>,
    /// Columns that become signals.
    pub(crate) channels: Vec<Channel>,
    /// Columns that are left out on purpose.
    pub(crate) skipped: BTreeSet<String>,
    /// The table starts with its columns' names.
    pub(crate) header: bool,
}

impl Channel {
    /// A channel with a LOINC code.
    pub fn loinc(name: &str, code: &str, unit: &str) -> Self {
        Self { name: name.to_owned(), system: LOINC.to_owned(), code: code.to_owned(), unit: unit.to_owned() }
    }
}

/// What a vital sign's code is called in LOINC, or the pulse wave's in ISO 11073; None for a code not known here.
pub(crate) fn known_name(channel: &Channel) -> Option<&'static str> {
    Some(match (channel.system.as_str(), channel.code.as_str()) {
        (LOINC, "8867-4") => "Heart rate",
        (LOINC, "8889-8") => "Heart rate by pulse oximetry",
        (LOINC, "9279-1") => "Respiratory rate",
        (LOINC, "2708-6") => "Oxygen saturation",
        (LOINC, "59408-5") => "Oxygen saturation by pulse oximetry",
        (LOINC, "8310-5") => "Body temperature",
        (LOINC, "8480-6") => "Systolic blood pressure",
        (LOINC, "8462-4") => "Diastolic blood pressure",
        (LOINC, "8478-0") => "Mean blood pressure",
        (MDC, "150452") => "Pulse wave",
        _ => return None,
    })
}

impl Default for Layout {
    /// One row a minute: `minute`, then heart rate, pulse, respiration, oxygen saturation and cuff blood pressure.
    fn default() -> Self {
        let channels = [
            ("heart_rate_bpm", "8867-4", "/min"),
            ("pulse_bpm", "8889-8", "/min"),
            ("resp_per_min", "9279-1", "/min"),
            ("spo2_percent", "59408-5", "%"),
            ("nibp_sys_mmHg", "8480-6", "mm[Hg]"),
            ("nibp_dia_mmHg", "8462-4", "mm[Hg]"),
            ("nibp_mean_mmHg", "8478-0", "mm[Hg]"),
        ];
        Self {
            period_ns: 60_000_000_000,
            counter: Some("minute".to_owned()),
            channels: channels.map(|(name, code, unit)| Channel::loinc(name, code, unit)).to_vec(),
            skipped: BTreeSet::new(),
            header: true,
        }
    }
}

impl Layout {
    /// A single column without header: a pulse wave (PPG) at `rate_hz` samples a second, 1 to 100,000.
    pub fn ppg(rate_hz: u32) -> Result<Self, VitalsError> {
        let period_ns = period_of_rate(rate_hz)?;
        let pulse_wave =
            Channel { name: "ppg".to_owned(), system: MDC.to_owned(), code: "150452".to_owned(), unit: "1".to_owned() };
        Ok(Self { period_ns, counter: None, channels: vec![pulse_wave], skipped: BTreeSet::new(), header: false })
    }

    /// The channels, in the order their signals will have.
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn check(self) -> Result<Self, VitalsError> {
        let wrong = |what: String| Err(VitalsError::Layout { what });
        if self.channels.is_empty() || self.channels.len() > SIGNALS_MAX {
            return wrong(format!("{} columns are mapped; 1 to {SIGNALS_MAX} can be", self.channels.len()));
        }
        let mut names: BTreeSet<&str> = self.skipped.iter().map(String::as_str).collect();
        for name in self.channels.iter().map(|c| c.name.as_str()).chain(self.counter.as_deref()) {
            if name.is_empty() || !names.insert(name) {
                return wrong(format!("the column {name:?} is empty or mapped twice"));
            }
        }
        Ok(self)
    }
}

/// `icu` (the default), `ppg@100Hz`, or a mapping in one line, parts separated by commas:
/// `@minute=60s,heart_rate_bpm=8867-4:/min,wave=mdc:150452:1,note=-`.
///
/// `@name=60s` (or `10ms`) names the counting column and the time from one row to the next; `@=10ms` has no such column.
/// `name=CODE:UNIT` is a LOINC code and a UCUM unit, `name=mdc:CODE:UNIT` one of ISO 11073, `name=-` leaves a column out.
impl FromStr for Layout {
    type Err = VitalsError;
    fn from_str(text: &str) -> Result<Self, VitalsError> {
        if text == "icu" {
            return Ok(Self::default());
        }
        if let Some(rate) = text.strip_prefix("ppg@").and_then(|r| r.strip_suffix("Hz")) {
            let rate =
                rate.parse().map_err(|_| VitalsError::Layout { what: format!("{rate:?} is not a rate in Hz") })?;
            return Self::ppg(rate);
        }
        let mut layout =
            Self { period_ns: 0, counter: None, channels: Vec::new(), skipped: BTreeSet::new(), header: true };
        for part in text.split(',').map(str::trim) {
            let Some((name, meaning)) = part.split_once('=') else {
                return Err(VitalsError::Layout { what: format!("{part:?} is not name=meaning") });
            };
            layout.add(name.trim(), meaning.trim())?;
        }
        if layout.period_ns == 0 {
            return Err(VitalsError::Layout {
                what: "there is no @column=60s to tell how long a row lasts".to_owned(),
            });
        }
        layout.check()
    }
}

impl Layout {
    fn add(&mut self, name: &str, meaning: &str) -> Result<(), VitalsError> {
        if let Some(counter) = name.strip_prefix('@') {
            if self.period_ns != 0 {
                return Err(VitalsError::Layout {
                    what: "there are two @columns; one tells how long a row lasts".to_owned(),
                });
            }
            self.period_ns = period(meaning)?;
            self.counter = (!counter.is_empty()).then(|| counter.to_owned());
        } else if meaning == "-" {
            self.skipped.insert(name.to_owned());
        } else {
            let (system, rest) = meaning.strip_prefix("mdc:").map_or((LOINC, meaning), |rest| (MDC, rest));
            let Some((code, unit)) = rest.split_once(':').filter(|(code, unit)| !code.is_empty() && !unit.is_empty())
            else {
                return Err(VitalsError::Layout {
                    what: format!("{meaning:?} is not CODE:UNIT, for example 8867-4:/min"),
                });
            };
            let [name, system, code, unit] = [name, system, code, unit].map(str::to_owned);
            self.channels.push(Channel { name, system, code, unit });
        }
        Ok(())
    }
}

fn period_of_rate(rate_hz: u32) -> Result<u64, VitalsError> {
    match rate_hz {
        1..=100_000 => Ok((1_000_000_000 + u64::from(rate_hz) / 2) / u64::from(rate_hz)),
        _ => Err(VitalsError::Layout { what: format!("{rate_hz} Hz; give 1 to 100000") }),
    }
}

/// `60s` or `10ms`, in nanoseconds: more than nothing, at most a day.
fn period(text: &str) -> Result<u64, VitalsError> {
    let (digits, unit_ns) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1_000_000),
        None => (text.strip_suffix('s').unwrap_or(""), 1_000_000_000),
    };
    let ns = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit_ns));
    ns.filter(|ns| (1..=86_400_000_000_000).contains(ns)).ok_or_else(|| VitalsError::Layout {
        what: format!("{text:?} is not a time such as 60s or 10ms, at most a day"),
    })
}
