//! The APHR: what a patient's node makes of its newest records for the group, and what a member's node finds when it makes
//! the same again from its own chain (docs/spec/aggregate.md).

mod gather;
mod make;
mod policy;
mod report;
mod source;
mod submit;
mod summary;
#[cfg(test)]
mod tests;

pub use gather::{Gathered, SOURCES_OF_A_KIND_MAX, Skipped, gather};
pub use make::{AphrError, Draft, make};
pub(crate) use policy::run;
pub use policy::{Candidate, Why, due};
pub use report::{AphrReport, ReportError, newest, report};
pub use source::{SourceReport, Verdict};
pub(crate) use submit::{Chosen, PublishError, Published, play, publish};
pub use summary::{ConflictShown, Summary, VitalShown};
