//! Bulk that the document leaves to the sources: long sample series, attachments and narratives.

use serde_json::{Value, json};

/// A sample series longer than this stays in its source; the document has its figures.
const SERIES_BYTES_MAX: usize = 1024;
/// An attachment's or a Binary's base64 longer than this stays in its source.
const DATA_BYTES_MAX: usize = 16 * 1024;
/// A narrative longer than this stays in its source; it repeats what the resource says in fields.
const NARRATIVE_BYTES_MAX: usize = 1024;

/// Takes bulk out of a resource and tags it as FHIR tags what is incomplete; true if there was any.
pub(super) fn shorten(resource: &mut Value) -> bool {
    let shortened = cut(resource);
    if shortened {
        let subsetted =
            json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"});
        if !resource["meta"].is_object() {
            resource["meta"] = json!({});
        }
        match resource["meta"].get_mut("tag").and_then(Value::as_array_mut) {
            Some(tags) if tags.contains(&subsetted) => {}
            Some(tags) => tags.push(subsetted),
            None => resource["meta"]["tag"] = json!([subsetted]),
        }
    }
    shortened
}

fn cut(value: &mut Value) -> bool {
    match value {
        Value::Array(list) => list.iter_mut().fold(false, |any, v| cut(v) | any),
        Value::Object(members) => {
            let longer = |v: Option<&Value>, max| v.and_then(Value::as_str).is_some_and(|s| s.len() > max);
            let series = members.contains_key("dimensions");
            let data = longer(members.get("data"), if series { SERIES_BYTES_MAX } else { DATA_BYTES_MAX });
            let text = longer(members.get("text").and_then(|t| t.get("div")), NARRATIVE_BYTES_MAX);
            for (name, out) in [("data", data), ("text", text)] {
                if out {
                    members.remove(name);
                }
            }
            members.values_mut().fold(data | text, |any, v| cut(v) | any)
        }
        _ => false,
    }
}
