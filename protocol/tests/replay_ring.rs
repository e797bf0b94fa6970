//! The replay tool over the public vectors: it passes what is sound, and names what was altered.
// Clippy excuses only `#[test]` functions, not their helpers; the example's `main` is not called here.
#![allow(clippy::unwrap_used, dead_code)]

#[path = "../examples/replay_ring.rs"]
mod tool;

use serde_json::Value;

fn cases() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/spec/vectors/ring.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["cases"].as_array().unwrap().clone()
}

/// The case with joins and leaves.
fn long_case() -> Value {
    cases().into_iter().max_by_key(|case| case["epochs"].as_array().unwrap().len()).unwrap()
}

#[test]
fn an_observer_finds_the_vectors_sound_and_each_member_derives_their_keys() {
    for case in cases() {
        let epochs = case["epochs"].as_array().unwrap();
        assert_eq!(tool::replay(&case, None).unwrap().len(), 1 + epochs.len());
        for member in case["members"].as_array().unwrap() {
            let report = tool::replay(&case, member["id"].as_str()).unwrap();
            let (mut derived, mut told) = (Vec::new(), Vec::new());
            for epoch in epochs {
                if epoch["ed"]["roster"].as_array().unwrap().iter().any(|m| m["id"] == member["id"]) {
                    told.push(epoch["secrets"]["fingerprint"].as_str().unwrap());
                }
            }
            for line in report.iter().filter(|line| line.contains("fingerprint")) {
                derived.push(line.rsplit(' ').next().unwrap());
            }
            assert_eq!(derived, told);
        }
    }
}

/// Flips the first digit of a text.
fn flip(value: &mut Value) {
    let text = value.as_str().unwrap();
    let other = if text.starts_with('0') { '1' } else { '0' };
    *value = format!("{other}{}", &text[1..]).into();
}

/// Every text of the public record of an epoch, as JSON pointers.
fn texts(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::String(_) => out.push(at.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| texts(item, &format!("{at}/{i}"), out));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, item)| texts(item, &format!("{at}/{name}"), out)),
        _ => {}
    }
}

#[test]
fn an_observer_notices_every_altered_text_but_what_only_members_can_check() {
    let case = long_case();
    let mut pointers = Vec::new();
    for (i, epoch) in case["epochs"].as_array().unwrap().iter().enumerate() {
        let mut public = epoch.clone();
        public.as_object_mut().unwrap().remove("secrets");
        texts(&public, &format!("/epochs/{i}"), &mut pointers);
    }
    let mut unnoticed = Vec::new();
    for pointer in &pointers {
        let mut altered = case.clone();
        flip(altered.pointer_mut(pointer).unwrap());
        if tool::replay(&altered, None).is_ok() {
            unnoticed.push(pointer.as_str());
        }
    }
    // The MACs of an agreement that no signature covers, and what the file repeats for its readers.
    let excused = |pointer: &&&str| {
        let ends = ["m2/mac", "m3/ack", "ed/signing_hash", "/id", "transcript"];
        ends.iter().any(|end| pointer.ends_with(end)) && !pointer.ends_with("commit/transcript")
    };
    let rest: Vec<_> = unnoticed.iter().filter(|p| !excused(p)).collect();
    assert!(rest.is_empty(), "{rest:#?}");
    assert!(pointers.len() > 200, "{}", pointers.len());
}

#[test]
fn a_member_notices_the_macs_too() {
    let case = long_case();
    let ends = |pair: &Value| {
        let roster = case["epochs"][0]["ed"]["roster"].as_array().unwrap();
        let i = usize::try_from(pair["pair"].as_u64().unwrap()).unwrap();
        [i, (i + 1) % roster.len()].map(|i| roster[i]["id"].as_str().unwrap().to_owned())
    };
    for (i, pair) in case["epochs"][0]["agreements"].as_array().unwrap().iter().enumerate() {
        let [initiator, responder] = ends(pair);
        for (pointer, noticed_by) in [("m2/mac", &initiator), ("m3/ack", &responder)] {
            let mut altered = case.clone();
            flip(altered.pointer_mut(&format!("/epochs/0/agreements/{i}/{pointer}")).unwrap());
            assert!(tool::replay(&altered, Some(noticed_by)).is_err(), "{pointer} of agreement {i}");
        }
    }
}

#[test]
fn a_secret_that_was_not_drawn_for_it_gives_another_agreement() {
    let mut case = long_case();
    let id = case["epochs"][0]["ed"]["roster"][0]["id"].as_str().unwrap().to_owned();
    flip(case.pointer_mut("/epochs/0/secrets/drawn/0/r_i").unwrap());
    let error = tool::replay(&case, Some(&id)).unwrap_err();
    assert!(error.contains("M1 does not follow from r_i"), "{error}");
}
