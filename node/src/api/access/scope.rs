//! What a token may do, and what an endpoint needs.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// See what everybody on the network may know, and how this node is: chain, pool, peers, figures. Nothing of the wallet.
    Viewer,
    /// A viewer that may also read what the wallet and its groups open. Changes nothing.
    Reader,
    /// Hand in measurements, and nothing else.
    Device,
    /// Everything, tokens included.
    Operator,
}

impl Scope {
    /// Every scope, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Reader, Self::Device, Self::Operator];

    /// As in commands and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Reader => "reader",
            Self::Device => "device",
            Self::Operator => "operator",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|scope| scope.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{text:?} is no scope; choose one of {names}")
        })
    }
}

/// Whom an endpoint lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Needs {
    /// Everybody on this machine, without a token.
    Nothing,
    /// Whoever has one of these, or is an operator.
    One(&'static [Scope]),
}

impl Needs {
    /// Viewers and readers.
    pub(in crate::api) const VIEWER: Self = Self::One(&[Scope::Viewer, Scope::Reader]);
    /// Readers.
    pub(in crate::api) const READER: Self = Self::One(&[Scope::Reader]);
    /// Devices.
    pub(in crate::api) const DEVICE: Self = Self::One(&[Scope::Device]);
    /// Nobody but operators.
    pub(in crate::api) const OPERATOR: Self = Self::One(&[]);

    /// Whether a token of this scope will do.
    pub(in crate::api) fn admits(self, scope: Scope) -> bool {
        match self {
            Self::Nothing => true,
            Self::One(scopes) => scope == Scope::Operator || scopes.contains(&scope),
        }
    }

    /// The scopes that will do, the least first.
    pub(in crate::api) fn scopes(self) -> Vec<&'static str> {
        match self {
            Self::Nothing => Vec::new(),
            Self::One(_) => Scope::ALL.into_iter().filter(|scope| self.admits(*scope)).map(Scope::name).collect(),
        }
    }
}

/// Whose request it is; each carries one, put there by the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Identity {
    /// The token's id; `None`: the one drawn at the node's start.
    pub(in crate::api) token: Option<Arc<str>>,
    /// What it may do.
    pub(in crate::api) scope: Scope,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_open_what_they_are_for_and_nothing_else() {
        let admitted = |needs: Needs| Scope::ALL.map(|scope| needs.admits(scope));
        assert_eq!(admitted(Needs::VIEWER), [true, true, false, true]);
        assert_eq!(admitted(Needs::READER), [false, true, false, true]);
        assert_eq!(admitted(Needs::DEVICE), [false, false, true, true]);
        assert_eq!(admitted(Needs::OPERATOR), [false, false, false, true]);
        assert_eq!(Needs::READER.scopes(), ["reader", "operator"]);
    }

    #[test]
    fn a_scope_is_written_as_the_command_takes_it() {
        for scope in Scope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.name());
            assert_eq!(scope.name().parse(), Ok(scope));
        }
        assert!("admin".parse::<Scope>().unwrap_err().contains("viewer, reader, device, operator"));
    }
}
