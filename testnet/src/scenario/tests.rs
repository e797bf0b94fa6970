//! The format and the interpreter, on a world that is no more than a table.

use super::*;
use medring_protocol::BlockId;
use std::collections::BTreeMap;

fn parse(steps: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse("test", &format!("about = \"a test\"\nnodes = 3\nsteps = [\n{steps}\n]\n"))
}

#[track_caller]
fn refused(text: &str, words: &[&str]) {
    let error = Scenario::parse("test", text).expect_err(text).to_string();
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
}

/// Nodes without a network: who mines is on a tip of its own until everybody is healed onto node 0's.
#[derive(Debug, Default)]
struct Table {
    now_ms: u64,
    tips: BTreeMap<usize, (BlockId, u64)>,
    dead: Vec<usize>,
    done: Vec<Action>,
    orders: Vec<(usize, Word, BlockId)>,
}

impl World for Table {
    fn kind(&self) -> &'static str {
        "table"
    }

    fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn pass(&mut self) -> Told<()> {
        self.now_ms += 100;
        Ok(())
    }

    fn act(&mut self, action: &Action) -> Told<()> {
        self.done.push(action.clone());
        match action {
            Action::Mine { nodes, blocks } => {
                for node in nodes {
                    let tip = self.tips.entry(*node).or_insert((BlockId([0; 32]), 0));
                    *tip = (BlockId([u8::try_from(*node).unwrap() + 1; 32]), tip.1 + u64::from(*blocks));
                }
            }
            Action::Heal {} => {
                let best = self.tips[&0];
                self.tips = (0..3).map(|node| (node, best)).collect();
            }
            Action::Kill { node } => self.dead.push(*node),
            Action::DiskFull { .. } => return Err("it has no disk".into()),
            _ => {}
        }
        Ok(())
    }

    fn order(&mut self, node: usize, word: Word, block: &BlockId) -> Told<()> {
        self.orders.push((node, word, *block));
        Ok(())
    }

    fn is_alive(&mut self, node: usize) -> Told<bool> {
        Ok(!self.dead.contains(&node))
    }

    fn tip(&mut self, node: usize) -> Told<(BlockId, u64)> {
        assert!(!self.dead.contains(&node), "a dead node was asked");
        Ok(self.tips.get(&node).copied().unwrap_or((BlockId([0; 32]), 0)))
    }

    fn holds(&mut self, node: usize, block: &BlockId) -> Told<bool> {
        Ok(self.tip(node)?.0 == *block)
    }

    fn depths(&mut self, _: usize, _: &str) -> Told<Vec<u64>> {
        // A record is one deeper each second.
        Ok(vec![self.now_ms / 1000])
    }

    fn peers(&mut self, _: usize) -> Told<u64> {
        Ok(2)
    }

    fn branches(&mut self, _: usize) -> Told<u64> {
        Ok(1)
    }

    fn deepest_reorg(&mut self, _: usize) -> Told<u64> {
        Ok(0)
    }

    fn bans(&mut self, _: usize, whom: usize) -> Told<bool> {
        Ok(whom == 2)
    }

    fn metric(&mut self, _: usize, name: &str) -> Told<f64> {
        if name == "height" { Ok(1.5) } else { Err(format!("no metric is called {name}")) }
    }
}

/// Plays steps on a fresh table and returns the report.
fn play(steps: &str) -> Report {
    let scenario = parse(steps).unwrap();
    run(&scenario, &mut Table::default(), &mut |_| {})
}

#[track_caller]
fn fails(steps: &str, words: &[&str]) {
    let report = play(steps);
    let problem = report.steps.last().and_then(|step| step.problem.clone()).unwrap_or_default();
    assert!(!report.passed && words.iter().all(|word| problem.contains(word)), "{words:?}: {problem}");
}

#[test]
fn every_key_of_a_step_is_read_and_told() {
    let steps = r#"
      { start = { node = 0 } }, { stop = { node = 0 } }, { kill = { node = 0 } }, { restart = { node = 0 } },
      { pause = { node = 0 } }, { resume = { node = 0 } }, { partition = [[0, 1], [2]] }, { heal = {} },
      { delay = { nodes = [0], from = [1], ms = 5 } }, { loss = { nodes = [0], percent = 5 } },
      { clock_skew = { node = 1, ms = -5000 } }, { disk_full = { node = 1 } }, { disk_room = { node = 1 } },
      { mine = { nodes = [0, 1], blocks = 2 } }, { submit = { node = 1, records = "a", count = 1 } },
      { behave = { node = 2, as = "liar" } }, { connect = { node = 0, to = 1 } },
      { remember = { block = "b", node = 0 } }, { invalidate = { block = "b", node = 1 } },
      { reconsider = { block = "b", node = 1 } }, { height = { at_least = 1 } }, { grown = { blocks = 1, within_s = 1 } }, { agree = {} },
      { apart = { groups = [[0], [1]] } }, { confirmed = { records = "a", depth = 2 } }, { holds = { block = "b" } },
      { left = { block = "b" } }, { peers = { at_most = 1 } }, { reorg = { at_most = 1 } }, { branches = { at_least = 1 } },
      { banned = { node = 2 } }, { not_banned = { node = 1, by = [0] } }, { metric = { name = "height", at_least = 0.5 } },
      { alive = {} }, { ended = { node = 1 } },
    "#;
    let scenario = parse(steps).unwrap();
    assert_eq!(scenario.steps.len(), 35);
    let told: Vec<String> = scenario.steps.iter().map(|placed| placed.step.to_string()).collect();
    assert_eq!(told[6], "partition 0 1 | 2");
    assert_eq!(told[10], "the clock of node 1 is -5000 ms off");
    assert_eq!(told[13], "nodes 0 1 mine 2 blocks each, at once");
    assert!(told.iter().all(|words| !words.is_empty()));
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line() {
    let head = "about = \"x\"\nnodes = 3\n";
    refused(&format!("{head}steps = [\n  {{ mine = {{ nodes = [0] }} }},\n]"), &["scenario test", "line 4", "blocks"]);
    refused(&format!("{head}steps = [\n  {{ mien = {{}} }},\n]"), &["line 4", "mien", "mine"]);
    refused(&format!("{head}steps = [\n  {{ heal = {{ now = 1 }} }},\n]"), &["line 4", "now"]);
    refused(&format!("{head}steps = [\n\n  {{ kill = {{ node = 3 }} }},\n]"), &["line 5", "no node 3", "0 … 2"]);
    refused(&format!("{head}colour = 1\nsteps = []"), &["line 3", "colour"]);
    refused(&format!("{head}steps = []"), &["0 steps"]);
    refused("about = \"x\"\nnodes = 201\nsteps = []", &["line 2", "nodes is 201", "1 … 200"]);
    refused(&format!("{head}block_time_ms = 5\nsteps = []"), &["line 3", "block_time_ms is 5"]);
    refused(&format!("{head}steps = [\n  {{ agree = {{ within_s = 0 }} }},\n]"), &["line 4", "within_s is 0"]);
    refused(&format!("{head}[node.7]\nlater = true\n"), &["steps"]);
    refused(&format!("{head}steps = [{{ heal = {{}} }}]\n[node.7]\nlater = true\n"), &["line 4", "no node 7"]);
    refused(&format!("{head}steps = [{{ heal = {{}} }}]\n[node.0]\nlinks = [0]\n"), &["linked to itself"]);
    refused(&format!("{head}steps = [{{ heal = {{}} }}]\n[node.0]\nmax_peers = 0\n"), &["max_peers is 0"]);
    let early = format!("{head}steps = [{{ heal = {{}} }}]\n[node.1]\nlater = true\n");
    refused(&early, &["node 2 is there from the start"]);
    refused(&"#".repeat(300_000), &["300000 bytes"]);
}

#[test]
fn what_a_step_says_has_bounds_and_names_are_known() {
    let cases = [
        ("{ partition = [[0], []] }", "empty"),
        ("{ partition = [[0], [0, 1]] }", "node 0 stands twice"),
        ("{ delay = { nodes = [0], ms = 60001 } }", "ms is 60001"),
        ("{ loss = { nodes = [0], percent = 101 } }", "percent is 101"),
        ("{ clock_skew = { node = 0, ms = 86400001 } }", "ms is 86400001"),
        ("{ mine = { nodes = [], blocks = 1 } }", "empty"),
        ("{ mine = { nodes = [0], blocks = 1001 } }", "blocks is 1001"),
        ("{ submit = { node = 0, records = \"A b\", count = 1 } }", "a-z"),
        ("{ confirmed = { records = \"a\" } }", "`submit` does"),
        ("{ holds = { block = \"a\" } }", "`remember` does"),
        ("{ invalidate = { block = \"a\", node = 0 } }", "`remember` does"),
        ("{ remember = { block = \"a\", node = 0 } }, { reconsider = { block = \"a\", node = 3 } }", "no node 3"),
        ("{ height = {} }", "at_least or at_most"),
        ("{ height = { at_least = 3, at_most = 2 } }", "above"),
        ("{ apart = { groups = [[0, 1]] } }", "two groups"),
        ("{ grown = { blocks = 1 } }", "within_s"),
        ("{ connect = { node = 1, to = 1 } }", "itself"),
    ];
    for (step, word) in cases {
        let error = parse(step).expect_err(step).to_string();
        assert!(error.contains(word) && error.contains("line 4"), "{step}: {error}");
    }
}

#[test]
fn a_condition_is_looked_at_until_its_deadline() {
    let submit = "{ submit = { node = 0, records = \"a\", count = 1 } },";
    assert!(play(&format!("{submit} {{ confirmed = {{ records = \"a\", depth = 3, within_s = 3 }} }}")).passed);
    fails(
        &format!("{submit} {{ confirmed = {{ records = \"a\", depth = 4, within_s = 3 }} }}"),
        &["4 deep", "after 3 s"],
    );
    fails(&format!("{submit} {{ confirmed = {{ records = \"a\" }} }}"), &["1 deep"]);
}

#[test]
fn each_condition_can_fail() {
    let mine = "{ mine = { nodes = [0], blocks = 2 } },";
    fails(&format!("{mine} {{ agree = {{}} }}"), &["node 0 at 2", "node 1 at 0"]);
    fails("{ apart = { groups = [[0], [1]] } }", &["on one tip"]);
    fails(&format!("{mine} {{ height = {{ at_least = 1 }} }}"), &["node 1: height is 0"]);
    fails(&format!("{mine} {{ height = {{ nodes = [0], at_most = 1 }} }}"), &["height is 2"]);
    fails("{ grown = { blocks = 1, within_s = 1 } }", &["0 of 1 blocks", "after 1 s"]);
    fails("{ peers = { at_least = 3 } }", &["peers is 2"]);
    fails("{ reorg = { at_least = 1 } }", &["deepest reorganisation is 0"]);
    fails("{ branches = { at_least = 2 } }", &["branches is 1"]);
    fails("{ banned = { node = 1 } }", &["node 0: it does not refuse node 1"]);
    fails("{ not_banned = { node = 2 } }", &["it refuses node 2"]);
    fails("{ metric = { name = \"height\", at_most = 1 } }", &["height is 1.5"]);
    fails("{ metric = { name = \"x\", at_most = 1 } }", &["no metric"]);
    fails("{ ended = { node = 1 } }", &["node 1 runs"]);
    fails("{ kill = { node = 1 } }, { alive = { nodes = [1] } }", &["does not run"]);
    fails("{ disk_full = { node = 1 } }", &["it has no disk"]);
    let remember = "{ remember = { block = \"b\", node = 0 } },";
    fails(&format!("{mine} {remember} {{ holds = {{ block = \"b\" }} }}"), &["node 1: block \"b\" is not on"]);
    fails(&format!("{mine} {remember} {{ left = {{ block = \"b\" }} }}"), &["node 0: block \"b\" is on"]);
}

#[test]
fn those_who_are_dead_or_dishonest_are_not_meant_by_all() {
    assert!(play("{ mine = { nodes = [0], blocks = 1 } }, { kill = { node = 0 } }, { agree = {} }").passed);
    assert!(
        play("{ mine = { nodes = [0], blocks = 1 } }, { behave = { node = 0, as = \"liar\" } }, { agree = {} }").passed
    );
    assert!(play("{ mine = { nodes = [0], blocks = 1 } }, { pause = { node = 0 } }, { agree = {} }").passed);
    fails(
        "{ mine = { nodes = [0], blocks = 1 } }, { pause = { node = 0 } }, { resume = { node = 0 } }, { agree = {} }",
        &["node 0 at 1"],
    );
}

#[test]
fn a_report_draws_branches_and_stops_at_the_first_failure() {
    let scenario = parse(
        "{ mine = { nodes = [1], blocks = 2 } },\n{ kill = { node = 2 } },\n{ agree = { within_s = 1 } },\n{ heal = {} }",
    )
    .unwrap();
    let mut lines = vec![Report::head(&scenario).trim_end().to_owned()];
    let report = run(&scenario, &mut Table::default(), &mut |step| lines.push(step.to_string()));
    assert_eq!(
        lines.join("\n"),
        "           0     1     2\n    0.0 s  a0    b2    a0    node 1 mines 2 blocks\n    0.0 s  a0    b2    -     kill node 2\n    \
         1.0 s  a0    b2    -     ✗ all: one tip\n           line 6: node 0 at 0 (00000000), node 1 at 2 (02020202) after 1 s"
    );
    assert_eq!(report.to_string(), "test FAILED at step 3 of 4 after 1.0 s (table, seed 7)");
    assert!(!report.passed);
}

#[test]
fn shipped_scenarios_are_read_by_their_names() {
    for (name, text) in SHIPPED {
        let scenario = Scenario::parse(name, text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(shipped(name), Some(scenario));
    }
    assert_eq!(shipped("none"), None);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), SHIPPED.len(), "each file of {folder} is shipped");
}

#[test]
fn links_are_to_all_in_a_ring_or_as_a_node_says() {
    let links = |head: &str| {
        let text = format!("about = \"x\"\nnodes = 3\n{head}\nsteps = [{{ heal = {{}} }}]\n[node.2]\nlinks = [0]\n");
        let scenario = Scenario::parse("test", &text).unwrap();
        [0, 1, 2].map(|node| scenario.links_of(node))
    };
    assert_eq!(links(""), [vec![1, 2], vec![0, 2], vec![0]]);
    assert_eq!(links("links = \"ring\""), [vec![1], vec![2], vec![0]]);
    assert_eq!(links("links = \"none\""), [vec![], vec![], vec![0]]);
}

#[test]
fn an_operators_word_is_on_the_remembered_block() {
    let scenario = parse(
        "{ mine = { nodes = [1], blocks = 2 } }, { remember = { block = \"b\", node = 1 } }, { mine = { nodes = [1], blocks = 1 } },
         { invalidate = { block = \"b\", node = 0 } }, { reconsider = { block = \"b\", node = 2 } }",
    )
    .unwrap();
    let mut table = Table::default();
    assert!(run(&scenario, &mut table, &mut |_| {}).passed);
    let block = BlockId([2; 32]);
    assert_eq!(table.orders, [(0, Word::Invalidate, block), (2, Word::Reconsider, block)]);
}
