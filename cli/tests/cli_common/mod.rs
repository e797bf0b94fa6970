//! Runs the real binary in a folder of its own, and keeps all it ever said.
#![allow(dead_code, reason = "each test file uses a part")]

use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use tempfile::TempDir;

/// A folder in which commands run.
pub(crate) struct Desk {
    dir: TempDir,
    said: Mutex<String>,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// Its result as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// Expects an exit code and, on failure, a word of the explanation.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, word: &str) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        let said = format!("{}{}", self.stdout, self.stderr);
        assert!(said.contains(word), "{word:?} is not in {self:?}");
        self
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), said: Mutex::default() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A passphrase file only its owner can read.
    pub(crate) fn passphrase(&self, name: &str, text: &str) {
        let path = self.write(name, format!("{text}\n"));
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    /// Runs `medring` with these arguments, separated by spaces, in the folder.
    pub(crate) fn run(&self, line: &str) -> Said {
        self.run_with(line, b"")
    }

    /// The same with something on standard input.
    pub(crate) fn run_with(&self, line: &str, stdin: &[u8]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_medring"));
        command.args(line.split_whitespace()).current_dir(self.dir.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MEDRING_") {
                command.env_remove(name);
            }
        }
        command.env("HOME", self.dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Whoever does not read it closes the pipe.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        let output = child.wait_with_output().unwrap();
        let said = Said {
            code: output.status.code().expect("it ended by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!said.stderr.contains("panicked"), "{said:?}");
        self.said.lock().unwrap().push_str(&format!("{}{}", said.stdout, said.stderr));
        said
    }

    /// Everything every command has said.
    pub(crate) fn everything_said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Keys under `NAME.key` with the passphrase in `NAME.pass`, and the card `NAME.card`.
    pub(crate) fn participant(&self, name: &str) {
        self.passphrase(&format!("{name}.pass"), &format!("the pass phrase of {name}"));
        self.run(&format!("key new --keystore {name}.key --passphrase-file {name}.pass")).expect(0, "participant");
        self.run(&format!("key show --keystore {name}.key --card {name}.card")).expect(0, "card");
    }

    /// A network of the participant `authority`, in `genesis.json`.
    pub(crate) fn network(&self, purpose: &str) {
        self.participant("authority");
        let line = format!("genesis new --name cli-test --purpose {purpose} --authority authority.card --hashes 2");
        self.run(&line).expect(0, "chain id");
    }
}

/// A node in the folder `node`, killed if the test ends without stopping it.
pub(crate) struct Node(pub(crate) Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the node and waits for the line that says it is ready.
pub(crate) fn start(desk: &Desk) -> Node {
    let mut command = Command::new(env!("CARGO_BIN_EXE_medring"));
    command.args(["node", "run", "--data-dir", "node"]).current_dir(desk.path("")).stdout(Stdio::piped());
    let mut node = Node(command.stderr(Stdio::null()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(node.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("medring node ready /ip4/127.0.0.1/tcp/"), "{line:?}");
    node
}

/// Names in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
