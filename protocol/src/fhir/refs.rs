//! References between the entries of a bundle: who refers to whom, and what has to come along.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Bundle, str_at};

/// Names by which the entries of one bundle can be referred to.
pub(crate) struct Index<'a> {
    by_name: BTreeMap<String, Vec<usize>>,
    bundle: &'a Bundle,
}

impl<'a> Index<'a> {
    /// Every entry under its fullUrl and under `Type/id`.
    pub(crate) fn new(bundle: &'a Bundle) -> Self {
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, entry) in bundle.entries().iter().enumerate() {
            let local = entry.resource.id().map(|id| format!("{}/{id}", entry.resource.resource_type()));
            let names: BTreeSet<String> = entry.full_url.iter().cloned().chain(local).collect();
            for name in names {
                by_name.entry(name).or_default().push(i);
            }
        }
        Self { by_name, bundle }
    }

    /// The entries a reference string means: those of that fullUrl or that `Type/id` (any version of it). Conditional
    /// references (`Practitioner?identifier=…`) and `#contained` ones mean none here.
    pub(crate) fn resolve(&self, reference: &str) -> &[usize] {
        let reference = reference.split("/_history/").next().unwrap_or(reference);
        self.by_name.get(reference).map_or(&[], Vec::as_slice)
    }

    /// `chosen` and all that it refers to, directly or through others.
    pub(crate) fn closure(&self, chosen: BTreeSet<usize>) -> BTreeSet<usize> {
        let (mut all, mut todo, mut followed) = (chosen.clone(), chosen, BTreeSet::new());
        while let Some(i) = todo.pop_first() {
            let entry = self.bundle.entries().get(i);
            let references = entry.map(|e| references(e.resource.value())).unwrap_or_default();
            // Each name is followed once, so that a bundle of entries under one name costs no more than any other.
            for reference in references.into_iter().filter(|r| followed.insert(*r)) {
                todo.extend(self.resolve(reference).iter().filter(|&&t| all.insert(t)));
            }
        }
        all
    }
}

/// Every string by which a resource refers to another: `Reference.reference`, and an attachment's relative url.
pub(crate) fn references(value: &Value) -> Vec<&str> {
    let (mut found, mut todo) = (Vec::new(), vec![value]);
    while let Some(value) = todo.pop() {
        match value {
            Value::Array(list) => todo.extend(list),
            Value::Object(members) => {
                found.extend(str_at(value, "reference"));
                found.extend(str_at(value, "url").filter(|u| u.starts_with("Binary/") || u.starts_with("urn:uuid:")));
                todo.extend(members.values());
            }
            _ => {}
        }
    }
    found
}
