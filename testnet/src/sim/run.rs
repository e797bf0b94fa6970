//! Running: events in order of time, and the wait for one tip.

use super::events::What;
use super::{DynError, SimFailure, SimReport, Simulation, checks, twin};
use medring_node::core::{Input, Peer};

/// How often it is looked whether all agree, ms.
const LOOK_MS: u64 = 1_000;

impl Simulation {
    /// Runs the busy time, heals everything, waits until all agree, and judges.
    ///
    /// # Errors
    /// A check failed; the failure names the seed that brings it back.
    pub fn run(mut self) -> Result<SimReport, SimFailure> {
        self.settle()?;
        let chain = checks::all(&self).map_err(|problem| self.failure(problem))?;
        let report = self.report(&chain);
        twin::all(&mut self).map_err(|problem| self.failure(problem))?;
        Ok(report)
    }

    /// Up to the moment at which all agree.
    pub(super) fn settle(&mut self) -> Result<(), SimFailure> {
        self.run_until(self.busy_until_ms)?;
        self.end_faults();
        let until_ms = self.now_ms + self.config.settle_ms;
        while !checks::settled(self) {
            if self.now_ms >= until_ms {
                let problem = format!("no agreement within {} ms: {}", self.config.settle_ms, checks::tips(self));
                return Err(self.failure(problem));
            }
            self.run_until(self.now_ms + LOOK_MS)?;
        }
        Ok(())
    }

    /// Handles every event up to a time.
    pub(crate) fn run_until(&mut self, until_ms: u64) -> Result<(), SimFailure> {
        while let Some((at_ms, what)) = self.queue.pop(until_ms) {
            self.now_ms = at_ms;
            self.happen(what).map_err(|e| self.failure(e.to_string()))?;
            if let Some(problem) = self.problem.take() {
                return Err(self.failure(problem));
            }
            if self.stats.events > self.config.events_max {
                let problem = format!("more than {} events: {}", self.config.events_max, checks::tips(self));
                return Err(self.failure(problem));
            }
        }
        self.now_ms = until_ms;
        checks::bounded(self).map_err(|problem| self.failure(problem))
    }

    fn happen(&mut self, what: What) -> Result<(), DynError> {
        self.stats.events += 1;
        let Some(what) = self.unless_paused(what) else { return Ok(()) };
        match what {
            What::Deliver { link, epoch, to, parcel } => self.deliver(link, epoch, to, parcel),
            What::LinkUp { link } => {
                if self.is_dialled_now(link) {
                    self.link_up(link);
                }
            }
            What::LinkDown { link, epoch } => {
                if self.links[link].is_cut() && self.links[link].epoch == epoch {
                    self.take_down(link);
                }
            }
            What::Gone { node, life, peer } => {
                if self.nodes[node].life == life {
                    self.input(node, Input::Disconnected { peer });
                }
            }
            What::Tick { node, life } => {
                let at = &mut self.nodes[node];
                if at.life == life && at.tick_ms == Some(self.now_ms) {
                    at.tick_ms = None;
                    self.input(node, Input::Tick);
                }
            }
            What::Verified { node, life, job, result } => {
                if self.nodes[node].life == life {
                    self.input(node, Input::Verified { job, result });
                }
            }
            What::Hear { node, life } => {
                if self.nodes[node].life == life {
                    self.hear_late(node);
                }
            }
            What::Broken { node, life, peer, id } => {
                if self.nodes[node].life == life {
                    self.broken(node, peer, id);
                }
            }
            What::Mine => self.mine(),
            What::Submit => self.submit(),
            What::Spam { node } => self.spam(node),
            What::Fault { index, begins } => self.fault(index, begins)?,
            What::Restart { node } => {
                if self.nodes[node].core.is_none() && !self.nodes[node].retired {
                    self.start_node(node, u64::MAX)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn link_up(&mut self, link: usize) {
        let [a, b] = self.links[link].ends;
        let alive = self.nodes[a].core.is_some() && self.nodes[b].core.is_some();
        if self.links[link].peers.is_some() {
            return;
        }
        if !alive || self.links[link].is_cut() || !self.is_admitted(link) {
            return self.dialled_in_vain(link);
        }
        self.came_up(link);
        let peers = [self.nodes[a].new_peer(link, b), self.nodes[b].new_peer(link, a)];
        self.links[link].renew(Some(peers));
        for (node, peer) in [(a, peers[0]), (b, peers[1])] {
            self.input(node, Input::Connected { peer });
        }
    }

    /// Ends a connection; both ends are told, each in its time.
    pub(super) fn take_down(&mut self, link: usize) {
        let Some(peers) = self.links[link].peers else { return };
        self.links[link].renew(None);
        for (node, peer) in self.links[link].ends.into_iter().zip(peers) {
            let after_ms = self.notice_ms(1..=1_000);
            self.tell_gone(node, peer, after_ms);
        }
        self.lost(link);
    }

    pub(super) fn tell_gone(&mut self, node: usize, peer: Peer, after_ms: u64) {
        self.nodes[node].links.remove(&peer);
        let life = self.nodes[node].life;
        self.queue.push(self.now_ms + after_ms, What::Gone { node, life, peer });
    }

    /// A node begins a life: from what its disk holds, with its links dialled anew.
    pub(super) fn start_node(&mut self, node: usize, fail_at_write: u64) -> Result<(), DynError> {
        self.say(node, format_args!("starts"));
        self.nodes[node].start(self.now_ms, fail_at_write).map_err(|e| format!("node {node}: {e}"))?;
        for i in 0..self.links_of[node].len() {
            let link = self.links_of[node][i];
            let at_ms = self.first_dial_ms();
            self.dial(link, at_ms);
        }
        self.carry_out(node);
        Ok(())
    }
}
