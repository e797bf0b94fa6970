//! The document: Composition, sections of Table 1, what was left out, and the bytes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::conflicts::Conflict;
use super::items::{Items, Target, map_references};
use super::merge::Merged;
use super::shorten::shorten;
use super::trend::{Direction, Trend};
use super::{AggregateError, CONFLICTS_MAX, canonical, column, when};
use crate::fhir::{Column, Topic};
use crate::hash::{ParticipantId, Tag, h};
use crate::vitals::{Decimal, instant};

const BUDGET: &str = "urn:medring:budget";
const LEFT_OUT: &str = "urn:medring:left-out";
/// What each entry costs beyond its resource: its place in sections and the envelope.
const ENTRY_BYTES: usize = 200;

/// What the budget is spent on, first things first.
const PRECEDENCE: [Topic; 20] = [
    Topic::Profile,
    Topic::Allergy,
    Topic::Diagnosis,
    Topic::Medication,
    Topic::AdvanceDirective,
    Topic::BloodPressure,
    Topic::VitalSign,
    Topic::Immunization,
    Topic::Procedure,
    Topic::PastIllness,
    Topic::FamilyHistory,
    Topic::Laboratory,
    Topic::TreatmentPlan,
    Topic::Diet,
    Topic::Goal,
    Topic::Habits,
    Topic::Imaging,
    Topic::Supporting,
    Topic::Note,
    Topic::Administrative,
];

/// A document in the making.
pub(super) struct Document<'a> {
    patient: &'a ParticipantId,
    items: &'a Items<'a>,
    merged: &'a Merged,
    budget_bytes: usize,
    /// The entry of each class that is carried.
    entries: BTreeMap<usize, Value>,
    /// Resources of which bulk stays in the source.
    shortened: usize,
}

impl<'a> Document<'a> {
    /// Chooses what the document carries.
    pub(super) fn new(
        patient: &'a ParticipantId,
        items: &'a Items<'a>,
        merged: &'a Merged,
        budget_bytes: usize,
    ) -> Result<Self, AggregateError> {
        let entries = BTreeMap::new();
        let mut document = Self { patient, items, merged, budget_bytes, entries, shortened: 0 };
        // Every reference as if all were carried: what is chosen must not depend on itself.
        let mut costs = Vec::new();
        for class in 0..merged.classes.len() {
            let (entry, _) = document.entry(class, &|_| true);
            costs.push((document.precedence(class), canonical(&entry)?.len() + ENTRY_BYTES, class));
        }
        costs.sort_unstable();
        let (mut chosen, mut room) = (vec![false; merged.classes.len()], budget_bytes);
        for (_, cost, class) in costs {
            if let Some(left) = room.checked_sub(cost) {
                (chosen[class], room) = (true, left);
            }
        }
        for class in (0..merged.classes.len()).filter(|c| chosen[*c]) {
            let (entry, short) = document.entry(class, &|c| chosen[c]);
            document.shortened += usize::from(short);
            document.entries.insert(class, entry);
        }
        Ok(document)
    }

    /// First things first, and of one topic the newest.
    fn precedence(&self, class: usize) -> (usize, Reverse<Option<i64>>) {
        let item = &self.items.list[self.merged.classes[class].places[0]];
        let rank = PRECEDENCE.iter().position(|t| *t == item.topic).unwrap_or(PRECEDENCE.len());
        (rank, Reverse(when::when(item.resource.value())))
    }

    /// The entry of a class: the resource of its first place under the document's own id, its references turned into
    /// the document's, and all its places named. Whether bulk was taken out.
    fn entry(&self, class: usize, carried: &dyn Fn(usize) -> bool) -> (Value, bool) {
        let class = &self.merged.classes[class];
        let item = &self.items.list[class.places[0]];
        let mut resource = map_references(item.resource.value(), &mut |reference| {
            let target = match self.items.resolve(item.source, reference) {
                Target::Item(target) => target,
                Target::Subject => self.items.subject_of(item.source).or(self.items.subject())?,
                Target::Elsewhere => return None,
            };
            let class = self.merged.class_of[target];
            Some(if carried(class) { self.url(class) } else { self.items.place(&self.items.list[target]) })
        });
        let shortened = shorten(&mut resource);
        let id = uuid(&class.fingerprint);
        resource["id"] = json!(id);
        let places = class.places.iter().map(|&i| self.items.place(&self.items.list[i]));
        name_sources(&mut resource, places.collect());
        (json!({"fullUrl": format!("urn:uuid:{id}"), "resource": resource}), shortened)
    }

    fn url(&self, class: usize) -> String {
        format!("urn:uuid:{}", uuid(&self.merged.classes[class].fingerprint))
    }

    /// A reference to an item: to its entry, or to its place in the source if it is left out.
    fn reference(&self, item: usize) -> Value {
        let class = self.merged.class_of[item];
        let carried = self.entries.contains_key(&class);
        json!({"reference": if carried { self.url(class) } else { self.items.place(&self.items.list[item]) }})
    }

    /// A reference to the patient.
    fn subject(&self) -> Value {
        self.items.subject().map_or_else(|| self.participant(), |item| self.reference(item))
    }

    fn participant(&self) -> Value {
        json!({"identifier": {"system": "urn:medring:participant", "value": self.patient.to_string()}})
    }

    /// The whole document in canonical JSON.
    pub(super) fn write(&self, trends: &[Trend], conflicts: &[Conflict]) -> Result<Zeroizing<Vec<u8>>, AggregateError> {
        let records: Vec<&[u8]> = self.items.sources.iter().map(|s| &s.record.as_bytes()[..]).collect();
        let budget = self.budget_bytes.to_string();
        let fields: Vec<&[u8]> =
            [&b"document"[..], self.patient.as_bytes(), budget.as_bytes()].into_iter().chain(records).collect();
        let name = h(Tag::Aggregate, &fields);
        let made: Vec<Value> = trends
            .iter()
            .map(|t| self.vital_sign(t))
            .chain(conflicts.iter().take(CONFLICTS_MAX).map(|c| self.issue(c)))
            .collect();
        let (vital_signs, issues) = made.split_at(trends.len());
        let mut sections: Vec<Value> = [Column::Ehr, Column::Emr, Column::Phr].map(|c| self.column(c)).into();
        sections.push(section("vital-signs", "Latest vital signs", vital_signs, 0));
        sections.push(section("conflicts", "Conflicts between the records", issues, conflicts.len() - issues.len()));
        let composition = self.composition(&name, sections);
        let first = json!({"fullUrl": format!("urn:uuid:{}", uuid(&name)), "resource": composition});
        let entries: Vec<Value> = std::iter::once(first).chain(self.entries.values().cloned()).chain(made).collect();
        let mut document = json!({
            "resourceType": "Bundle",
            "type": "document",
            "identifier": {"system": "urn:medring:aggregate/1", "value": hex::encode(name)},
            "entry": entries,
        });
        if let Some(date) = self.date() {
            document["timestamp"] = json!(date);
        }
        canonical(&document).map(Zeroizing::new)
    }

    fn composition(&self, name: &[u8; 32], sections: Vec<Value>) -> Value {
        let sources: Vec<Value> = self.items.sources.iter().map(|source| {
            json!({"code": "transforms", "targetIdentifier": {
                "system": "urn:ietf:rfc:3986",
                "value": format!("urn:medring:record:{}", source.record),
                "type": {"text": column(source.kind).map_or("", title)},
                "assigner": {"identifier": {"system": "urn:medring:participant", "value": source.uploader.to_string()}},
            }})
        }).collect();
        let mut composition = json!({
            "resourceType": "Composition",
            "id": uuid(name),
            "status": "final",
            "type": {"coding": [{"system": "http://loinc.org", "code": "11503-0", "display": "Medical records"}]},
            "title": "Aggregated personal health record",
            "subject": self.subject(),
            "author": [self.participant()],
            "relatesTo": sources,
            "section": sections,
            "extension": [
                {"url": BUDGET, "valueUnsignedInt": self.budget_bytes},
                {"url": LEFT_OUT, "valueUnsignedInt": self.merged.classes.len() - self.entries.len()},
                {"url": "urn:medring:shortened", "valueUnsignedInt": self.shortened},
            ],
        });
        match self.date() {
            Some(date) => composition["date"] = json!(date),
            None => {
                composition["_date"] = json!({"extension": [{
                    "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown",
                }]})
            }
        }
        composition
    }

    /// The newest date from 1970 to 9999 in any source: the document is as of then. No clock.
    fn date(&self) -> Option<String> {
        let dates = self.items.list.iter().filter_map(|i| when::when(i.resource.value()));
        let dates = dates.filter_map(|ms| u64::try_from(ms).ok());
        dates.filter(|ms| *ms < crate::vitals::YEAR_10000_MS).max().map(instant)
    }

    /// One column of Table 1: every row in the paper's order, and last what no row takes.
    fn column(&self, column: Column) -> Value {
        let mut rows: BTreeMap<u8, (Vec<Value>, usize)> = BTreeMap::new();
        for (class, places) in self.merged.classes.iter().enumerate().map(|(i, c)| (i, &c.places)) {
            let Some(&item) = places.iter().find(|&&i| self.items.list[i].column == column) else {
                continue;
            };
            let row = self.items.list[item].topic.row(column).unwrap_or(0);
            let (carried, left_out) = rows.entry(row).or_default();
            if self.entries.contains_key(&class) {
                carried.push(json!({"fullUrl": self.url(class)}));
            } else {
                *left_out += 1;
            }
        }
        let name = title(column);
        let any = self.items.list.iter().any(|i| i.column == column);
        if !any {
            return section(name, name, &[], 0);
        }
        let numbered = (1..).zip(column.rows().iter().copied());
        let along = rows.contains_key(&0).then_some((0, "Referred to, or in no row"));
        let sections: Vec<Value> = numbered
            .chain(along)
            .map(|(row, title)| {
                let (carried, left_out) = rows.remove(&row).unwrap_or_default();
                section(&format!("{name}-{row}"), title, &carried, left_out)
            })
            .collect();
        json!({"code": coding(name), "title": name, "section": sections})
    }

    fn vital_sign(&self, trend: &Trend) -> Value {
        let (channel, stats) = (&trend.channel, &trend.stats);
        let quantity = |value: Decimal| {
            let number: Value = serde_json::from_str(&value.to_string()).unwrap_or(Value::Null);
            json!({"value": number, "unit": channel.unit, "system": "http://unitsofmeasure.org", "code": channel.unit})
        };
        let direction = match trend.direction {
            Direction::Rising => "rising",
            Direction::Falling => "falling",
            Direction::Steady => "steady",
            Direction::Unknown => "too-few-values",
        };
        let figure = |name: &str, value| json!({"code": {"text": name}, "valueQuantity": quantity(value)});
        let mut resource = json!({
            "resourceType": "Observation",
            "status": "final",
            "category": [{"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs",
            }]}],
            "code": {"coding": [{"system": channel.system, "code": channel.code}], "text": trend.name},
            "subject": self.subject(),
            "effectiveDateTime": instant(trend.to_ms),
            "valueQuantity": quantity(stats.latest),
            "interpretation": [{"coding": [{"system": "urn:medring:trend", "code": direction}]}],
            "component": [
                figure("minimum", stats.min),
                figure("maximum", stats.max),
                figure("mean", stats.mean),
                {"code": {"text": "values"}, "valueInteger": stats.present},
                {"code": {"text": "from"}, "valueDateTime": instant(trend.from_ms)},
            ],
        });
        let name = h(
            Tag::Aggregate,
            &[b"vital sign", channel.system.as_bytes(), channel.code.as_bytes(), channel.unit.as_bytes()],
        );
        name_sources(&mut resource, self.places(&trend.items));
        made(resource, &name)
    }

    fn issue(&self, conflict: &Conflict) -> Value {
        let implicated: Vec<Value> = conflict.items.iter().map(|&i| self.reference(i)).collect();
        let mut resource = json!({
            "resourceType": "DetectedIssue",
            "status": "final",
            "code": {"coding": [{"system": "urn:medring:conflict", "code": conflict.code}]},
            "patient": self.subject(),
            "implicated": implicated,
            "detail": conflict.detail,
        });
        name_sources(&mut resource, self.places(&conflict.items));
        made(resource, &conflict.id)
    }

    fn places(&self, items: &[usize]) -> Vec<String> {
        items.iter().map(|&i| self.items.place(&self.items.list[i])).collect()
    }
}

/// The budget a document names.
pub(super) fn budget_of(aggregate: &[u8]) -> Option<usize> {
    let document: Value = serde_json::from_slice(aggregate).ok()?;
    let extensions = document["entry"][0]["resource"]["extension"].as_array()?;
    let budget = extensions.iter().find(|e| e["url"] == BUDGET)?;
    budget["valueUnsignedInt"].as_u64().and_then(|b| usize::try_from(b).ok())
}

fn title(column: Column) -> &'static str {
    match column {
        Column::Ehr => "EHR",
        Column::Emr => "EMR",
        Column::Phr => "PHR",
    }
}

fn coding(code: &str) -> Value {
    json!({"coding": [{"system": "urn:medring:table1", "code": code}]})
}

/// A section of `entries` (each with a fullUrl). FHIR wants a reason for one without any.
fn section(code: &str, title: &str, entries: &[Value], left_out: usize) -> Value {
    let mut section = json!({"code": coding(code), "title": title});
    if entries.is_empty() {
        section["emptyReason"] = json!({"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/list-empty-reason",
            "code": if left_out == 0 { "unavailable" } else { "withheld" },
        }]});
    } else {
        section["entry"] = entries.iter().map(|e| json!({"reference": e["fullUrl"]})).collect();
    }
    if left_out > 0 {
        section["extension"] = json!([{"url": LEFT_OUT, "valueUnsignedInt": left_out}]);
    }
    section
}

/// Gives a resource of the document's own making its id.
fn made(mut resource: Value, name: &[u8; 32]) -> Value {
    let id = uuid(name);
    resource["id"] = json!(id);
    json!({"fullUrl": format!("urn:uuid:{id}"), "resource": resource})
}

/// Names where a resource comes from: `meta.source` the first place, an extension each further one.
fn name_sources(resource: &mut Value, places: Vec<String>) {
    let mut places = places.into_iter();
    if !resource["meta"].is_object() {
        resource["meta"] = Value::Object(Map::new());
    }
    let meta = &mut resource["meta"];
    meta["source"] = json!(places.next());
    let also: Vec<Value> = places.map(|p| json!({"url": "urn:medring:also-in", "valueUri": p})).collect();
    if !also.is_empty() {
        match meta.get_mut("extension").and_then(Value::as_array_mut) {
            Some(list) => list.extend(also),
            None => meta["extension"] = Value::Array(also),
        }
    }
}

/// The first 16 bytes as a UUID of version 8 (RFC 9562: by a method of one's own).
fn uuid(name: &[u8; 32]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&name[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
