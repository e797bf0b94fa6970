//! Duplicates: which resources say the same under different ids and references.

use std::collections::BTreeMap;

use serde_json::Value;

use super::items::{Item, Items, Target, map_references};
use crate::fhir::str_at;
use crate::hash::{Tag, h};

/// Rounds in which a difference spreads along references; resources that differ only beyond that many references merge.
const ROUNDS: usize = 16;

/// Resources that say the same: one entry of the document.
pub(super) struct Class {
    /// H over what they say; the document's id for them comes from it.
    pub(super) fingerprint: [u8; 32],
    /// Items, in the sources' order; the first is the one that is written.
    pub(super) places: Vec<usize>,
}

/// All items, merged.
pub(super) struct Merged {
    /// In the order of their first items.
    pub(super) classes: Vec<Class>,
    /// The class of each item.
    pub(super) class_of: Vec<usize>,
}

/// Merges by content: everything of a resource but `id`, `meta`, narrative and identifiers that repeat its id, with each
/// reference standing for what it refers to.
pub(super) fn merge(items: &Items<'_>) -> Merged {
    let said: Vec<([u8; 32], Vec<Target>)> = items.list.iter().map(|item| said(items, item)).collect();
    let mut fingerprints: Vec<[u8; 32]> = said.iter().map(|(own, _)| *own).collect();
    for _ in 0..ROUNDS {
        let next = said.iter().map(|(own, targets)| {
            let seen = targets.iter().map(|target| match target {
                Target::Item(i) => &fingerprints[*i][..],
                Target::Subject => b"subject",
                Target::Elsewhere => b"",
            });
            let fields: Vec<&[u8]> = [&b"same"[..], own].into_iter().chain(seen).collect();
            h(Tag::Aggregate, &fields)
        });
        fingerprints = next.collect();
    }
    let (mut classes, mut class_of) = (Vec::<Class>::new(), Vec::new());
    let mut known = BTreeMap::new();
    for (i, fingerprint) in fingerprints.into_iter().enumerate() {
        let class = *known.entry(fingerprint).or_insert_with(|| {
            classes.push(Class { fingerprint, places: Vec::new() });
            classes.len() - 1
        });
        classes[class].places.push(i);
        class_of.push(class);
    }
    Merged { classes, class_of }
}

/// The hash of what `item` says by itself, and what it refers to, in order. A reference that leads elsewhere stays text.
fn said(items: &Items<'_>, item: &Item<'_>) -> ([u8; 32], Vec<Target>) {
    let mut targets = Vec::new();
    let mut value = map_references(item.resource.value(), &mut |reference| {
        let target = items.resolve(item.source, reference);
        (target != Target::Elsewhere).then(|| {
            targets.push(target);
            String::new()
        })
    });
    if let Value::Object(members) = &mut value {
        let id = members.get("id").and_then(Value::as_str).map(str::to_owned);
        for name in ["id", "meta", "text"] {
            members.remove(name);
        }
        if let (Some(id), Some(Value::Array(identifiers))) = (id, members.get_mut("identifier")) {
            identifiers.retain(|i| str_at(i, "value").is_none_or(|v| v.strip_prefix("urn:uuid:").unwrap_or(v) != id));
            if identifiers.is_empty() {
                members.remove("identifier");
            }
        }
    }
    // What canonical JSON cannot express is told apart by its text, and refused when the document is written.
    let bytes = super::canonical(&value).unwrap_or_else(|_| item.resource.text().as_bytes().to_vec());
    (h(Tag::Aggregate, &[b"said", &bytes]), targets)
}
