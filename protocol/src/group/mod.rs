//! The group (PROTOCOL section 4). So far its formats, which cannot be changed later: the epoch descriptor and the GID it
//! gives. EpochCommit is in [`crate::record`], group seals and APHR content in [`crate::seal`]. Spec: groups.

mod descriptor;

pub use descriptor::{Change, DescriptorError, EpochDescriptor, Member};
