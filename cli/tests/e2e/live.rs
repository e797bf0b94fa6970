//! Vital signs from a patient's device to a relative's node, while both nodes are killed on the way.

use super::harness::{BINARY, Foreground, Net, SOON};
use medring_protocol::vitals::{Layout, Recording};
use medring_testnet::checkers::folder;
use medring_testnet::checkers::leak::Detector;
use medring_testnet::procs::until;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const OWNER: usize = 2;
const RELATIVE: usize = 1;
/// What the device is called; nobody but the group learns it.
const STREAM: &str = "Bedside-Monitor-7319";
/// When the recording is said to have begun.
const START: &str = "2026-01-02T03:04:00Z";
const START_MS: u64 = 1_767_323_040_000;

/// What a recording says of each channel: every sample that is no gap, in order.
type Series = BTreeMap<String, Vec<(u64, String)>>;

fn expected(csv: &[u8]) -> Series {
    let recording = Recording::from_csv(csv, &Layout::default(), START_MS).unwrap();
    let mut series = Series::new();
    for signal in recording.signals() {
        let samples = signal.samples.iter().enumerate();
        let present = samples.filter_map(|(row, value)| Some((recording.time_ms(row), value.as_ref()?.to_string())));
        series.insert(signal.channel.code.clone(), present.collect());
    }
    series.retain(|_, samples| !samples.is_empty());
    series
}

fn count(series: &Series) -> u64 {
    series.values().map(|samples| samples.len() as u64).sum()
}

/// Feeds `csv` at speed 600 and kills each node once on the way; then the relative's node must tell every sample once.
pub(crate) fn reaches_a_relative_across_kills(csv: &Path, window: &str, within: Duration) {
    let expected = expected(&std::fs::read(csv).unwrap());
    let total = count(&expected);
    let mut net = Net::up(3, |options| {
        options.mine = true;
        options.block_time_ms = 500;
    });
    let group = net.group_create(OWNER, "family").unwrap();
    net.group_invite(OWNER, &group, &[RELATIVE], SOON).unwrap();
    net.group_change(OWNER, &group, &[("join", RELATIVE)]).unwrap();
    net.group_epoch(&group, 0, &[OWNER, RELATIVE], SOON).unwrap();

    let mut command = Command::new(BINARY);
    command.args(["phr", "stream", "--json", "--speed", "600", "--group", "family", "--stream", STREAM]);
    command.args(["--start", START, "--window", window, "--wait", "--patience", "300", "--csv"]).arg(csv);
    let stream = Foreground::start({
        command.arg("--data-dir").arg(net.node(OWNER).unwrap().data_dir());
        command
    });
    let acknowledged = |net: &Net, at_least: u64| {
        until(&format!("the owner's node to acknowledge {at_least} samples"), within, || {
            let info: Value = net
                .client(OWNER)
                .map_err(|e| e.to_string())
                .and_then(|client| client.get("/v1/vitals/streams/Bedside-Monitor-7319").map_err(|e| e.to_string()))?;
            let next = info["next_seq"].as_u64().unwrap_or_default();
            if next >= at_least { Ok(next) } else { Err(info.to_string()) }
        })
        .unwrap()
    };
    let before = acknowledged(&net, total / 4);
    net.kill(OWNER).unwrap();
    net.start(OWNER).unwrap();
    assert!(acknowledged(&net, 0) >= before, "the owner's node forgot what it acknowledged");
    acknowledged(&net, total / 2);
    net.kill(RELATIVE).unwrap();
    acknowledged(&net, total * 5 / 8);
    net.start(RELATIVE).unwrap();

    let ran = stream.ended_within(within).ok();
    let report = ran.json();
    assert_eq!(report["next_seq"], total, "{report}");
    assert_eq!(report["settled_seq"], total, "{report}");
    assert!(report["waits"].as_u64().unwrap() >= 1, "the feed never noticed that the node was away: {report}");

    let told = until("the relative's node to have every sample", within, || {
        let all = read(&net, &group);
        let cover = &all.cover;
        let there = cover["next_seq"].as_u64() == Some(total) && cover.get("missing").is_none();
        if there { Ok(all) } else { Err(cover.to_string()) }
    })
    .unwrap();
    assert_eq!(told.refused, Value::Null);
    // Every sample once, in order, and nothing where there was a gap.
    assert_eq!(told.series, expected);
    shown(&net, &expected);
    // Neither chain nor wire, log nor any file shows what only the group may know.
    net.end();
    let clean = folder::search(&Detector::new([STREAM]), &net).unwrap();
    assert_eq!(clean.leaks, []);
}

/// What the relative's node tells.
struct Told {
    series: Series,
    cover: Value,
    refused: Value,
}

/// All of it, in small pages.
fn read(net: &Net, group: &str) -> Told {
    let (mut series, mut after, mut last_ms) = (Series::new(), String::new(), 0);
    loop {
        let page = net.get(RELATIVE, &format!("/v1/groups/{group}/vitals?limit=97{after}"));
        for sample in page["samples"].as_array().unwrap() {
            let time_ms = sample["time_ms"].as_u64().unwrap();
            assert!(time_ms >= last_ms, "{time_ms} comes after {last_ms}");
            last_ms = time_ms;
            let channel = sample["channel"].as_str().unwrap().to_owned();
            series.entry(channel).or_default().push((time_ms, sample["value"].as_str().unwrap().to_owned()));
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => {
                return Told { series, cover: page["streams"][0].clone(), refused: page["refused"].clone() };
            }
        }
    }
}

/// The command prints the same: a row for each time, an empty cell for each gap.
fn shown(net: &Net, expected: &Series) {
    let mut command = Command::new(BINARY);
    command.args(["phr", "show", "--csv", "--data-dir"]).arg(net.node(RELATIVE).unwrap().data_dir());
    let out = super::harness::run(command).ok().out;
    let mut lines = out.lines();
    let cells = lines.next().unwrap().split(',').count();
    let mut printed = 0;
    for line in lines {
        assert_eq!(line.split(',').count(), cells, "{line}");
        printed += line.split(',').skip(1).filter(|cell| !cell.is_empty()).count() as u64;
    }
    assert_eq!(printed, count(expected));
}
