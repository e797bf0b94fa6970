//! Reading a step: a table with one key, which says what kind of step it is.

use super::step::{Action, Condition, Step, Word};
use serde::de::value::EnumAccessDeserializer;
use serde::de::{EnumAccess, IntoDeserializer, Visitor};
use serde::{Deserialize, Deserializer};

/// Every key that a step may have: what is done, then what is about a named block, then what must hold.
const KEYS: &[&str] = &[
    "start",
    "stop",
    "kill",
    "restart",
    "pause",
    "resume",
    "partition",
    "heal",
    "delay",
    "loss",
    "clock_skew",
    "disk_full",
    "disk_room",
    "mine",
    "submit",
    "behave",
    "connect",
    "remember",
    "invalidate",
    "reconsider",
    "height",
    "grown",
    "agree",
    "apart",
    "confirmed",
    "holds",
    "left",
    "peers",
    "reorg",
    "branches",
    "banned",
    "not_banned",
    "metric",
    "alive",
    "ended",
];
/// So many of them are what is done.
const ACTIONS: usize = 17;

/// The keys of [`Step::Remember`] and [`Step::Order`].
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Named {
    Remember { block: String, node: usize },
    Invalidate { block: String, node: usize },
    Reconsider { block: String, node: usize },
}
/// So many of them there are.
const NAMED: usize = 3;

impl From<Named> for Step {
    fn from(named: Named) -> Self {
        match named {
            Named::Remember { block, node } => Self::Remember { block, node },
            Named::Invalidate { block, node } => Self::Order { word: Word::Invalidate, block, node },
            Named::Reconsider { block, node } => Self::Order { word: Word::Reconsider, block, node },
        }
    }
}

/// A key that was read already, put back before its value.
struct Keyed<V> {
    key: String,
    value: V,
}

impl<'de, V: serde::de::VariantAccess<'de>> EnumAccess<'de> for Keyed<V> {
    type Error = V::Error;
    type Variant = V;

    fn variant_seed<S: serde::de::DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, V), V::Error> {
        Ok((seed.deserialize(self.key.into_deserializer())?, self.value))
    }
}

struct Steps;

impl<'de> Visitor<'de> for Steps {
    type Value = Step;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a table with one key, for example { mine = { nodes = [0], blocks = 3 } }")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, step: A) -> Result<Step, A::Error> {
        let (key, value) = step.variant::<String>()?;
        let Some(which) = KEYS.iter().position(|known| *known == key) else {
            return Err(serde::de::Error::unknown_variant(&key, KEYS));
        };
        let whole = EnumAccessDeserializer::new(Keyed { key, value });
        match which {
            0..ACTIONS => Action::deserialize(whole).map(Step::Act),
            n if n < ACTIONS + NAMED => Named::deserialize(whole).map(Step::from),
            _ => Condition::deserialize(whole).map(Step::Expect),
        }
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_enum("Step", KEYS, Steps)
    }
}
