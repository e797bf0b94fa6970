//! The resources of all sources in one list, and what the references between them mean.

use serde_json::{Map, Value};

use super::{Source, column};
use crate::fhir::{Column, Resource, Topic, refs::Index, topic};

/// One resource where it stands: entry `entry` of source `source`.
pub(super) struct Item<'a> {
    pub(super) source: usize,
    pub(super) entry: usize,
    pub(super) column: Column,
    pub(super) topic: Topic,
    pub(super) resource: &'a Resource,
}

/// What a reference means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The one Patient of its source: the subject of the record.
    Subject,
    /// An item, by its index.
    Item(usize),
    /// Nothing among the sources: a server's business, or contained.
    Elsewhere,
}

/// Every resource of every source, by source and entry.
pub(super) struct Items<'a> {
    pub(super) sources: &'a [Source<'a>],
    pub(super) list: Vec<Item<'a>>,
    indexes: Vec<Index<'a>>,
    /// Index of each source's first item.
    starts: Vec<usize>,
    /// Each source's Patient, if it has exactly one; Err if it has several.
    subjects: Vec<Result<Option<usize>, ()>>,
}

impl<'a> Items<'a> {
    pub(super) fn new(sources: &'a [Source<'a>]) -> Self {
        let (mut list, mut starts, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
        for (s, source) in sources.iter().enumerate() {
            let start = list.len();
            starts.push(start);
            for (entry, e) in source.bundle.entries().iter().enumerate() {
                let resource = &e.resource;
                // `check` has refused every kind that has no column.
                let column = column(source.kind).unwrap_or(Column::Phr);
                list.push(Item { source: s, entry, column, topic: topic(resource), resource });
            }
            let mut patients = (start..list.len()).filter(|&i| is_patient(&list[i]));
            subjects.push(match (patients.next(), patients.next()) {
                (one, None) => Ok(one),
                _ => Err(()),
            });
        }
        let indexes = sources.iter().map(|s| Index::new(s.bundle)).collect();
        Self { sources, list, indexes, starts, subjects }
    }

    /// What `reference` means in source `source`. A `Patient/…` that a source without a Patient refers to is its subject:
    /// the record is the patient's by the recipient inside its seal.
    pub(super) fn resolve(&self, source: usize, reference: &str) -> Target {
        let found = self.indexes.get(source).and_then(|index| index.resolve(reference).first());
        let item = found.zip(self.starts.get(source)).map(|(entry, start)| start + entry);
        let subject = self.subjects.get(source).copied().unwrap_or(Err(()));
        match item {
            Some(item) if subject == Ok(Some(item)) => Target::Subject,
            Some(item) => Target::Item(item),
            None if subject == Ok(None) && reference.starts_with("Patient/") => Target::Subject,
            None => Target::Elsewhere,
        }
    }

    /// The Patient of `source`, if it has exactly one.
    pub(super) fn subject_of(&self, source: usize) -> Option<usize> {
        self.subjects.get(source).copied().and_then(Result::ok).flatten()
    }

    /// The first Patient that is a source's only one.
    pub(super) fn subject(&self) -> Option<usize> {
        (0..self.sources.len()).find_map(|s| self.subject_of(s))
    }

    /// Where an item stands: `urn:medring:record:<RecordId>#<entry>`.
    pub(super) fn place(&self, item: &Item<'_>) -> String {
        format!("urn:medring:record:{}#{}", self.sources[item.source].record, item.entry)
    }
}

fn is_patient(item: &Item<'_>) -> bool {
    item.resource.resource_type() == "Patient"
}

/// `value` with every reference for which `replace` gives another text replaced. Members are visited in the order of
/// their names' bytes, so that what `replace` sees does not depend on how an object was written.
pub(super) fn map_references(value: &Value, replace: &mut dyn FnMut(&str) -> Option<String>) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|v| map_references(v, replace)).collect(),
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            let mut out = Map::new();
            for name in names {
                let member = &members[name.as_str()];
                let new = match member {
                    Value::String(text) if refers(name, text) => replace(text).map(Value::String),
                    _ => None,
                };
                out.insert(name.clone(), new.unwrap_or_else(|| map_references(member, replace)));
            }
            Value::Object(out)
        }
        other => other.clone(),
    }
}

/// The same members that `fhir::refs::references` takes for references.
fn refers(name: &str, text: &str) -> bool {
    name == "reference" || (name == "url" && (text.starts_with("Binary/") || text.starts_with("urn:uuid:")))
}
