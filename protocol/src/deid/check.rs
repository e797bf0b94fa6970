//! The filter on the way out: m holds what its policy lists, each value from a closed set, and nothing else.

use serde_json::Value;

use super::{DeidError, Field, Policy, PublicKind, SCHEMA_VERSION, coarse, paper};
use crate::limits::PUBLIC_BYTES_MAX;

/// A member of m: its name, who may have it, and whether a value is one it may have.
struct Rule {
    name: &'static str,
    allowed: fn(&Policy) -> bool,
    valid: fn(&Value, PublicKind) -> bool,
}

const RULES: [Rule; 11] = [
    Rule { name: "kind", allowed: |_| true, valid: |v, kind| v == kind.text() },
    Rule { name: "v", allowed: |_| true, valid: |v, _| *v == SCHEMA_VERSION },
    Rule { name: "policy", allowed: |p| *p != Policy::Minimal, valid: |v, _| v == "coarse" || v == "paper" },
    Rule { name: "age_band", allowed: |p| opted(p, Field::AgeBand), valid: |v, _| coarse::is_age_band(v) },
    Rule { name: "categories", allowed: |p| opted(p, Field::Categories), valid: |v, _| coarse::is_categories(v) },
    Rule { name: "icd10", allowed: |p| opted(p, Field::Categories), valid: |v, _| coarse::is_chapters(v) },
    Rule { name: "year", allowed: |p| opted(p, Field::Year), valid: |v, _| coarse::is_year(v) },
    Rule { name: "stats", allowed: |p| opted(p, Field::WindowStats), valid: |v, _| coarse::is_stats(v) },
    Rule { name: "physiological", allowed: |p| *p == Policy::Paper, valid: |v, _| paper::is_list(v) },
    Rule { name: "condition", allowed: |p| *p == Policy::Paper, valid: |v, _| paper::is_list(v) },
    Rule { name: "advice", allowed: |p| *p == Policy::Paper, valid: |v, _| paper::is_list(v) },
];

fn opted(policy: &Policy, field: Field) -> bool {
    matches!(policy, Policy::Coarse(fields) if fields.contains(&field))
}

/// Checks that the bytes `m` may be public as the m of a record of `kind` under `policy`.
///
/// Whatever is not listed is refused: an unknown member, a known one the policy or the user has not opted in to, a value
/// outside its closed set, a member named twice, any other spelling than the canonical one. Errors never quote m.
pub fn check_public(kind: PublicKind, m: &[u8], policy: &Policy, is_demo_chain: bool) -> Result<(), DeidError> {
    check_policy(kind, policy, is_demo_chain)?;
    if m.len() > PUBLIC_BYTES_MAX {
        return Err(DeidError::TooLarge { got: m.len(), limit: PUBLIC_BYTES_MAX });
    }
    let value = canonical(m).ok_or(DeidError::NotCanonical)?;
    let members = value.as_object().ok_or(DeidError::NotCanonical)?;
    for (name, value) in members {
        let rule = RULES.iter().find(|r| r.name == name).ok_or(DeidError::Unlisted { field: "unknown" })?;
        if !(rule.allowed)(policy) {
            return Err(DeidError::Unlisted { field: rule.name });
        }
        if !(rule.valid)(value, kind) {
            return Err(DeidError::Value { field: rule.name });
        }
    }
    let policy_says = match policy {
        Policy::Minimal => None,
        Policy::Coarse(_) => Some("coarse"),
        Policy::Paper => Some("paper"),
    };
    if members.get("policy").and_then(Value::as_str) != policy_says {
        return Err(DeidError::Value { field: "policy" });
    }
    let missing = ["kind", "v"].into_iter().find(|name| !members.contains_key(*name));
    missing.map_or(Ok(()), |field| Err(DeidError::Value { field }))
}

/// Which policy a kind of record may have on which chain.
fn check_policy(kind: PublicKind, policy: &Policy, is_demo_chain: bool) -> Result<(), DeidError> {
    let personal = matches!(kind, PublicKind::Phr | PublicKind::Aphr);
    match policy {
        Policy::Paper if !is_demo_chain => Err(DeidError::DemoOnly { what: "policy paper" }),
        Policy::Coarse(_) if personal && !is_demo_chain => {
            Err(DeidError::DemoOnly { what: "policy coarse for PHR and APHR" })
        }
        Policy::Coarse(fields) if fields.contains(&Field::WindowStats) && kind != PublicKind::Phr => {
            Err(DeidError::NoStats { kind: kind.text() })
        }
        _ => Ok(()),
    }
}

/// `m` as a value if it is that value's canonical JSON. A member named twice is not: its first value would be lost.
fn canonical(m: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(m).ok()?;
    let value: Value = serde_json::from_str(text).ok()?;
    let spelled = value.to_string();
    (spelled == text).then_some(value)
}
