//! Faults beginning and ending.

use super::clock::Clock;
use super::essence::Essence;
use super::events::What;
use super::fault::{Death, Fault, Span};
use super::network::Link;
use super::{DynError, Simulation};
use medring_node::core::Input;

/// How long an end of a dead link takes to notice, ms.
const NOTICE_MS: std::ops::RangeInclusive<u64> = 100..=15_000;

impl Simulation {
    pub(super) fn schedule_faults(&mut self) {
        for (index, fault) in self.config.faults.clone().into_iter().enumerate() {
            let span = match fault {
                Fault::Cut { time, .. } | Fault::Clock { time, .. } => time,
                Fault::Loss { time, .. } | Fault::Slow { time, .. } => time,
                Fault::Crash { at_ms, .. } => Span { from_ms: at_ms, until_ms: u64::MAX },
                Fault::Evil { node, .. } => {
                    self.schedule_spam(node);
                    continue;
                }
            };
            self.queue.push(self.start_ms + span.from_ms, What::Fault { index, begins: true });
            if span.until_ms < self.config.busy_ms {
                self.queue.push(self.start_ms + span.until_ms, What::Fault { index, begins: false });
            }
        }
    }

    /// A fault of the list begins, or ends.
    pub(super) fn fault(&mut self, index: usize, begins: bool) -> Result<(), DynError> {
        let Some(fault) = self.config.faults.get(index).cloned() else { return Ok(()) };
        if begins && self.now_ms >= self.busy_until_ms {
            return Ok(());
        }
        self.say(0, format_args!("{} {fault}", if begins { "begins" } else { "ends" }));
        match fault {
            Fault::Cut { side, .. } => self.cut(&side, begins),
            Fault::Crash { node, death, down_ms, .. } => self.crash(node, death, down_ms)?,
            Fault::Clock { node, offset_ms, drift_ppm, .. } => {
                let wrong = Clock { offset_ms, drift_ppm, since_ms: self.now_ms };
                self.set_clock(node, if begins { wrong } else { Clock::default() });
            }
            Fault::Loss { percent, .. } => self.loss_percent = if begins { u64::from(percent) } else { 0 },
            Fault::Slow { factor, .. } => self.slowness = if begins { factor } else { 1 },
            Fault::Evil { .. } => {}
        }
        Ok(())
    }

    pub(super) fn set_clock(&mut self, node: usize, clock: Clock) {
        self.nodes[node].clock = clock;
        // Its deadlines lie at other moments now.
        self.nodes[node].tick_ms = None;
        self.input(node, Input::Tick);
    }

    /// What crosses the cut is held up; the ends notice later. Healed, links that were noticed come up again, and those
    /// that were not go on.
    fn cut(&mut self, side: &[usize], begins: bool) {
        for link in 0..self.links.len() {
            if !self.links[link].crosses(side) {
                continue;
            }
            let at = &mut self.links[link];
            at.cuts = if begins { at.cuts + 1 } else { at.cuts.saturating_sub(1) };
            let (epoch, cut) = (at.epoch, at.is_cut());
            if !cut {
                self.release_held(link);
            }
            let at_ms = self.now_ms + self.draw(NOTICE_MS);
            self.queue.push(at_ms, if cut { What::LinkDown { link, epoch } } else { What::LinkUp { link } });
        }
    }

    fn crash(&mut self, node: usize, death: Death, down_ms: u64) -> Result<(), DynError> {
        let Some(core) = &self.nodes[node].core else { return Ok(()) };
        if death == Death::Kill {
            self.nodes[node].before = Some(Essence::of(core));
        }
        self.kill(node);
        self.come_back(node, down_ms);
        match death {
            Death::Kill => {}
            Death::Torn(kept) => self.stats.batches_lost += self.nodes[node].lose_power(kept)? as u64,
            Death::AtWrite(write) => {
                // It comes back at once, and its disk is about to fail.
                self.nodes[node].doomed_ms = Some(down_ms);
                self.start_node(node, write)?;
            }
        }
        Ok(())
    }

    /// A node that died does not stay away for longer than this.
    pub(super) fn come_back(&mut self, node: usize, down_ms: u64) {
        self.queue.push(self.now_ms + down_ms, What::Restart { node });
    }

    /// A node dies; its peers notice soon.
    pub(super) fn kill(&mut self, node: usize) {
        self.stats.crashes += 1;
        for i in 0..self.links_of[node].len() {
            let link = self.links_of[node][i];
            if let Some(peers) = self.links[link].peers {
                self.links[link].renew(None);
                let end = 1 - self.links[link].end_of(node);
                let after_ms = self.notice_ms(1..=2_000);
                self.tell_gone(self.links[link].ends[end], peers[end], after_ms);
            }
        }
        self.nodes[node].kill();
        if let Some(scene) = &mut self.scene {
            scene.cast[node].end();
        }
    }

    /// All is well from now on: cuts are healed, clocks set right, disks whole, malicious nodes gone, and the honest ones
    /// linked.
    pub(super) fn end_faults(&mut self) {
        (self.loss_percent, self.slowness) = (0, 1);
        for node in 0..self.nodes.len() {
            if !self.nodes[node].is_honest() {
                self.nodes[node].retired = true;
                if self.nodes[node].core.is_some() {
                    self.kill(node);
                    self.come_back(node, 0);
                }
                continue;
            }
            if self.nodes[node].clock != Clock::default() {
                self.set_clock(node, Clock::default());
            }
            if self.nodes[node].doomed_ms.take().is_some() && self.nodes[node].core.is_some() {
                // Its disk is still to fail: it gets a good one.
                self.kill(node);
                self.come_back(node, 0);
            }
        }
        self.link_the_honest();
        for link in 0..self.links.len() {
            self.links[link].cuts = 0;
            self.release_held(link);
            self.queue.push(self.now_ms, What::LinkUp { link });
        }
    }

    /// Malicious nodes may have been what held the others together.
    fn link_the_honest(&mut self) {
        let honest: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_honest()).collect();
        for pair in honest.windows(2).filter(|pair| pair[0] + 1 != pair[1]) {
            self.add_link(Link::new(pair[0], pair[1], 50, true));
        }
    }
}
