//! The node without sockets, clock and randomness: inputs in, outputs out (docs/architecture.md).

mod io;

pub use io::{
    Event, Input, JobId, MessageId, Output, Peer, RequestError, RequestId, SubmitError, Template, Ticket, Topic,
    Verdict,
};
