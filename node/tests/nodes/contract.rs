//! Holds answers against the API's own document: every answer that a test gets has to be one that the document describes.

use crate::common::Answer;
use serde_json::{Map, Value};
use std::sync::OnceLock;

/// The document.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::from_str(medring_node::api::openapi()).expect("the document is JSON"))
}

/// Panics unless this answer to `method path` is one that the document describes. What has no path or method there is not
/// looked at but for being a problem.
pub(crate) fn hold(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap_or_default();
    let Some(operation) = operation(method, path) else {
        assert!(
            [400, 401, 403, 404, 405].contains(&answer.status),
            "{method} {path} is not in the document: {answer:?}"
        );
        return;
    };
    let status = answer.status.to_string();
    let response = resolved(&operation["responses"][&status]);
    let content = response["content"].as_object();
    let content = content.unwrap_or_else(|| panic!("{method} {path} has no {status} in the document: {answer:?}"));
    let head = answer.head.to_lowercase();
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    let described = content.get(kind);
    let described = described.unwrap_or_else(|| panic!("{method} {path} {status} is {kind:?}, not one of {content:?}"));
    if let Some(schema) = described.get("schema") {
        let value = answer.json();
        if let Err(problem) = fits(&value, schema, "$") {
            panic!("{method} {path} {status}: {problem}\n{value:#}");
        }
    }
}

/// The operation whose path fits best: one with fewer parameters first.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let paths = document()["paths"].as_object().expect("paths");
    let fits = |template: &&String| {
        let (mut these, mut those) = (template.split('/'), path.split('/'));
        loop {
            match (these.next(), those.next()) {
                (None, None) => return true,
                (Some(one), Some(other)) if one == other || (one.starts_with('{') && !other.is_empty()) => {}
                _ => return false,
            }
        }
    };
    let best = paths.keys().filter(fits).min_by_key(|template| template.matches('{').count())?;
    paths[best].get(method.to_lowercase())
}

/// What a `$ref` points to; the value itself if it is none.
fn resolved(value: &'static Value) -> &'static Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => document().pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference} leads nowhere")),
        None => value,
    }
}

/// Whether a value is as a schema says: the part of JSON Schema that the document uses, and nothing but what it names.
pub(crate) fn fits(value: &Value, schema: &'static Value, at: &str) -> Result<(), String> {
    let schema = resolved(schema);
    let Some(rules) = schema.as_object() else {
        return if schema == &Value::Bool(false) { no(at, "nothing") } else { Ok(()) };
    };
    for word in ["oneOf", "anyOf"] {
        if let Some(ways) = rules.get(word).and_then(Value::as_array) {
            let tried: Vec<_> = ways.iter().map(|way| fits(value, way, at)).collect();
            if tried.iter().all(Result::is_err) {
                return Err(format!("{at} fits none of {word}: {tried:?}"));
            }
        }
    }
    if let Some(all) = rules.get("enum").and_then(Value::as_array).filter(|all| !all.contains(value)) {
        return no(at, &format!("{value} is none of {all:?}"));
    }
    if rules.get("const").is_some_and(|only| only != value) {
        return no(at, &format!("{value} is not {}", rules["const"]));
    }
    if let Some(kinds) = rules.get("type") {
        let kind_of = |kind: &Value| match kind.as_str().unwrap_or_default() {
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "null" => value.is_null(),
            other => panic!("{at}: the document names the type {other:?}"),
        };
        let one = |kinds: &Value| kinds.as_array().map_or_else(|| kind_of(kinds), |kinds| kinds.iter().any(kind_of));
        if !one(kinds) {
            return no(at, &format!("{value} is no {kinds}"));
        }
    }
    if let (Some(text), Some(pattern)) = (value.as_str(), rules.get("pattern").and_then(Value::as_str)) {
        let digits =
            pattern.strip_prefix("^[0-9a-f]{").and_then(|rest| rest.strip_suffix("}$")).and_then(|n| n.parse().ok());
        if digits.is_some_and(|digits: usize| text.len() != digits || !text.bytes().all(|b| b.is_ascii_hexdigit())) {
            return no(at, &format!("{text:?} is not {pattern}"));
        }
    }
    if let Some(items) = value.as_array() {
        let each = rules.get("items").into_iter().flat_map(|schema| items.iter().map(move |item| (item, schema)));
        let places = rules.get("prefixItems").and_then(Value::as_array);
        let placed = places.into_iter().flat_map(|schemas| items.iter().zip(schemas));
        for (item, schema) in each.chain(placed) {
            fits(item, schema, &format!("{at}[]"))?;
        }
    }
    value.as_object().map_or(Ok(()), |object| object_fits(object, rules, at))
}

fn object_fits(object: &Map<String, Value>, rules: &'static Map<String, Value>, at: &str) -> Result<(), String> {
    for name in rules.get("required").and_then(Value::as_array).into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        if !object.contains_key(name) {
            return no(at, &format!("{name} is missing"));
        }
    }
    let Some(properties) = rules.get("properties").and_then(Value::as_object) else { return Ok(()) };
    for (name, value) in object {
        match properties.get(name) {
            Some(schema) => fits(value, schema, &format!("{at}.{name}"))?,
            None if rules.get("additionalProperties").is_some_and(|more| more != &Value::Bool(false)) => {}
            None => return no(at, &format!("{name} is not in the document")),
        }
    }
    Ok(())
}

fn no(at: &str, problem: &str) -> Result<(), String> {
    Err(format!("{at}: {problem}"))
}
