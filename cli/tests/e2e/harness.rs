//! Testnets and commands under test.

use medring_testnet::procs::{Guarded, ProcessId, Testnet, UpOptions, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_medring");
/// How long a step of a few blocks may take. Generous: two cores may be shared with a compiler.
pub(crate) const SOON: Duration = Duration::from_secs(120);

/// The committed bundles.
pub(crate) fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/samples/fhir")
}

/// The larger collection of patients, in the folder that `MEDRING_DATA` names or in ../shared/data beside the workspace;
/// says loudly when there is none.
pub(crate) fn bundles() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("MEDRING_DATA").map_or_else(beside, PathBuf::from).join("fhir/synthea");
    if !folder.is_dir() {
        eprintln!("SKIPPED: no larger collection at {}; set MEDRING_DATA to test on it", folder.display());
        return None;
    }
    Some(folder)
}

/// The seed of a test, printed.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("MEDRING_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(7);
    println!("seed {seed} (repeat with MEDRING_SEED={seed})");
    seed
}

/// A testnet that ends, and whose folder goes, with the test.
pub(crate) struct Net {
    // Dropped in this order.
    net: Guarded,
    folder: TempDir,
}

/// Of each node's log, when a test fails: its folder goes with it.
const LOG_LINES: usize = 80;

impl Drop for Net {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for node in &self.net.state().nodes {
            let log = std::fs::read_to_string(node.log()).unwrap_or_default();
            // The chain's own beat would push everything else out.
            let beat = |line: &&str| line.contains("new tip") || line.contains("mined a block");
            let lines: Vec<_> = log.lines().filter(|line| !beat(line)).collect();
            let tail = &lines[lines.len().saturating_sub(LOG_LINES)..];
            eprintln!("--- the end of the log of {}\n{}", node.name, tail.join("\n"));
        }
    }
}

impl std::ops::Deref for Net {
    type Target = Testnet;
    fn deref(&self) -> &Testnet {
        &self.net
    }
}

impl std::ops::DerefMut for Net {
    fn deref_mut(&mut self) -> &mut Testnet {
        &mut self.net
    }
}

impl Net {
    /// `count` nodes that mine on demand, linked, with their participants enrolled; `adjust` may wish for something else.
    pub(crate) fn up(count: usize, adjust: impl FnOnce(&mut UpOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = UpOptions::numbered(folder.path().join("net"), BINARY.into(), count, seed());
        options.mine = false;
        options.block_time_ms = 1000;
        adjust(&mut options);
        let net = Guarded::new(Testnet::up(&options, &mut |_| {}).unwrap());
        net.enrol(&mut |_| {}).unwrap();
        Self { net, folder }
    }

    /// Guards a testnet that a command made in `folder`/net.
    pub(crate) fn of_folder(folder: TempDir) -> Self {
        Self { net: Guarded::new(Testnet::open(&folder.path().join("net")).unwrap()), folder }
    }

    /// A folder for the test's own files.
    pub(crate) fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// A GET on a node's API.
    pub(crate) fn get(&self, i: usize, path: &str) -> Value {
        self.client(i).unwrap().get(path).unwrap()
    }

    /// The processes of the testnet in `dir`, as its folder says now.
    pub(crate) fn processes(dir: &str) -> Vec<ProcessId> {
        let net = Testnet::open(Path::new(dir)).unwrap();
        net.state().nodes.iter().filter_map(|n| n.process).collect()
    }

    /// Ends every node in order.
    pub(crate) fn end(&mut self) {
        self.net.down(&mut |_| {}).unwrap();
    }
}

/// A command that ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit code; `None`: a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) out: String,
    /// What it told on standard error.
    pub(crate) err: String,
}

impl Ran {
    /// Its standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// It must have succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// It must have failed with this exit code, and said all of `words` on standard error.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in: {}", self.err);
        }
        self
    }
}

/// `medring ARGS…`, to its end.
pub(crate) fn medring<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    let mut command = Command::new(BINARY);
    command.args(args);
    run(command)
}

/// Any command, to its end within [`SOON`].
pub(crate) fn run(command: Command) -> Ran {
    Foreground::start(command).ended()
}

/// A process under test, killed with its owner if it still runs.
pub(crate) struct Foreground {
    child: Child,
    out: PathBuf,
    err: PathBuf,
    what: String,
    _folder: TempDir,
}

impl Foreground {
    /// Starts it; what it prints goes to files, so that it never waits for a reader.
    pub(crate) fn start(mut command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (out, err) = (folder.path().join("out"), folder.path().join("err"));
        let what = format!("{command:?}");
        let child = command
            .env_remove("MEDRING_DATA_DIR")
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Self { child, out, err, what, _folder: folder }
    }

    /// `medring node run --config FILE`.
    pub(crate) fn node(config: &Path) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["node", "run", "--config"]).arg(config);
        Self::start(command)
    }

    /// What it told on standard error so far.
    pub(crate) fn err(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap()
    }

    /// What it printed so far.
    pub(crate) fn out(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap()
    }

    /// Waits until it printed `word`.
    #[track_caller]
    pub(crate) fn prints(&mut self, word: &str) {
        let found = until(&format!("{} to print {word:?}", self.what), SOON, || {
            let text = self.out() + &self.err();
            let over = self.child.try_wait().unwrap();
            match (text.contains(word), over) {
                (true, _) => Ok(true),
                (false, Some(_)) => Ok(false),
                (false, None) => Err(text),
            }
        });
        assert!(found.unwrap(), "{} ended without printing {word:?}:\n{}{}", self.what, self.out(), self.err());
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// Waits until it ended, [`SOON`].
    pub(crate) fn ended(self) -> Ran {
        self.ended_within(SOON)
    }

    /// Waits until it ended.
    pub(crate) fn ended_within(mut self, limit: Duration) -> Ran {
        let status: ExitStatus = until(&format!("{} to end", self.what), limit, || {
            self.child.try_wait().unwrap().ok_or_else(|| format!("it runs; it said:\n{}{}", self.out(), self.err()))
        })
        .unwrap();
        Ran { code: status.code(), out: self.out(), err: self.err() }
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        // Ended already: nothing to kill, and wait gives its status again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every process whose command line names `folder`.
pub(crate) fn processes_of(folder: &Path) -> Vec<String> {
    let needle = folder.to_string_lossy().into_owned();
    let command_line = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
    let lines = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).filter_map(command_line);
    lines.map(|l| String::from_utf8_lossy(&l).replace('\0', " ")).filter(|l| l.contains(&needle)).collect()
}
