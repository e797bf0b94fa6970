//! How a group is shown: the committed fixtures against what people should see of them.
//! `MEDRING_WRITE_FIXTURES=1` writes the pages anew after a change; read them before you commit them.

use super::status::StatusReport;
use super::who::People;
use crate::output::{Report, Style};
use medring_node::api::types::GroupInfo;
use medring_protocol::ParticipantId;
use medring_protocol::identity::Role;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Fixture {
    me: ParticipantId,
    now_ms: u64,
    roles: BTreeMap<ParticipantId, Role>,
    info: GroupInfo,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/group")
}

fn fixture(name: &str) -> Fixture {
    let text = fs::read(folder().join(format!("{name}.json"))).unwrap();
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn report(name: &str, ids: bool) -> StatusReport {
    let Fixture { me, now_ms, roles, info } = fixture(name);
    let people = People::of(&info).with_roles(|id| Ok(roles.get(id).copied())).unwrap();
    StatusReport::new(info, people, Some(me), ids, now_ms)
}

#[test]
fn every_fixture_is_shown_as_its_page_says() {
    let mut wrong = Vec::new();
    for name in ["empty", "one", "two", "three", "seven", "sixty-four", "member", "changed", "removed", "stopped"] {
        let text = report(name, name == "seven").text(Style::plain());
        let page = folder().join(format!("{name}.txt"));
        if std::env::var_os("MEDRING_WRITE_FIXTURES").is_some() {
            fs::write(&page, &text).unwrap();
        }
        if fs::read_to_string(&page).unwrap_or_default() != text {
            wrong.push(format!("{name}:\n{text}"));
        }
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{name} is too wide:\n{text}");
        assert!(!text.contains('\x1b'), "{name} writes over the terminal");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_manual_shows_a_fixture() {
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md")).unwrap();
    let page = report("changed", false).text(Style::plain());
    assert!(manual.contains(&format!("```text\n{page}```\n")), "docs/cli.md should show this:\n{page}");
}

#[test]
fn json_keeps_every_field_of_the_api_and_adds_who_is_outside() {
    let json = serde_json::to_value(report("seven", false)).unwrap();
    let api = serde_json::to_value(fixture("seven").info).unwrap();
    for (name, value) in api.as_object().unwrap() {
        assert_eq!(&json[name], value, "{name}");
    }
    // The carer was removed and the aunt is suspended; both were in epochs 0 or 1 and no later ones.
    let former = json["former"].as_array().unwrap();
    let epochs: Vec<_> = former.iter().map(|f| f["epochs"].clone()).collect();
    assert_eq!(former.len(), 2, "{json}");
    assert!(epochs.contains(&serde_json::json!([0, 1])) && epochs.contains(&serde_json::json!([1])), "{epochs:?}");
}

#[test]
fn every_member_stands_in_the_ring_once() {
    for name in ["one", "two", "three", "seven", "sixty-four"] {
        let info = fixture(name).info;
        let text = report(name, false).text(Style::plain());
        let ring = text.split("\n\n").nth(1).unwrap();
        let drawn = ring.chars().filter(|c| "●○".contains(*c)).count();
        assert_eq!(drawn, info.status.active.as_ref().unwrap().ring.len(), "{name}:\n{ring}");
        for (id, name) in &info.status.names {
            let short: String = name.chars().take(20).collect();
            let inside = info.status.active.as_ref().unwrap().ring.contains(id);
            assert_eq!(ring.contains(&short), inside, "{short} in\n{ring}");
        }
    }
}

#[test]
fn people_are_named_by_name_id_or_first_digits() {
    let info = fixture("three").info;
    let people = People::of(&info);
    let carer = people.find("carer").unwrap();
    assert_eq!(people.find("CARER").unwrap(), carer);
    assert_eq!(people.find(&carer.to_string()).unwrap(), carer);
    assert_eq!(people.find(&carer.short()).unwrap(), carer);
    assert_eq!(people.find(&carer.to_string()[..4].to_uppercase()).unwrap(), carer);
    let told = |word: &str| people.find(word).unwrap_err().to_string();
    // Candidates count, the invited are told apart, and strangers are answered with who there is.
    assert!(people.find("nurse").is_ok());
    assert!(told("son").contains("has not taken the invitation up"), "{}", told("son"));
    assert!(told("plumber").contains("patient, daughter, carer"), "{}", told("plumber"));
    assert!(told("abc").contains("nobody"), "three digits name nobody");
}

#[test]
fn a_name_that_two_people_bear_names_neither() {
    let mut info = fixture("three").info;
    let carer = info.status.names[2].0;
    info.status.names[1].1 = "carer".into();
    let failure = People::of(&info).find("carer").unwrap_err();
    assert!(failure.to_string().contains(&carer.short()), "{failure}");
}
