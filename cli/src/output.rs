//! What commands print: results on standard output, for people or as JSON; failures and warnings on standard error.

use crate::failure::Failure;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// A command's result. Its JSON form is stable: fields are added, never renamed (docs/cli.md).
pub(crate) trait Report: Serialize {
    /// For people; lines end in `\n`.
    fn text(&self, style: Style) -> String;
}

/// Colours, where they are wanted: a terminal, and neither `NO_COLOR` nor `TERM=dumb`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    /// Without colours.
    #[cfg(test)]
    pub(crate) const fn plain() -> Self {
        Self { colour: false }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Whether colours are wanted.
    pub(crate) fn is_coloured(self) -> bool {
        self.colour
    }

    /// What matters most.
    pub(crate) fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// What is good.
    pub(crate) fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// What is bad.
    pub(crate) fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// `name  value` lines, aligned.
    pub(crate) fn fields(self, rows: &[(&str, String)]) -> String {
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        rows.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect()
    }

    /// A table under its head.
    pub(crate) fn table(self, head: &[&str], rows: &[Vec<String>]) -> String {
        let width = |i: usize| {
            let cells = rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count());
            cells.chain(head.get(i).map(|name| name.chars().count())).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let line = |cells: Vec<&str>| {
            let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}")).collect();
            padded.join("  ").trim_end().to_owned()
        };
        let mut out = self.strong(&line(head.to_vec())) + "\n";
        for row in rows {
            out += &line(row.iter().map(String::as_str).collect());
            out.push('\n');
        }
        out
    }

    /// A passed or failed check.
    pub(crate) fn check(self, passed: bool, what: &str) -> String {
        let mark = if passed { self.good("ok    ") } else { self.bad("FAILED") };
        format!("{mark}  {what}\n")
    }
}

/// A time for people: UTC in whole seconds, `2026-11-23T08:20:00Z` (RFC 3339). JSON keeps milliseconds.
pub(crate) fn utc(ms: u64) -> String {
    let instant = medring_protocol::vitals::instant(ms);
    instant.split_once('.').map_or(instant.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// A length of time for people: `2 s`, `10 min`, `3 h 20 min`, `5 d 1 h`; below a second in ms.
pub(crate) fn span(ms: u64) -> String {
    let units = [("d", ms / 86_400_000), ("h", ms / 3_600_000 % 24), ("min", ms / 60_000 % 60), ("s", ms / 1000 % 60)];
    let Some(first) = units.iter().position(|(_, n)| *n > 0) else { return format!("{ms} ms") };
    let said = units[first..].iter().take(2).filter(|(_, n)| *n > 0).map(|(unit, n)| format!("{n} {unit}"));
    said.collect::<Vec<_>>().join(" ")
}

/// Text that another program gave, fit for a terminal: nothing that moves the cursor or turns the line around.
pub(crate) fn printable(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}

/// An argument as a shell takes it.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=@~+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

fn colour(terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

impl Output {
    /// For people, or as JSON.
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// How standard output is styled.
    pub(crate) fn style(self) -> Style {
        Style { colour: !self.json && colour(io::stdout().is_terminal()) }
    }

    /// Prints a result.
    pub(crate) fn report(self, report: &impl Report) {
        let text = if self.json {
            // Reports have string keys only, so this cannot fail.
            serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
        } else {
            report.text(self.style())
        };
        self.raw(text.as_bytes());
    }

    /// Prints bytes as they are. Whoever closed the pipe has read enough.
    pub(crate) fn raw(self, bytes: &[u8]) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    /// Tells something on standard error that is not the result.
    pub(crate) fn note(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Tells a failure on standard error: a sentence, or with `--json` one object.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            let (exit, name, message) = (failure.exit.code(), failure.exit.name(), &failure.message);
            let error = serde_json::json!({ "error": { "exit": exit, "kind": name, "message": message } });
            self.note(&error.to_string());
        } else {
            let style = Style { colour: colour(io::stderr().is_terminal()) };
            self.note(&format!("{} {failure}", style.bad("medring:")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_in_seconds() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_827_696_789), "2000-02-29T12:34:56Z");
        // A stranger's stamp is shown, whatever it is.
        assert!(utc(u64::MAX).ends_with('Z'));
    }

    #[test]
    fn spans_have_two_units() {
        let spans = [(0, "0 ms"), (999, "999 ms"), (2_000, "2 s"), (90_000, "1 min 30 s"), (3_600_000, "1 h")];
        for (ms, said) in spans.into_iter().chain([(86_400_000 + 59_000, "1 d"), (100_000_000, "1 d 3 h")]) {
            assert_eq!(span(ms), said);
        }
    }

    #[test]
    fn names_cannot_write_over_the_terminal() {
        assert_eq!(printable("Zoë 周"), "Zoë 周");
        assert_eq!(printable("a\x1b[2Jb\nc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
    }

    #[test]
    fn what_is_suggested_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("net/node-2/data"), "net/node-2/data");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
