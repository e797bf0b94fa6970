//! Processes by pid and start time, so that a number the system has given to someone else is never signalled.

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A process we started: its pid, and when the system says it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessId {
    /// The pid.
    pub pid: u32,
    /// Field 22 of `/proc/<pid>/stat`, clock ticks since boot.
    pub started_ticks: u64,
}

/// State letter and start time of a pid, from `/proc/<pid>/stat`; `None` if there is none.
fn stat(pid: u32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in brackets and may hold anything, so count from the last bracket.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// Whether a zombie still has threads that are on their way out: until the last is gone, its files and locks are held.
fn is_ending(pid: u32) -> bool {
    std::fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|threads| threads.count() > 1)
}

impl ProcessId {
    /// Starts `medring node run --config FILE` in a process group of its own, so that a Ctrl-C at the terminal does not
    /// reach it. What it prints goes to the end of `log`.
    pub fn spawn(binary: &Path, config: &Path, log: &Path) -> io::Result<Self> {
        let out = File::options().create(true).append(true).open(log)?;
        let child = Command::new(binary)
            .args(["node", "run", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .spawn()?;
        let pid = child.id();
        let started_ticks = stat(pid).map(|s| s.1).unwrap_or_default();
        Ok(Self { pid, started_ticks })
    }

    fn handle(self) -> Option<Pid> {
        i32::try_from(self.pid).ok().and_then(Pid::from_raw)
    }

    /// Whether it still runs, or holds anything. A child of ours that ended is reaped here.
    pub fn is_alive(self) -> bool {
        if let Some(pid) = self.handle() {
            // Fails where it is not our child: then there is nothing for us to reap.
            let _reaped = waitpid(Some(pid), WaitOptions::NOHANG);
        }
        matches!(stat(self.pid), Some((state, started))
            if started == self.started_ticks && (state != 'Z' || is_ending(self.pid)))
    }

    fn signal(self, signal: Signal) {
        if let (true, Some(pid)) = (self.is_alive(), self.handle()) {
            // It may have ended since the line above: then there is nothing left to signal.
            let _gone = kill_process(pid, signal);
        }
    }

    /// Waits until a child of ours that was killed is gone. Returns at once if it is not our child.
    pub fn reap(self) {
        if let Some(pid) = self.handle() {
            let _reaped = waitpid(Some(pid), WaitOptions::empty());
        }
    }

    /// kill -9.
    pub fn kill(self) {
        self.signal(Signal::KILL);
    }

    /// Asks it to end; one that is paused goes on for that.
    pub fn terminate(self) {
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
    }

    /// Stops it where it stands.
    pub fn pause(self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(self) {
        self.signal(Signal::CONT);
    }

    /// Whether it is stopped where it stands.
    pub fn is_paused(self) -> bool {
        matches!(stat(self.pid), Some(('T', started)) if started == self.started_ticks)
    }
}

/// The `medring` binary to start nodes with: `MEDRING_BIN` if set, else the running program if it is medring.
pub fn find_binary() -> io::Result<PathBuf> {
    if let Some(path) = std::env::var_os("MEDRING_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    if own.file_stem().is_some_and(|name| name == "medring") {
        return Ok(own);
    }
    let hint = "set MEDRING_BIN to the medring binary that the nodes shall run";
    Err(io::Error::new(io::ErrorKind::NotFound, hint))
}
