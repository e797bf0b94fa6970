//! Why a scenario is refused: the file, the line, what is wrong there and what would be right.

use std::ops::Range;

/// Why a scenario is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scenario {name}{}: {problem}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct ScenarioError {
    /// Which scenario.
    pub name: String,
    /// Where, from 1; `None`: the file as a whole.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl ScenarioError {
    pub(super) fn at(name: &str, text: &str, span: Option<Range<usize>>, problem: impl Into<String>) -> Self {
        Self { name: name.into(), line: span.map(|span| line_of(text, span.start)), problem: problem.into() }
    }
}

/// The line of a byte, from 1.
pub(super) fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1
}
