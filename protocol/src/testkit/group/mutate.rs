//! Every way to spoil one field of a message, found by walking its JSON form, so that no field can be forgotten.

use crate::group::message::Message;
use serde_json::Value;

/// Enum values written as strings; the next one in the row takes the place of each.
const WORDS: &[&[&str]] = &[
    &["leave", "update", "return"],
    &["left", "removed", "suspended"],
    &["proposed", "pairing", "sharing", "confirming", "committing"],
];
/// Enum values written as keys.
const KEYS: &[&str] = &["join", "leave", "remove", "suspend", "return", "update"];

/// One spoiled message per leaf of its JSON form, and per element of its lists (left out, doubled), each with the path of what
/// was changed. What is no message of the same kind any more is left out: it would fail to decode.
pub fn mutations(message: &Message) -> Vec<(String, Message)> {
    let Ok(whole) = serde_json::to_value(message) else { return Vec::new() };
    let mut spoiled = Vec::new();
    walk(&whole, "", &mut |path, value| spoiled.push((path, value)));
    spoiled.into_iter().filter_map(|(path, value)| Some((path, serde_json::from_value(value).ok()?))).collect()
}

/// Calls `found` with the whole value, one place changed, for each place in it.
fn walk(value: &Value, path: &str, found: &mut dyn FnMut(String, Value)) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                walk(inner, &format!("{path}/{key}"), &mut |path, changed| {
                    let mut fields = fields.clone();
                    fields.insert(key.clone(), changed);
                    found(path, Value::Object(fields));
                });
                if let Some(at) = KEYS.iter().position(|k| k == key) {
                    let other = KEYS[(at + 1) % KEYS.len()].to_string();
                    found(format!("{path}/{key}, kind"), Value::Object([(other, inner.clone())].into_iter().collect()));
                }
            }
        }
        Value::Array(items) if items.iter().all(Value::is_number) => spoil_bytes(items, path, found),
        Value::Array(items) => spoil_list(items, path, found),
        other => {
            if let Some(changed) = spoil_leaf(other) {
                found(path.to_string(), changed);
            }
        }
    }
}

/// One bit of the first, a middle and the last byte; or a number where there was none.
fn spoil_bytes(bytes: &[Value], path: &str, found: &mut dyn FnMut(String, Value)) {
    let places = match bytes.len() {
        0 => {
            found(format!("{path}, longer"), Value::Array(vec![Value::from(0)]));
            return;
        }
        1 => vec![0],
        len => vec![0, len / 2, len - 1],
    };
    for at in places {
        let mut changed = bytes.to_vec();
        changed[at] = Value::from(bytes[at].as_u64().unwrap_or(0) ^ 1);
        found(format!("{path}[{at}]"), Value::Array(changed));
    }
    found(format!("{path}, shorter"), Value::Array(bytes[1..].to_vec()));
}

fn spoil_list(items: &[Value], path: &str, found: &mut dyn FnMut(String, Value)) {
    for (at, inner) in items.iter().enumerate() {
        walk(inner, &format!("{path}[{at}]"), &mut |path, changed| {
            let mut items = items.to_vec();
            items[at] = changed;
            found(path, Value::Array(items));
        });
        let (mut less, mut more) = (items.to_vec(), items.to_vec());
        less.remove(at);
        more.insert(at, inner.clone());
        found(format!("{path}[{at}], left out"), Value::Array(less));
        found(format!("{path}[{at}], doubled"), Value::Array(more));
    }
}

fn spoil_leaf(leaf: &Value) -> Option<Value> {
    match leaf {
        Value::Number(number) => Some(Value::from(number.as_u64()? ^ 1)),
        Value::Null => Some(Value::from(0)),
        Value::String(text) => Some(Value::from(spoil_text(text))),
        _ => None,
    }
}

/// The next word of the row, or the last hex digit changed, or a letter more.
fn spoil_text(text: &str) -> String {
    for row in WORDS {
        if let Some(at) = row.iter().position(|word| *word == text) {
            return row[(at + 1) % row.len()].to_string();
        }
    }
    let mut bytes = text.as_bytes().to_vec();
    match bytes.last_mut() {
        Some(last) if last.is_ascii_hexdigit() => *last = if *last == b'0' { b'1' } else { b'0' },
        _ => bytes.push(b'x'),
    }
    String::from_utf8(bytes).unwrap_or_default()
}
