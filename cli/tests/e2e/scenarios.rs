//! Scenarios on real processes: the shipped ones, and what a user sees of one that fails or cannot be read, there and in the
//! simulator.

use super::harness::{medring, processes_of};
use medring_testnet::scenario::SHIPPED;
use serde_json::Value;
use std::path::Path;

/// Runs a scenario in a folder of its own and returns what it told.
fn run(scenario: &str, folder: &Path) -> super::harness::Ran {
    let dir = folder.join("net");
    std::fs::create_dir_all(&dir).unwrap();
    let ran = medring(["testnet", "run", scenario, "--json", "--dir", dir.to_str().unwrap()]);
    assert_eq!(processes_of(folder), Vec::<String>::new(), "no process is left");
    ran
}

#[test]
fn every_shipped_scenario_passes_on_processes() {
    let listed = medring(["testnet", "run", "--list"]).ok();
    for (name, _) in SHIPPED {
        assert!(listed.out.contains(name), "{name}: {}", listed.out);
        let folder = tempfile::tempdir().unwrap();
        let ran = run(name, folder.path());
        println!("{name}: {} s", seconds(&ran.json()));
        assert_eq!((ran.code, &ran.json()["passed"]), (Some(0), &Value::Bool(true)), "{name}: {}", ran.out);
        assert!(!folder.path().join("net").exists(), "its folder is gone");
    }
}

fn seconds(report: &Value) -> u64 {
    report["took_ms"].as_u64().unwrap_or_default() / 1000
}

#[test]
fn a_scenario_that_fails_says_where_and_leaves_its_logs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.toml");
    let text = "about = \"x\"\nnodes = 1\nsteps = [\n  { mine = { nodes = [0], blocks = 2 } },\n  { height = { at_most = 2 } },\n  { heal = {} },\n]\n";
    std::fs::write(&file, text).unwrap();
    let ran = run(file.to_str().unwrap(), folder.path());
    let report = ran.json();
    assert_eq!((ran.code, &report["passed"]), (Some(1), &Value::Bool(false)), "{}", ran.out);
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2, "it stops at the step that failed: {report}");
    // Block 1 holds the enrolments.
    assert_eq!(steps[1]["problem"], "node 0: height is 3, not 2 or less");
    assert_eq!(steps[1]["line"], 5);
    assert!(folder.path().join("net/node0/node.log").exists());

    std::fs::write(&file, "about = \"x\"\nnodes = 1\nsteps = [\n  { mien = {} },\n]\n").unwrap();
    medring(["testnet", "run", file.to_str().unwrap()]).fails(65, &["wrong, line 4", "mien"]);
    medring(["testnet", "run", "no-such-scenario"]).fails(66, &["no-such-scenario", "--list"]);
}

#[test]
fn an_operators_word_is_a_step_on_processes_and_in_the_simulator() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("word.toml");
    let text = "about = \"x\"\nnodes = 2\nsteps = [
      { mine = { nodes = [0], blocks = 2 } }, { agree = { within_s = 60 } }, { remember = { block = \"b\", node = 1 } },
      { invalidate = { block = \"b\", node = 1 } }, { left = { block = \"b\", nodes = [1] } }, { holds = { block = \"b\", nodes = [0] } },
      { height = { nodes = [1], at_least = 2, at_most = 2 } },
      { reconsider = { block = \"b\", node = 1 } }, { agree = { within_s = 60 } }, { holds = { block = \"b\" } },
    ]\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let on_processes = run(file, folder.path());
    assert_eq!(on_processes.code, Some(0), "{}", on_processes.out);
    let simulated = medring(["testnet", "run", file, "--sim", "--json"]).ok();
    let told = |ran: &super::harness::Ran| {
        let steps = ran.json()["steps"].as_array().unwrap().clone();
        steps.iter().map(|step| step["what"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(&simulated), told(&on_processes), "one file, the same steps");
}

#[test]
fn a_scenario_in_the_simulator_is_told_as_on_processes_and_twice_the_same() {
    let text = medring(["testnet", "run", "majority-rejoin", "--sim"]).ok();
    assert!(
        text.out.contains("majority-rejoin passed: 21 steps in") && text.out.contains("(simulator, seed 7)"),
        "{}",
        text.out
    );
    assert!(text.out.contains("0 1 2 3 4 | 5 6: each group on a tip of its own"), "{}", text.out);
    let told = |seed| medring(["testnet", "run", "fork-race", "--sim", "--json", "--seed", seed]).ok().out;
    let first = told("3");
    assert_eq!(first, told("3"));
    assert_ne!(first, told("4"));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.toml");
    let write = |step: &str| {
        std::fs::write(
            &file,
            format!(
                "about = \"x\"\nnodes = 1\nsteps = [\n  {{ mine = {{ nodes = [0], blocks = 2 }} }},\n  {step},\n]\n"
            ),
        )
        .unwrap()
    };
    let run = || medring(["testnet", "run", file.to_str().unwrap(), "--sim", "--json"]);
    write("{ height = { at_most = 2 } }");
    let ran = run();
    let report = ran.json();
    assert_eq!((ran.code, &report["world"]), (Some(1), &Value::from("simulator")), "{}", ran.out);
    assert_eq!(report["steps"][1]["problem"], "node 0: height is 3, not 2 or less");
    write("{ metric = { name = \"medring_hash_rate\", at_least = 1 } }");
    run().fails(65, &["wrong, line 5", "medring_hash_rate", "without --sim"]);
    medring(["testnet", "run", "fork-race", "--sim", "--keep"]).fails(2, &["--keep"]);
}

/// What the page shows of `medring testnet run majority-rejoin`: its steps in words, and the verdict.
#[test]
fn the_page_shows_the_steps_of_a_scenario_as_they_are() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/testnet.md")).unwrap();
    let (_, rest) = page.split_once("$ medring testnet run majority-rejoin\n").unwrap();
    let shown: Vec<&str> = rest.split("```").next().unwrap().lines().filter(|line| line.contains(" s  ")).collect();
    let scenario = medring_testnet::scenario::shipped("majority-rejoin").unwrap();
    assert_eq!(shown.len(), scenario.steps.len());
    for (line, placed) in shown.iter().zip(&scenario.steps) {
        let words = placed.step.to_string();
        assert!(line.ends_with(&format!("  {words}")), "{words:?} is not at the end of: {line}");
    }
    assert!(rest.contains(&format!("majority-rejoin passed: {} steps in", scenario.steps.len())));
}
