//! What a person is told first of an aggregate that verified: its conflicts, its latest vital signs, what it left out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An aggregate in a few lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Summary {
    /// Length of the aggregate.
    pub bytes: usize,
    /// Resources it carries, each once.
    pub resources: usize,
    /// Merged resources that its budget left out.
    pub left_out: u64,
    /// Resources without their bulk (long series, attachments, narratives).
    pub shortened: u64,
    /// Contradictions between the records.
    pub conflicts: Vec<ConflictShown>,
    /// Further ones that the document only counts.
    pub more_conflicts: u64,
    /// Latest vital signs.
    pub vital_signs: Vec<VitalShown>,
}

/// One contradiction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ConflictShown {
    /// For example `medication-status`.
    pub code: String,
    /// Which record says what.
    pub detail: String,
}

/// One vital sign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VitalShown {
    /// For example `Heart rate`.
    pub name: String,
    /// The latest value, as canonical JSON writes it.
    pub value: serde_json::Number,
    /// UCUM.
    pub unit: String,
    /// When it was measured, a FHIR instant.
    pub at: String,
    /// `rising`, `falling`, `steady` or `too-few-values`.
    pub trend: String,
}

impl Summary {
    /// Of an aggregate that this node has made itself; None for anything else.
    pub(super) fn of(aggregate: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(aggregate).ok()?;
        let entries = document.get("entry")?.as_array()?;
        let composition = &entries.first()?["resource"];
        let section = |code: &str| {
            let sections = composition["section"].as_array().map_or(&[][..], Vec::as_slice);
            sections.iter().find(|s| s["code"]["coding"][0]["code"] == code).unwrap_or(&Value::Null)
        };
        let listed = |code: &str| -> Vec<&Value> {
            let named = section(code)["entry"].as_array().map_or(&[][..], Vec::as_slice);
            let find = |n: &Value| entries.iter().find(|e| e["fullUrl"] == n["reference"]).map(|e| &e["resource"]);
            named.iter().filter_map(find).collect()
        };
        let count = |of: &Value, url: &str| {
            let extensions = of["extension"].as_array().map_or(&[][..], Vec::as_slice);
            extensions.iter().find(|e| e["url"] == url).and_then(|e| e["valueUnsignedInt"].as_u64()).unwrap_or(0)
        };
        let (issues, signs) = (listed("conflicts"), listed("vital-signs"));
        Some(Self {
            bytes: aggregate.len(),
            resources: entries.len() - 1 - issues.len() - signs.len(),
            left_out: count(composition, "urn:medring:left-out"),
            shortened: count(composition, "urn:medring:shortened"),
            conflicts: issues.into_iter().map(conflict).collect(),
            more_conflicts: count(section("conflicts"), "urn:medring:left-out"),
            vital_signs: signs.into_iter().filter_map(vital_sign).collect(),
        })
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn conflict(issue: &Value) -> ConflictShown {
    ConflictShown { code: text(&issue["code"]["coding"][0]["code"]), detail: text(&issue["detail"]) }
}

fn vital_sign(observation: &Value) -> Option<VitalShown> {
    Some(VitalShown {
        name: text(&observation["code"]["text"]),
        value: observation["valueQuantity"]["value"].as_number()?.clone(),
        unit: text(&observation["valueQuantity"]["unit"]),
        at: text(&observation["effectiveDateTime"]),
        trend: text(&observation["interpretation"][0]["coding"][0]["code"]),
    })
}
