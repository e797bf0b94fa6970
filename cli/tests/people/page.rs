//! docs/cli.md is true: its section "A network from nothing" is run, command by command, by a shell.

use crate::cli_common::Desk;
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The commands of the section.
fn commands() -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md")).unwrap();
    let section = page.split("## A network from nothing").nth(1).expect("the section");
    let block = section.split("```").nth(1).expect("its commands");
    let lines: Vec<_> = block.lines().skip(1).map(str::to_owned).collect();
    assert!(lines.len() > 10 && lines.iter().all(|line| line.starts_with("medring ")), "{lines:#?}");
    lines
}

/// A shell in the folder, with `medring` on its path; what runs in the background is ended with it.
struct Shell<'a>(&'a Desk);

impl Shell<'_> {
    /// Runs a line as it stands on the page; returns what it said.
    fn run(&self, line: &str) -> String {
        let (out, folder) = (self.0.path("out"), Path::new(env!("CARGO_BIN_EXE_medring")).parent().unwrap());
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        // Into a file: a node in the background would keep a pipe open.
        let file = File::create(&out).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", line]).current_dir(self.0.path("")).env("PATH", path).env("HOME", self.0.path(""));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MEDRING_")) {
            shell.env_remove(name);
        }
        // People type it.
        shell.env("MEDRING_WALLET_PASSPHRASE_FILE", self.0.path("patient.pass"));
        let ended = shell.stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
        let said = fs::read_to_string(&out).unwrap();
        assert!(ended.success(), "{line}\n{said}");
        said
    }
}

impl Drop for Shell<'_> {
    fn drop(&mut self) {
        if let Ok(pid) = fs::read_to_string(self.0.path(".medring/LOCK")) {
            // The node of this folder, if the page has not stopped it.
            if self.0.run("node status").code == 0 {
                let _ = Command::new("kill").args(["-9", pid.trim()]).status();
            }
        }
    }
}

#[test]
fn a_network_from_nothing_works_as_the_page_says() {
    let desk = Desk::new();
    desk.passphrase("patient.pass", "the pass phrase of this test");
    desk.write(
        "recording.csv",
        "minute,heart_rate_bpm,pulse_bpm,resp_per_min,spo2_percent,nibp_sys_mmHg,nibp_dia_mmHg,nibp_mean_mmHg\n\
         0,61,61,14,98,120,80,93\n1,63,62,15,97,,,\n",
    );
    let shell = Shell(&desk);
    let mut id = String::new();
    for line in commands() {
        if line.contains("RECORD_ID") {
            assert_eq!(id.len(), 64, "the page lists the records before it names one");
        }
        let said = shell.run(&line.replace("RECORD_ID", &id));
        if line.contains("record list --mine") {
            assert!(said.contains("phr") || said.contains("more records may turn up"), "{said}");
            id = own_record(&desk);
        }
    }
    let content = fs::read_to_string(desk.path("record.json")).unwrap();
    assert!(content.contains("\"Bundle\""), "{content}");
    desk.run("node status").expect(69, "no node is running");
}

/// The one record of the wallet, once it is found.
fn own_record(desk: &Desk) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let list = desk.run("record list --mine --json").expect(0, "").json();
        if let Some(id) = list["records"][0]["record_id"].as_str() {
            assert_eq!(list["records"].as_array().map(Vec::len), Some(1));
            return id.to_owned();
        }
        assert!(Instant::now() < deadline, "the wallet finds the record: {list}", list = Value::to_string(&list));
    }
}
