//! Who may do what: scopes, the tokens that carry them, and what is logged of those who are refused.

mod endpoints;
mod file;
mod refusals;
mod scope;
mod tokens;

pub(super) use endpoints::endpoints;
pub(super) use refusals::{Refusals, Why};
pub use scope::Scope;
pub(super) use scope::{Identity, Needs};
pub use tokens::TokensError;
pub(crate) use tokens::{NewToken, Tokens};
pub(super) use tokens::{TokenError, Verdict};
