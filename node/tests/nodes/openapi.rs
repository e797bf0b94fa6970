//! The API's document: it is the one that is committed, it holds together, and it says of every endpoint whom it lets in.

use crate::contract::{document, fits};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_committed_document_is_the_one_that_nodes_serve() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let served = medring_node::api::openapi();
    if std::env::var_os("MEDRING_WRITE_OPENAPI").is_some() {
        std::fs::write(&path, served).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = committed.lines().zip(served.lines()).position(|(one, other)| one != other);
    assert!(
        committed == served,
        "docs/openapi.json is not what the code says, from line {} on: run this test once with MEDRING_WRITE_OPENAPI=1 set, and read the difference",
        differs.map_or(committed.lines().count(), |at| at) + 1
    );
}

fn each(value: &'static Value, found: &mut impl FnMut(&'static str, &'static Value)) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            found(name, value);
            each(value, found);
        }),
        Value::Array(items) => items.iter().for_each(|item| each(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_nothing_is_left_over() {
    let mut named = BTreeSet::new();
    each(document(), &mut |name, value| {
        if name == "$ref" {
            let reference = value.as_str().unwrap();
            assert!(document().pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
            named.insert(reference.to_owned());
        }
    });
    for kind in ["schemas", "responses"] {
        for name in document()["components"][kind].as_object().unwrap().keys() {
            assert!(named.contains(&format!("#/components/{kind}/{name}")), "nothing refers to the {kind} {name}");
        }
    }
    assert!(named.len() > 40, "{named:?}");
}

#[test]
fn every_operation_says_its_scopes_its_answer_and_its_problems() {
    let paths = document()["paths"].as_object().unwrap();
    let (mut ids, mut operations) = (BTreeSet::new(), 0);
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            let what = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{what} has another's operationId");
            assert!(operation["summary"].as_str().is_some_and(|says| says.len() > 5), "{what}");
            let tags: Vec<_> = document()["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
            assert!(tags.contains(&&operation["tags"][0]), "{what} stands under no heading");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{what} never succeeds");
            let scopes = &operation["security"][0]["token"];
            match path == "/health" {
                true => assert_eq!(operation["security"], json!([])),
                false => {
                    assert!(
                        scopes.as_array().is_some_and(|scopes| scopes.contains(&json!("operator"))),
                        "{what}: {scopes}"
                    );
                    assert!(responses.contains_key("401") && responses.contains_key("403"), "{what}");
                }
            }
            let open = path.matches('{').count();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            assert_eq!(parameters.filter(|one| one["in"] == "path").count(), open, "{what}: parameters of its path");
            if method != "get" {
                assert_ne!(scopes, &json!(["viewer", "reader", "operator"]), "{what}: who only looks changes nothing");
            }
        }
    }
    assert!(operations > 55, "{operations} operations");
}

#[test]
fn every_example_of_a_body_is_what_its_schema_says() {
    for (path, methods) in document()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let content = operation["requestBody"]["content"].as_object();
            for body in content.into_iter().flat_map(|content| content.values()) {
                if let Some(example) = body.get("example") {
                    fits(example, &body["schema"], "$").unwrap_or_else(|problem| panic!("{method} {path}: {problem}"));
                }
            }
        }
    }
}

#[test]
fn the_check_of_answers_sees_what_is_missing_wrong_or_too_much() {
    let schema = &document()["components"]["schemas"]["TipInfo"];
    let good = json!({"id": "0".repeat(64), "height": 1, "time_ms": 2, "work": "3"});
    fits(&good, schema, "$").unwrap();
    let with = |name: &str, value: Value| {
        let mut tip = good.clone();
        tip[name] = value;
        tip
    };
    for (bad, word) in [
        (json!({"id": "0".repeat(64)}), "missing"),
        (with("id", json!("xyz")), "xyz"),
        (with("height", json!("1")), "no"),
        (with("colour", json!(1)), "colour"),
    ] {
        let problem = fits(&bad, schema, "$").unwrap_err();
        assert!(problem.contains(word), "{problem}");
    }
}
