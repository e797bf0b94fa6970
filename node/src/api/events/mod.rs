//! Server-sent events: what happens on the chain, in the pool and in the participant's groups, as it happens.

mod feed;
mod hub;
mod stream;

pub(super) use feed::feed;
pub(crate) use hub::Hub;
pub(super) use stream::endpoints;
