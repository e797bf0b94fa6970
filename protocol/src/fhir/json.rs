//! Strict JSON: one meaning per text. Bounded depth and size, no member named twice, and a minifier that keeps every token.

use std::{cell::Cell, collections::BTreeSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{FhirError, JSON_DEPTH_MAX, JSON_NODES_MAX};

/// Checks that `text` is one JSON value of bounded depth and number of values in which no object names a member twice.
///
/// A repeated member has no defined meaning: two readers of a signed record could see different medicines.
pub(crate) fn check(text: &str) -> Result<(), FhirError> {
    let nodes = Cell::new(0);
    let mut de = serde_json::Deserializer::from_str(text);
    Check { depth: 0, nodes: &nodes }.deserialize(&mut de).and_then(|()| de.end()).map_err(|e| FhirError::json(&e))
}

/// `text` without the white space between tokens. Numbers, escapes and the order of members stay as they were written.
pub(crate) fn minify(text: &str) -> String {
    let (mut out, mut in_string, mut escaped) = (String::with_capacity(text.len()), false, false);
    for c in text.chars() {
        if in_string {
            (in_string, escaped) = (escaped || c != '"', !escaped && c == '\\');
        } else if matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = c == '"';
        }
        out.push(c);
    }
    out
}

#[derive(Clone, Copy)]
struct Check<'a> {
    depth: usize,
    nodes: &'a Cell<usize>,
}

impl Check<'_> {
    fn count<E: Error>(&self) -> Result<(), E> {
        self.nodes.set(self.nodes.get() + 1);
        if self.nodes.get() > JSON_NODES_MAX {
            return Err(E::custom(format_args!("more than {JSON_NODES_MAX} JSON values")));
        }
        Ok(())
    }

    fn inner<E: Error>(&self) -> Result<Self, E> {
        if self.depth == JSON_DEPTH_MAX {
            return Err(E::custom(format_args!("nested deeper than {JSON_DEPTH_MAX} levels")));
        }
        Ok(Self { depth: self.depth + 1, nodes: self.nodes })
    }
}

impl<'de> DeserializeSeed<'de> for Check<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.count()
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.count()
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.count()
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.count()
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.count()
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.count()
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.count()?;
        let inner = self.inner()?;
        while seq.next_element_seed(inner)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.count()?;
        let inner = self.inner()?;
        let mut seen = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(inner)?;
            if let Some(name) = seen.replace(name) {
                return Err(A::Error::custom(format_args!("the member {name:?} stands twice in one object")));
            }
        }
        Ok(())
    }
}
