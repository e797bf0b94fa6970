//! What is kept beside a machine: this participant's own name for the group, and when it aggregates.

use super::{AphrPolicy, GroupError};
use medring_protocol::codec;
use serde::{Deserialize, Serialize};

/// Longest name, characters.
pub(super) const NAME_CHARS_MAX: usize = 40;
/// Longest form in the codec, bytes.
const BYTES_MAX: usize = 1024;

/// Stored with the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extra {
    pub(super) name: String,
    pub(super) policy: AphrPolicy,
}

impl Extra {
    pub(super) fn new(name: String) -> Self {
        Self { name, policy: AphrPolicy::default() }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        codec::decode(bytes, BYTES_MAX).map_err(|e| e.to_string())
    }
}

/// A name as people give it: 1 to 40 characters, none of them a control character, no space around it.
pub(super) fn check_name(name: &str) -> Result<String, GroupError> {
    let name = name.trim();
    let refuse = |what: &str| Err(GroupError::Input(format!("the name {what}; use 1 to {NAME_CHARS_MAX} characters")));
    match name.chars().count() {
        0 => refuse("is empty"),
        1..=NAME_CHARS_MAX if name.chars().any(char::is_control) => refuse("has a character that cannot be shown"),
        1..=NAME_CHARS_MAX => Ok(name.to_owned()),
        _ => refuse("is too long"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_shown_and_is_not_too_long() {
        assert_eq!(check_name("  Grandma's ring "), Ok("Grandma's ring".to_owned()));
        assert_eq!(check_name(&"ü".repeat(40)).map(|name| name.chars().count()), Ok(40));
        for wrong in ["", "  ", "a\nb", "\u{7}", &"x".repeat(41)] {
            assert!(check_name(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_kept_beside_a_machine_comes_back() {
        let policy = AphrPolicy { every_records: Some(3), every_minutes: None };
        let extra = Extra { name: "family".into(), policy };
        assert_eq!(Extra::decode(&extra.encode()), Ok(extra.clone()));
        assert!(Extra::decode(&extra.encode()[1..]).is_err());
    }
}
