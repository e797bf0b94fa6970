//! Why a group did not do what was asked.

use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::CommandError;

/// Why a group did not do what was asked, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// Not one of this participant's.
    #[error("group {0} is none of this node's participant; `medring group status` lists those it is in")]
    Unknown(GroupUid),
    /// The machine refused.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Something given is wrong.
    #[error("{0}")]
    Input(String),
    /// Nothing may be sealed under the epoch in force, or none is.
    #[error("{0}")]
    NotSealing(String),
    /// What is to be remembered cannot be stored.
    #[error("{0}")]
    Storage(String),
    /// The other node was not reached, or did not answer.
    #[error("{0}")]
    Unreachable(String),
    /// The node stops, or is too busy to answer.
    #[error("the groups of this node do not answer; it is stopping, or look at its log")]
    Gone,
}
