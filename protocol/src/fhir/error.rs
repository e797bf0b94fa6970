//! What can be wrong with a bundle from outside: what, where, and what to do about it.

/// Why bytes are not a FHIR R4 bundle that medring takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FhirError {
    /// No bytes, or nothing but white space.
    #[error("the bundle is empty; give a FHIR R4 Bundle or a single FHIR R4 resource as JSON")]
    Empty,
    /// More than [`super::BUNDLE_BYTES_MAX`] bytes.
    #[error(
        "the bundle is {got} bytes and the limit is {limit}; split it by date or by encounter and submit the parts"
    )]
    TooLarge {
        /// Bytes given.
        got: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not UTF-8.
    #[error(
        "byte {at} (counted from 0) is not UTF-8; FHIR JSON is UTF-8 only, convert the file (for example with iconv -t UTF-8)"
    )]
    NotUtf8 {
        /// Offset of the first wrong byte.
        at: usize,
    },
    /// Not JSON, or JSON that two readers could understand differently (a member named twice).
    #[error("line {line}, column {column}: {what}; export the bundle again, or repair the JSON there")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the reader found.
        what: String,
    },
    /// JSON, but not FHIR R4.
    #[error("{at}: {what}")]
    NotFhir {
        /// Where, as a FHIRPath-like path, for example `Bundle.entry[3].resource`.
        at: String,
        /// What was found, what was expected, and what to do.
        what: String,
    },
}

impl FhirError {
    pub(crate) fn json(e: &serde_json::Error) -> Self {
        // serde_json appends the position to its message; it has its own fields here.
        let text = e.to_string();
        let what = text.split(" at line ").next().unwrap_or(&text).to_owned();
        Self::Json { line: e.line(), column: e.column(), what }
    }

    pub(crate) fn not_fhir(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self::NotFhir { at: at.into(), what: what.into() }
    }
}
