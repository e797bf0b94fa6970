//! Reading a fault's text: what [`Fault`] prints and people type.

use super::fault::{Death, Deed, Fault, Span};
use std::str::FromStr;

/// Nodes one fault may name.
const NODES_MAX: usize = 100_000;

/// Why a text is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?}: {problem}. Faults are cut:0-3,7@10s-40s, crash:4@12s+5s, crash:4/write=3@12s+5s, crash:4/torn=50@12s+5s, \
     clock:3/+9s/-200ppm@10s-40s, loss:10%@10s-40s, slow:5x@10s-40s and evil:2/liar (or {})",
    deeds()
)]
pub struct FaultError {
    text: String,
    problem: String,
}

fn deeds() -> String {
    Deed::ALL.iter().skip(1).map(|deed| deed.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        parse(text).map_err(|problem| FaultError { text: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<Fault, String> {
    let (kind, rest) = text.split_once(':').ok_or("a kind and a colon are missing")?;
    if kind == "evil" {
        let (node, deed) = rest.split_once('/').ok_or("a deed is missing")?;
        let deed = Deed::ALL.into_iter().find(|known| known.name() == deed);
        return Ok(Fault::Evil { node: number(node)?, deed: deed.ok_or("nobody does such a deed")? });
    }
    let (what, when) = rest.split_once('@').ok_or("a time is missing")?;
    match kind {
        "cut" => Ok(Fault::Cut { side: list(what)?, time: span(when)? }),
        "crash" => crash(what, when),
        "clock" => clock(what, span(when)?),
        "loss" => {
            let percent = number(what.strip_suffix('%').ok_or("a loss ends in %")?)?;
            if percent >= 100 {
                Err("a loss is below 100%".into())
            } else {
                Ok(Fault::Loss { percent, time: span(when)? })
            }
        }
        "slow" => {
            let factor = number(what.strip_suffix('x').ok_or("a factor ends in x")?)?;
            if factor == 0 {
                Err("a factor is 1 at least".into())
            } else {
                Ok(Fault::Slow { factor, time: span(when)? })
            }
        }
        other => Err(format!("no fault is called {other}")),
    }
}

fn crash(what: &str, when: &str) -> Result<Fault, String> {
    let (node, how) = what.split_once('/').unwrap_or((what, ""));
    let death = match how.split_once('=') {
        None if how.is_empty() => Death::Kill,
        Some(("write", n)) => Death::AtWrite(number(n)?),
        Some(("torn", kept)) => Death::Torn(number(kept)?),
        _ => return Err(format!("{how:?} is no death")),
    };
    let (at, down) = when.split_once('+').ok_or("a crash is AT+DOWN")?;
    Ok(Fault::Crash { node: number(node)?, death, at_ms: time(at)?, down_ms: time(down)? })
}

fn clock(what: &str, time_span: Span) -> Result<Fault, String> {
    let (node, errors) = what.split_once('/').ok_or("how far the clock is off is missing")?;
    let (mut offset_ms, mut drift_ppm) = (0, 0);
    for error in errors.split('/') {
        let sign = match error.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(format!("{error:?} wants a sign, + for fast")),
        };
        match error[1..].strip_suffix("ppm") {
            Some(ppm) => drift_ppm = sign * number::<i64>(ppm)?,
            None => offset_ms = sign * i64::try_from(time(&error[1..])?).map_err(|e| e.to_string())?,
        }
    }
    if drift_ppm.abs() > 500_000 {
        return Err("a drift of more than 500000ppm is no clock".into());
    }
    Ok(Fault::Clock { node: number(node)?, offset_ms, drift_ppm, time: time_span })
}

fn span(text: &str) -> Result<Span, String> {
    let (from, until) = text.split_once('-').ok_or("a time is FROM-UNTIL")?;
    let span = Span { from_ms: time(from)?, until_ms: time(until)? };
    if span.from_ms < span.until_ms { Ok(span) } else { Err("it ends before it begins".into()) }
}

/// A time with its unit, in ms.
fn time(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit_ms = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("{text:?} is no time; write 500ms, 12s, 3m or 1h")),
    };
    let count: u64 = number(&text[..digits])?;
    count.checked_mul(unit_ms).filter(|ms| *ms <= 365 * 86_400_000).ok_or_else(|| format!("{text} is too long"))
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no number that fits"))
}

fn list(text: &str) -> Result<Vec<usize>, String> {
    let mut nodes = std::collections::BTreeSet::new();
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (usize, usize) = (number(from)?, number(to)?);
        if from > to || to >= NODES_MAX {
            return Err(format!("{part:?} is no range of nodes"));
        }
        nodes.extend(from..=to);
    }
    Ok(nodes.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_reads_back_as_it_prints() {
        let texts = [
            "cut:0-3,7@10s-40s",
            "cut:5@1234ms-1h",
            "crash:4@12s+5s",
            "crash:4/write=3@12001ms+5s",
            "crash:4/torn=50@12s+5s",
            "clock:3/+9s@10s-40s",
            "clock:3/-1500ms/+200ppm@10s-40s",
            "clock:3/-200ppm@10s-40s",
            "loss:10%@10s-40s",
            "slow:5x@0s-40s",
        ];
        for text in texts {
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string().parse::<Fault>().unwrap(), fault, "{text}");
        }
        for deed in Deed::ALL {
            let text = format!("evil:2/{}", deed.name());
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        assert_eq!("cut:3,1,2,2@1m-2m".parse::<Fault>().unwrap().to_string(), "cut:1-3@60s-120s");
    }

    #[test]
    fn what_is_no_fault_is_refused_with_the_reason() {
        let wrong = [
            ("cut:0-3", "a time is missing"),
            ("cut:3-0@1s-2s", "no range"),
            ("cut:0-999999999@1s-2s", "no range"),
            ("cut:1@2s-1s", "ends before"),
            ("crash:1@2s", "AT+DOWN"),
            ("crash:1/fire@2s+1s", "no death"),
            ("clock:1/9s@1s-2s", "wants a sign"),
            ("clock:1/+9@1s-2s", "no time"),
            ("loss:100%@1s-2s", "below 100%"),
            ("slow:0x@1s-2s", "1 at least"),
            ("evil:1/saint", "nobody does such a deed"),
            ("flood:1@1s-2s", "no fault is called flood"),
            ("slow:2x@0s-99999999999999h", "too long"),
        ];
        for (text, why) in wrong {
            let told = text.parse::<Fault>().unwrap_err().to_string();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
