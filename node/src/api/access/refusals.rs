//! What the log says of requests that were refused: why and where to, never with what, and not more often than a person can read.

use crate::telemetry::Limiter;
use std::sync::{Mutex, PoisonError};

/// Why a request was refused before it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Why {
    /// The Host header names somebody else: DNS rebinding, for example.
    Host,
    /// A page of another origin sent it.
    Origin,
    /// No token.
    NoToken,
    /// A token that is none of ours, or was revoked.
    WrongToken,
    /// A token that ran out.
    Expired,
    /// A token that is for something else.
    Scope,
}

impl Why {
    const COUNT: usize = 6;

    const fn name(self) -> &'static str {
        match self {
            Self::Host => "foreign host",
            Self::Origin => "foreign origin",
            Self::NoToken => "no token",
            Self::WrongToken => "wrong token",
            Self::Expired => "expired token",
            Self::Scope => "scope",
        }
    }
}

/// Refusals on their way to the log: one line of each kind in a while, with the number of those left out since.
#[derive(Debug, Default)]
pub(in crate::api) struct Refusals(Mutex<[Limiter; Why::COUNT]>);

impl Refusals {
    /// Says that a request for `route` (a path of ours with its parameters' names, never what was sent) was refused; `token`
    /// is the public id of one that is known.
    pub(in crate::api) fn note(&self, why: Why, route: &str, token: Option<&str>, now_ms: u64) {
        let mut limiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = limiters.get_mut(why as usize).and_then(|limiter| limiter.allow(now_ms));
        drop(limiters);
        if let Some(more) = allowed {
            let token = token.unwrap_or("-");
            tracing::warn!(why = why.name(), route, token, more, "the API refused a request");
        }
    }
}
