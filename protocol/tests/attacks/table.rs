//! Keeps `docs/threat-model/groups.md` true: every test that it names exists, and every attack here is named.

use std::path::{Path, PathBuf};

const PAGE: &str = "docs/threat-model/groups.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Names of the tests in a file.
fn tests(source: &str) -> Vec<&str> {
    let attribute = |line: &&str| line.trim_start().starts_with("#[test]") || line.contains("#[tokio::test");
    let lines: Vec<_> = source.lines().collect();
    (0..lines.len())
        .filter(|at| attribute(&lines[*at]))
        .filter_map(|at| lines[at + 1..].iter().find_map(|line| line.split("fn ").nth(1)))
        .filter_map(|rest| rest.split('(').next())
        .collect()
}

/// `path::name` of every test that the page names.
fn named(page: &str) -> Vec<(&str, &str)> {
    page.split('`').filter_map(|code| code.split_once(".rs::")).collect()
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let page = read(PAGE);
    let named = named(&page);
    assert!(named.len() > 40, "{} names", named.len());
    for (file, name) in named {
        let source = read(&format!("{file}.rs"));
        assert!(tests(&source).contains(&name), "{PAGE} names {name}, which is no test of {file}.rs");
    }
}

#[test]
fn every_attack_is_named_by_the_threat_model() {
    let page = read(PAGE);
    let folder = "protocol/tests/attacks";
    let mut attacks = 0;
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        if !file.ends_with(".rs") || file == "table.rs" {
            continue;
        }
        for name in tests(&read(&format!("{folder}/{file}"))) {
            attacks += 1;
            assert!(page.contains(&format!("`{folder}/{file}::{name}`")), "{PAGE} does not name {file}::{name}");
        }
    }
    assert!(attacks > 25, "{attacks} attacks");
}
