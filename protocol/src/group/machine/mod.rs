//! The life of a group as one participant keeps it: owner or member, without clock, sockets or disk.

mod io;

pub use io::{
    AttemptStatus, CandidateStatus, ChainView, Command, CommandError, Config, Env, EpochAccess, EpochStatus, Event,
    Fingerprint, HISTORY_MAX, Input, Invitation, InvitationStatus, Joining, Me, MyStanding, Output, PastEpoch, SendId,
    Snapshot, Standing, Status,
};
