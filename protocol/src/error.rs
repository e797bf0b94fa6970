//! Whose fault an error is, and which consensus rule was broken.

use std::borrow::Cow;

/// Who has to act on an error. Decides whether a peer is disconnected, a caller is told, or a bug is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Bytes from a peer broke a rule no honest node breaks: disconnect it.
    Peer,
    /// The local caller asked for something that cannot be: tell it what and what to do.
    Caller,
    /// Our own invariant failed.
    Bug,
}

/// The id of a consensus rule, as it stands in `docs/spec/rules.md`, for example `R-POW`.
pub type RuleId = &'static str;

/// A broken consensus rule: which one, and what was seen and expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {detail}")]
pub struct Violation {
    /// The rule's id.
    pub rule: RuleId,
    /// What was wrong, with the figures.
    pub detail: Cow<'static, str>,
}

impl Violation {
    /// A violation of `rule`.
    pub fn new(rule: RuleId, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { rule, detail: detail.into() }
    }

    /// Whether the header itself is condemned. Not by R-ROOT: another copy of the body may be the one the header commits to,
    /// so a block refused by that rule must not be remembered as invalid.
    pub fn condemns_header(&self) -> bool {
        self.rule != "R-ROOT"
    }
}

/// Text that should have been an exact number of hex digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {digits} hex digits; got {got} characters that are not")]
pub struct HexError {
    /// The type that was to be read.
    pub what: &'static str,
    /// How many digits it has.
    pub digits: usize,
    /// How many characters there were.
    pub got: usize,
}
