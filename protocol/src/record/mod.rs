//! Records: what producers sign, what uploaders wrap around it, and how both are hashed (PROTOCOL section 3; spec: records).

mod content;
mod envelope;
mod kind;
mod signatures;

pub use content::{Content, Receiver};
pub use envelope::{AuthProof, Envelope, Record};
pub use kind::{EpochCommit, Kind};
pub use signatures::{SigCheck, verify_all};
