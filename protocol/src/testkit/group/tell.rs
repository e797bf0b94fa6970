//! What a failed test shows: the seed, what happened last, and where everybody stands.

use super::node::Node;
use super::world::{START_MS, World};
use crate::group::machine::{ChainView, Machine, Status};

/// Lines of the log that a failure shows.
const LOG_LINES: usize = 120;

impl World {
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.thorough {
            let line = format!(
                "{:>9.3} {}",
                f64::from(u32::try_from(self.now_ms - START_MS).unwrap_or(u32::MAX)) / 1e3,
                line()
            );
            if self.log.len() == LOG_LINES {
                self.log.pop_front();
            }
            self.log.push_back(line);
        }
    }

    /// Ends the test with the seed and what happened last.
    pub fn fail(&self, why: &str) -> ! {
        let states: Vec<_> =
            self.nodes.iter().enumerate().map(|(i, node)| format!("n{i} {}", self.brief_status(node))).collect();
        let log: Vec<_> = self.log.iter().map(String::as_str).collect();
        panic!("seed {}, at {} ms: {why}\n{}\n{}", self.seed, self.now_ms - START_MS, log.join("\n"), states.join("\n"))
    }

    fn brief_status(&self, node: &Node) -> String {
        let Some(status) = node.machine.as_ref().map(Machine::status) else {
            return format!("no machine, up: {}", node.up);
        };
        let active = status.active.as_ref().map(|a| (a.gid, a.epoch, a.ring.len(), a.height, a.is_final));
        let attempt = status.attempt.as_ref().map(|a| (a.gid, a.epoch, a.attempt, a.phase, &a.missing));
        let Status { standing, pending, waiting_for, suspended, stopped, .. } = &status;
        format!(
            "{} {standing:?}, active {active:?}, attempt {attempt:?}, pending {pending:?}, waiting {waiting_for:?}, suspended \
             {suspended:?}, stopped {stopped:?}, height {}",
            node.id.short(),
            node.view.height()
        )
    }
}
