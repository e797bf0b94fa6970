//! Where the records contradict each other, by a closed list (docs/spec/aggregate.md).

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Fact, facts};
use super::items::{Item, Items};
use crate::fhir::{Column, codes};
use crate::hash::{Tag, h};

/// Characters of one value that a conflict quotes.
const QUOTE_CHARS_MAX: usize = 120;
/// Statements that a conflict quotes, and resources it refers to: a hundred records that contradict each other in
/// everything still make a document that fits.
const STATEMENTS_MAX: usize = 8;

/// One contradiction.
pub(super) struct Conflict {
    /// For example `medication-status`.
    pub(super) code: String,
    /// The sentence.
    pub(super) detail: String,
    /// The items that contradict each other, in the sources' order.
    pub(super) items: Vec<usize>,
    /// Names it within every aggregate.
    pub(super) id: [u8; 32],
}

/// A fact and the item that states it.
struct Stated {
    item: usize,
    fact: Fact,
}

/// Every contradiction between the sources, ordered by code, then by what it is about.
pub(super) fn conflicts(items: &Items<'_>) -> Vec<Conflict> {
    // What each source says of each thing: its newest statement; of equally new ones the one that stands last.
    let mut things: BTreeMap<(&str, String), BTreeMap<usize, Stated>> = BTreeMap::new();
    for (i, item) in items.list.iter().enumerate() {
        for fact in facts(items, item) {
            let by_source = things.entry((fact.sort, fact.key.clone())).or_default();
            if by_source.get(&item.source).is_none_or(|before| before.fact.when <= fact.when) {
                by_source.insert(item.source, Stated { item: i, fact });
            }
        }
    }
    let mut found: Vec<Conflict> = Vec::new();
    for ((sort, key), by_source) in &things {
        let aspects: BTreeSet<&str> = by_source.values().flat_map(|s| s.fact.says.iter().map(|(a, _)| *a)).collect();
        found.extend(aspects.into_iter().filter_map(|aspect| disagree(items, sort, key, aspect, by_source)));
    }
    let allergies = things.iter().filter(|((sort, _), _)| *sort == "allergy");
    found.extend(allergies.filter_map(|((_, key), by_source)| not_everywhere(items, key, by_source)));
    found.iter_mut().for_each(|conflict| conflict.items.truncate(STATEMENTS_MAX));
    found.sort_by(|a, b| (&a.code, &a.detail, a.id).cmp(&(&b.code, &b.detail, b.id)));
    found
}

/// Sources whose newest statements give one aspect different values.
fn disagree(
    items: &Items<'_>,
    sort: &str,
    key: &str,
    aspect: &str,
    by_source: &BTreeMap<usize, Stated>,
) -> Option<Conflict> {
    let says = |s: &Stated| s.fact.says.iter().find(|(a, _)| *a == aspect).map(|(_, value)| value.clone());
    let said: Vec<(&Stated, String)> = by_source.values().filter_map(|s| Some((s, says(s)?))).collect();
    let values: BTreeSet<&String> = said.iter().map(|(_, value)| value).collect();
    if values.len() < 2 {
        return None;
    }
    let label = &said.first()?.0.fact.label;
    let each: Vec<String> =
        said.iter().map(|(s, value)| format!("{} in {}", quote(value), name(items, &items.list[s.item]))).collect();
    let code = format!("{sort}-{}", kebab(aspect));
    Some(Conflict {
        detail: format!("{}: {} is {}", quote(label), kebab(aspect).replace('-', " "), some(&each)),
        items: said.iter().map(|(s, _)| s.item).collect(),
        id: h(Tag::Aggregate, &[b"conflict", code.as_bytes(), key.as_bytes()]),
        code,
    })
}

/// SNOMED CT codes that say there is no allergy, and the category they speak of (none: every one).
const NO_KNOWN: [(&str, Option<&str>); 5] = [
    ("716186003", None),
    ("160244002", None),
    ("409137002", Some("medication")),
    ("429625007", Some("food")),
    ("428607008", Some("environment")),
];

fn denies(item: &Item<'_>) -> Option<Option<&'static str>> {
    let value = item.resource.value();
    let snomed = codes(&value["code"]).filter(|(system, _)| *system == "http://snomed.info/sct");
    let found = snomed.into_iter().find_map(|(_, code)| NO_KNOWN.iter().find(|(c, _)| *c == code));
    found.map(|(_, category)| *category)
}

/// An allergy that stands in some sources while another denies it, lists others without it, or, when it stands in one
/// source only, an EHR or EMR does not mention allergies at all.
fn not_everywhere(items: &Items<'_>, key: &str, by_source: &BTreeMap<usize, Stated>) -> Option<Conflict> {
    let first = by_source.values().next()?;
    let item = &items.list[first.item];
    if denies(item).is_some() {
        return None;
    }
    let is_of = |category: &str| {
        let listed = item.resource.value().get("category").and_then(|c| c.as_array());
        listed.is_some_and(|list| list.iter().any(|c| c == category))
    };
    let (mut against, mut involved) = (Vec::new(), by_source.values().map(|s| s.item).collect::<Vec<_>>());
    for (s, source) in items.sources.iter().enumerate().filter(|(s, _)| !by_source.contains_key(s)) {
        let allergies = items
            .list
            .iter()
            .enumerate()
            .filter(|(_, i)| i.source == s && i.resource.resource_type() == "AllergyIntolerance");
        let allergies: Vec<(usize, &Item<'_>)> = allergies.collect();
        let denied = allergies.iter().find(|(_, i)| denies(i).is_some_and(|of| of.is_none_or(is_of)));
        let column = super::column(source.kind);
        let whole = column.is_some_and(|c| c != Column::Phr);
        let who = source_name(items, s);
        if let Some((i, _)) = denied {
            against.push(format!("denied by {who}"));
            involved.push(*i);
        } else if !allergies.is_empty() {
            against.push(format!("not among the allergies of {who}"));
        } else if whole && by_source.len() == 1 {
            against.push(format!("not in {who}, which names no allergy"));
        }
    }
    if against.is_empty() {
        return None;
    }
    let stands: Vec<String> = by_source.keys().map(|s| source_name(items, *s)).collect();
    involved.sort_unstable();
    Some(Conflict {
        code: "allergy-not-everywhere".to_owned(),
        detail: format!("{}: in {}, but {}", quote(&first.fact.label), some(&stands), some(&against)),
        items: involved,
        id: h(Tag::Aggregate, &[b"conflict", b"allergy-not-everywhere", key.as_bytes()]),
    })
}

/// `EHR 1a2b3c4d`: a kind and the first digits of a RecordId.
fn source_name(items: &Items<'_>, source: usize) -> String {
    let source = &items.sources[source];
    let kind = match super::column(source.kind) {
        Some(Column::Ehr) => "EHR",
        Some(Column::Emr) => "EMR",
        _ => "PHR",
    };
    let record = source.record.to_string();
    format!("{kind} {}", record.get(..8).unwrap_or(&record))
}

fn name(items: &Items<'_>, item: &Item<'_>) -> String {
    source_name(items, item.source)
}

/// The first of a list, and how many more there are.
fn some(list: &[String]) -> String {
    let shown = list.get(..STATEMENTS_MAX).unwrap_or(list).join(", ");
    match list.len().saturating_sub(STATEMENTS_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A value in quotation marks, cut if long.
fn quote(text: &str) -> String {
    let cut: String = text.chars().take(QUOTE_CHARS_MAX).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("“{cut}{more}”")
}

/// `clinicalStatus` as `clinical-status`.
fn kebab(name: &str) -> String {
    name.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii_uppercase() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
        out
    })
}
