//! Scenario files in the simulator: the shipped ones, what each step does to the model, and how one fails.

use super::*;
use crate::scenario::{self, Report, SHIPPED};

/// Plays a scenario to its end.
fn play(scenario: &Scenario) -> (Report, SimWorld) {
    let mut world = SimWorld::start(scenario).unwrap_or_else(|e| panic!("{e}"));
    let report = scenario::run(scenario, &mut world, &mut |_| {});
    (report, world)
}

/// What was seen, for whoever reads of a failure.
fn drawn(scenario: &Scenario, report: &Report) -> String {
    let steps: String = report.steps.iter().map(|step| format!("{step}\n")).collect();
    format!("{}{steps}{report}", Report::head(scenario))
}

fn parse(head: &str, steps: &str) -> Scenario {
    // Tables come after the steps.
    let (plain, tables) =
        head.split_once("\n[").map_or((head, String::new()), |(plain, rest)| (plain, format!("[{rest}")));
    let text = format!("about = \"a test\"\n{plain}\nsteps = [\n{steps}\n]\n{tables}\n");
    Scenario::parse("test", &text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

#[track_caller]
fn passes(head: &str, steps: &str) -> SimWorld {
    let scenario = parse(head, steps);
    let (report, world) = play(&scenario);
    assert!(report.passed, "{}", drawn(&scenario, &report));
    world
}

/// The problem of the step at which it fails.
#[track_caller]
fn fails(head: &str, steps: &str) -> String {
    let scenario = parse(head, steps);
    let (report, _) = play(&scenario);
    let problem = report.steps.last().and_then(|step| step.problem.clone());
    problem.unwrap_or_else(|| panic!("{}", drawn(&scenario, &report)))
}

#[test]
fn every_shipped_scenario_passes_in_the_simulator() {
    for (name, text) in SHIPPED {
        let scenario = Scenario::parse(name, text).unwrap();
        let (report, _) = play(&scenario);
        assert!(report.passed, "{}", drawn(&scenario, &report));
        assert_eq!((report.world.as_str(), report.steps.len()), ("simulator", scenario.steps.len()));
    }
}

#[test]
fn one_file_and_seed_give_one_report_byte_for_byte() {
    let mut scenario = scenario::shipped("majority-rejoin").unwrap();
    let told = |scenario: &Scenario| serde_json::to_vec(&play(scenario).0).unwrap();
    let first = told(&scenario);
    assert_eq!(first, told(&scenario));
    scenario.seed += 1;
    assert_ne!(first, told(&scenario));
}

#[test]
fn what_does_not_hold_fails_at_its_step_in_the_words_of_real_processes() {
    let mine = "{ mine = { nodes = [0], blocks = 2 } },";
    // Block 1 holds the enrolments.
    assert_eq!(
        fails("nodes = 1", &format!("{mine} {{ height = {{ at_most = 2 }} }}, {{ heal = {{}} }}")),
        "node 0: height is 3, not 2 or less"
    );
    let scenario = parse("nodes = 1", &format!("{mine}\n{{ height = {{ at_most = 2 }} }},\n{{ heal = {{}} }}"));
    let (report, _) = play(&scenario);
    assert_eq!((report.passed, report.steps.len(), report.steps[1].line), (false, 2, 5));
    assert!(report.to_string().starts_with("test FAILED at step 2 of 3"), "{report}");

    assert_eq!(
        fails("nodes = 2", "{ peers = { at_least = 2, within_s = 3 } }"),
        "node 0: peers is 1, not 2 or more after 3 s"
    );
    assert_eq!(fails("nodes = 2", "{ banned = { node = 1 } }"), "node 0: it does not refuse node 1");
    assert_eq!(fails("nodes = 2", "{ ended = { node = 1 } }"), "node 1 runs");
    let apart = format!("{{ partition = [[0], [1]] }}, {mine} {{ agree = {{ within_s = 30 }} }}");
    assert!(fails("nodes = 2", &apart).starts_with("node 0 at 3 ("));
    let record =
        "{ submit = { node = 0, records = \"a\", count = 2 } }, { confirmed = { records = \"a\", within_s = 2 } }";
    assert_eq!(fails("nodes = 1", record), "node 0: 2 records \"a\" are not 1 deep after 2 s");
}

#[test]
fn a_figure_that_the_model_has_not_is_refused_before_anything_runs() {
    let scenario = parse("nodes = 1", "{ heal = {} },\n{ metric = { name = \"medring_hash_rate\", at_least = 1 } }");
    let error = SimWorld::start(&scenario).err().unwrap().to_string();
    for word in ["scenario test, line 5", "medring_hash_rate", "medring_pool_records", "without --sim"] {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
}

#[test]
fn nodes_of_the_old_wire_version_hear_of_whole_blocks_only() {
    let steps = "{ mine = { nodes = [0], blocks = 2 } }, { agree = { within_s = 30 } }, { mine = { nodes = [1], blocks = 2 } }, { agree = { within_s = 30 } }";
    let sent = |head: &str| {
        let sent = passes(head, steps).sim.stats.sent_by_kind();
        let of = |kind: &str| sent.iter().any(|sent| sent.kind == kind);
        (of("gossiped whole blocks"), of("gossiped compact blocks"))
    };
    assert_eq!(sent("nodes = 2\n[node.0]\nwire_version = 1\n[node.1]\nwire_version = 1"), (true, false));
    assert_eq!(sent("nodes = 2\n[node.0]\nwire_version = 1"), (true, false), "nobody listens to compact ones");
    assert_eq!(sent("nodes = 3\n[node.0]\nwire_version = 1"), (true, true));
    assert_eq!(sent("nodes = 3"), (false, true));
}

#[test]
fn a_node_is_paused_and_goes_on() {
    let pause = "{ pause = { node = 2 } }, { mine = { nodes = [0], blocks = 3 } }, { agree = { within_s = 30 } },";
    let height = |world: &SimWorld| world.sim.nodes[2].core.as_ref().unwrap().snapshot().height;
    assert_eq!(height(&passes("nodes = 3", pause)), 1, "it did nothing");
    let world = passes(
        "nodes = 3",
        &format!(
            "{pause} {{ resume = {{ node = 2 }} }}, {{ agree = {{ within_s = 30 }} }}, {{ peers = {{ at_least = 2 }} }}"
        ),
    );
    assert_eq!(height(&world), 4);
    let told = fails("nodes = 3", &format!("{pause} {{ height = {{ nodes = [2], at_least = 1 }} }}"));
    assert_eq!(told, "node 2: it is paused and does not answer");
    let told = fails("nodes = 3", &format!("{pause} {{ mine = {{ nodes = [2], blocks = 1 }} }}"));
    assert_eq!(told, "node 2: it is paused and does not answer");
    assert_eq!(fails("nodes = 1", "{ resume = { node = 0 } }"), "node 0 is not paused");
}

#[test]
fn what_is_lost_is_never_heard_and_what_is_late_comes_late() {
    let mine = "{ mine = { nodes = [0], blocks = 1 } },";
    let lose = "{ loss = { nodes = [1], percent = 100 } },";
    passes(
        "nodes = 2",
        &format!(
            "{lose} {mine} {{ apart = {{ groups = [[0], [1]], within_s = 1 }} }}, {{ heal = {{}} }}, {{ agree = {{ within_s = 60 }} }}"
        ),
    );
    assert!(fails("nodes = 2", &format!("{lose} {mine} {{ agree = {{ within_s = 120 }} }}")).contains("after 120 s"));
    let late = "{ delay = { nodes = [1], from = [0], ms = 3000 } },";
    let world = passes(
        "nodes = 2",
        &format!("{late} {mine} {{ apart = {{ groups = [[0], [1]] }} }}, {{ agree = {{ within_s = 30 }} }}"),
    );
    assert!((3_000..4_000).contains(&world.now_ms()), "{} ms", world.now_ms());
    let healed = format!(
        "{late} {mine} {{ apart = {{ groups = [[0], [1]] }} }}, {{ heal = {{}} }}, {{ agree = {{ within_s = 1 }} }}"
    );
    assert!(passes("nodes = 2", &healed).now_ms() < 1_000, "what waited is heard at once");
}

#[test]
fn a_full_disk_ends_its_node_until_there_is_room() {
    let full = "{ disk_full = { node = 1 } }, { mine = { nodes = [0], blocks = 1 } }, { ended = { node = 1, within_s = 30 } },";
    passes(
        "nodes = 3",
        &format!(
            "{full} {{ disk_room = {{ node = 1 }} }}, {{ start = {{ node = 1 }} }}, {{ agree = {{ within_s = 30 }} }}"
        ),
    );
    assert!(fails("nodes = 3", &format!("{full} {{ kill = {{ node = 1 }} }}")).contains("node 1 does not run"));
}

#[test]
fn whoever_lies_is_banned_by_those_who_noticed_and_by_nobody_else() {
    let steps = "{ submit = { node = 1, records = \"a\", count = 2 } }, { metric = { name = \"medring_pool_records\", at_least = 2, within_s = 30 } },
      { not_banned = { node = 0 } }, { mine = { nodes = [0], blocks = 1 } }, { banned = { node = 0, by = [1, 2], within_s = 30 } },
      { not_banned = { node = 2, by = [0, 1] } }, { mine = { nodes = [1], blocks = 80 } }, { peers = { nodes = [0], at_most = 0 } }, { metric = { nodes = [1], name = \"medring_bans_total\", at_least = 1 } },
      { peers = { nodes = [1, 2], at_least = 1, at_most = 1 } }, { restart = { node = 1 } }, { banned = { node = 0, by = [1] } }";
    passes("nodes = 3\n[node.0]\nbehaviour = \"liar\"", steps);
}

#[test]
fn an_operators_word_moves_one_node_and_is_taken_back() {
    let steps = "{ mine = { nodes = [0], blocks = 1 } }, { agree = { within_s = 30 } }, { mine = { nodes = [0], blocks = 1 } }, { agree = { within_s = 30 } },
      { remember = { block = \"b\", node = 0 } }, { mine = { nodes = [0], blocks = 1 } }, { agree = { within_s = 30 } },
      { invalidate = { block = \"b\", node = 1 } }, { left = { block = \"b\", nodes = [1] } }, { holds = { block = \"b\", nodes = [0, 2] } },
      { height = { nodes = [1], at_least = 2, at_most = 2 } }, { reorg = { nodes = [1], at_least = 2, at_most = 2 } },
      { restart = { node = 1 } }, { left = { block = \"b\", nodes = [1] } },
      { reconsider = { block = \"b\", node = 1 } }, { agree = { within_s = 30 } }, { holds = { block = \"b\" } }";
    passes("nodes = 3", steps);
}

#[test]
fn a_node_that_is_full_lets_nobody_in_but_dials() {
    let head = "nodes = 6\nlinks = \"none\"\n[node.0]\nmax_peers = 4\nlinks = [5]\n[node.1]\nlinks = [0]\n[node.2]\nlinks = [0]\n\
                [node.3]\nlinks = [0]\n[node.4]\nlinks = [0]\n[node.5]\nlater = true";
    // Three of the four who come have a place; one place is kept for whom it dials.
    let steps = "{ peers = { nodes = [0], at_least = 3, at_most = 3 } }, { start = { node = 5 } },
                 { peers = { nodes = [0], at_least = 4, at_most = 4, within_s = 20 } }, { peers = { nodes = [5], at_least = 1 } }";
    let world = passes(head, steps);
    assert_eq!((1..5).filter(|node| world.sim.nodes[*node].links.is_empty()).count(), 1);
}

#[test]
fn nodes_mine_all_the_time_as_their_shares_say() {
    let head = "nodes = 3\nmine = true\nblock_time_ms = 500\n[node.1]\nhash_share = 0\n[node.2]\nhash_share = 9";
    let world = passes(
        head,
        "{ grown = { blocks = 60, within_s = 120 } }, { metric = { nodes = [1], name = \"medring_blocks_found_total\", at_most = 0 } }",
    );
    let found = |node: usize| {
        figures::of(
            "medring_blocks_found_total",
            &world.cast(node).unwrap().figures,
            &world.core(node).unwrap().snapshot(),
        )
        .unwrap()
    };
    assert!(found(2) > 4.0 * found(0), "{} and {}", found(2), found(0));
    assert!((20_000..45_000).contains(&world.now_ms()), "60 blocks in {} ms", world.now_ms());
}

#[test]
fn nobody_is_linked_until_a_step_connects_them_and_once_lost_for_good() {
    passes(
        "nodes = 2\nlinks = \"none\"",
        "{ peers = { at_most = 0 } }, { mine = { nodes = [0], blocks = 1 } }, { connect = { node = 1, to = 0 } }, { agree = { within_s = 30 } },
         { restart = { node = 0 } }, { peers = { nodes = [0], at_most = 0 } }",
    );
}
