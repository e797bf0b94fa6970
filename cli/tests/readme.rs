//! The transcript in README.md is a real one: the demo, run now, prints the same but for figures and ids.
//! `MEDRING_WRITE_README=1` puts a new one there.

use std::path::Path;
use std::process::Command;

const BEGIN: &str = "<!-- transcript of `make demo`, kept true by cli/tests/readme.rs -->\n```text\n";
const END: &str = "```\n<!-- end of transcript -->";

/// A line without what differs from run to run: words that hold a digit, the four digits of a fingerprint's group, units,
/// bars, how many sources verified, and the space between.
fn shape(line: &str) -> String {
    let group = |word: &str| word.len() == 4 && word.chars().all(|c| c.is_ascii_hexdigit());
    let varies =
        |word: &&str| word.chars().any(|c| c.is_ascii_digit()) || word.chars().all(|c| "█─".contains(c)) || group(word);
    let line = &line.replace("✓✓✓✓", "✓✓✓");
    let unit = |word: &&str| ["B", "KiB", "MiB"].contains(word);
    let words: Vec<_> =
        line.split_whitespace().filter(|w| !unit(w)).map(|w| if varies(&w) { "#" } else { w }).collect();
    words.join(" ").trim_end_matches(" #").to_string()
}

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let folder = tempfile::tempdir().expect("a folder for the testnet");
    let folder = folder.path().join("medring-demo");
    let out = Command::new(env!("CARGO_BIN_EXE_medring"))
        .args(["testnet", "demo", "--seed", "7", "--dir"])
        .arg(&folder)
        .output()
        .expect("medring starts");
    let printed = String::from_utf8(out.stdout).expect("text");
    assert!(out.status.success(), "the demo failed: {}\n{printed}", String::from_utf8_lossy(&out.stderr));
    let real = folder.canonicalize().map(|p| p.display().to_string()).unwrap_or_default();
    let printed = printed.replace(&real, "medring-demo").replace(&folder.display().to_string(), "medring-demo");

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(&path).expect("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("README.md has a transcript");
    let (shown, after) = rest.split_once(END).expect("the transcript ends");
    if std::env::var_os("MEDRING_WRITE_README").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{printed}{END}{after}")).expect("README.md is written");
        return;
    }
    let shapes = |text: &str| text.lines().map(shape).collect::<Vec<_>>();
    assert_eq!(shapes(shown), shapes(&printed), "run it with MEDRING_WRITE_README=1 after you changed the summary");
}
