//! FHIR R4 bundles: reading them with limits, and dividing them into EHR and EMR by the paper's Table 1
//! (docs/spec/mapping.md).

mod bundle;
mod error;
mod json;
pub(crate) mod refs;
mod split;
mod table1;
mod types;

pub use bundle::{Bundle, Entry, NotCarried, Resource};
pub use error::FhirError;
pub use split::{Parts, split};
pub use table1::{Column, Section, Topic, table1_sections, topic};

pub(crate) use bundle::str_at;
pub(crate) use table1::codes;

/// A bundle from outside, in bytes; the same as what a sealed part may decompress to.
pub const BUNDLE_BYTES_MAX: usize = crate::limits::SENSITIVE_PLAIN_BYTES_MAX;
/// Levels of nesting in a bundle (R4 resources stay far below 30).
pub const JSON_DEPTH_MAX: usize = 64;
/// JSON values in a bundle; bounds memory (a real bundle has one value in about 20 bytes).
pub const JSON_NODES_MAX: usize = 2_000_000;
