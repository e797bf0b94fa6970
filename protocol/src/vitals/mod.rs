//! Vital-sign recordings: read from a CSV with its gaps kept, written to FHIR and back without losing a sample
//! (docs/spec/mapping.md).

mod csv_table;
mod decimal;
mod fhir;
mod layout;
mod recording;
mod time;
mod window;

pub use decimal::{Decimal, NotDecimal};
pub use layout::{Channel, LOINC, Layout, MDC};
pub use recording::{Recording, Signal, Stats};
pub use time::{instant, parse_instant};
pub use window::{
    SAMPLE_TIME_MS_END, STREAM_NAME_BYTES_MAX, Track, WINDOW_SAMPLES_MAX, WINDOW_SYSTEM, Window, is_stream_name,
};

pub(crate) use layout::known_name;
pub(crate) use time::YEAR_10000_MS;

/// A CSV from outside, in bytes.
pub const CSV_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Signals of one recording.
pub const SIGNALS_MAX: usize = 32;
/// Samples of one signal, gaps included (a month of minutes has 44,640).
pub const SAMPLES_MAX: usize = 1_000_000;
/// Samples of all signals together, gaps included; bounds memory.
pub const CELLS_MAX: usize = 4_000_000;

/// Why a table, a mapping or a bundle is not a recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VitalsError {
    /// More than [`CSV_BYTES_MAX`] bytes.
    #[error("the table is {got} bytes and the limit is {limit}; cut it into shorter recordings")]
    TooLarge {
        /// Bytes given.
        got: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Wrong in one cell, or one line.
    #[error("line {line}, column {column}: {what}")]
    Cell {
        /// Line, from 1.
        line: u64,
        /// Column (field, not character), from 1.
        column: usize,
        /// What is wrong and what would be right.
        what: String,
    },
    /// Nothing in it.
    #[error("the table has no row of values; give a CSV of vital signs")]
    Empty,
    /// The mapping of columns is wrong.
    #[error("the column mapping is wrong: {what}; a mapping looks like @minute=60s,heart_rate_bpm=8867-4:/min,note=-")]
    Layout {
        /// What is wrong.
        what: String,
    },
    /// A bundle that does not hold one recording as this module writes it.
    #[error("the bundle holds no recording that can be read: {what}")]
    NotARecording {
        /// What is missing or different.
        what: String,
    },
}
