//! Keeps `docs/spec/rules.md` true: its rows are the rules, and the functions and tests it names exist.

use medring_protocol::chain::rules::RuleSet;
use std::path::{Path, PathBuf};

/// The cells of the rows that begin with a rule's id: id, sentence, function, file, test.
fn rows() -> Vec<[String; 4]> {
    let text = read(&root().join("docs/spec/rules.md"));
    let rows = text.lines().filter(|line| line.starts_with("| R-"));
    rows.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(|c| c.trim().replace('`', "")).collect();
        cells.try_into().unwrap_or_else(|_| panic!("4 cells in: {line}"))
    })
    .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_specs_list_of_rules_is_complete_and_true() {
    let rows = rows();
    let listed: Vec<_> = rows.iter().map(|[id, ..]| id.as_str()).collect();
    assert_eq!(listed, RuleSet::all_ids(), "docs/spec/rules.md lists the rules in the order in which they are checked");
    for [id, sentence, function, test] in &rows {
        assert!(sentence.len() > 20, "{id}: no sentence");
        let (name, file) = function.split_once(' ').unwrap_or_else(|| panic!("{id}: `function` file"));
        let source = read(&root().join("protocol/src").join(file.trim_matches(['(', ')'])));
        assert!(source.contains(&format!("fn {name}(")), "{id}: no fn {name} in {file}");
        assert!(source.contains(id.as_str()), "{id} is not named in {file}");
        let (module, test) = test.split_once("::").unwrap_or_else(|| panic!("{id}: module::test"));
        let source = read(&root().join("protocol/tests/rules").join(format!("{module}.rs")));
        let body = source.split(&format!("fn {test}()")).nth(1).unwrap_or_else(|| panic!("{id}: no test {test}"));
        let body = body.split("\n}\n").next().unwrap_or_default();
        assert!(body.contains(&format!("broken_only(\"{id}\"")), "{id}: {test} does not break it");
    }
}
