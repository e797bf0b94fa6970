//! Health data from outside: FHIR bundles, vital signs, and what of them may be public, on real samples.
#![allow(clippy::unwrap_used, missing_docs, clippy::print_stderr, reason = "tests")]

mod data;
mod deid;
mod fhir;
mod fhir_errors;
mod vitals;
