//! Links of a scenario's network: who dials whom and when, who is let in, and whom a partition keeps apart.

use crate::sim::Simulation;
use crate::sim::events::What;
use crate::sim::network::Link;

/// A link that was lost is dialled again after this long, and then after twice as long each time, ms …
const REDIAL_MS: u64 = 250;
/// … up to this. Both are those of real nodes.
const REDIAL_MAX_MS: u64 = 10_000;
/// How long an end of a dead link takes to notice: on one machine the other end is closed by the system, ms.
const NOTICE_MS: std::ops::RangeInclusive<u64> = 1..=10;
/// When a node that starts, or may again, dials, ms.
const SOON_MS: std::ops::RangeInclusive<u64> = 1..=50;
/// One-way delays of links: those of one machine, or of one room, ms.
const LATENCY_MS: std::ops::RangeInclusive<u64> = 1..=4;

impl Simulation {
    /// A link that is down is to come up. In a scenario only those that are kept are dialled by themselves, each by one dial
    /// at a time, the next one.
    pub(in crate::sim) fn dial(&mut self, link: usize, at_ms: u64) {
        if self.scene.as_ref().is_none_or(|scene| scene.kept.contains(&link)) {
            self.dial_once(link, at_ms);
        }
    }

    /// The same of any link.
    pub(in crate::sim) fn dial_once(&mut self, link: usize, at_ms: u64) {
        if let Some(scene) = &mut self.scene {
            if scene.dials.get(&link).is_some_and(|next| *next <= at_ms) {
                return;
            }
            scene.dials.insert(link, at_ms);
        }
        self.queue.push(at_ms, What::LinkUp { link });
    }

    /// Whether this is the moment at which a link is to be dialled, and not one that was planned before.
    pub(in crate::sim) fn is_dialled_now(&mut self, link: usize) -> bool {
        let Some(scene) = &mut self.scene else { return true };
        let now = scene.dials.get(&link) == Some(&self.now_ms);
        if now {
            scene.dials.remove(&link);
        }
        now
    }

    /// Every link that is kept and joins this node to another is dialled soon.
    pub(super) fn dial_all_of(&mut self, node: usize) {
        for i in 0..self.links_of[node].len() {
            let at_ms = self.now_ms + self.draw(SOON_MS);
            let link = self.links_of[node][i];
            if let Some(scene) = &mut self.scene {
                scene.waits.remove(&link);
            }
            self.dial(link, at_ms);
        }
    }

    /// When a node that starts dials a link of its own.
    pub(in crate::sim) fn first_dial_ms(&mut self) -> u64 {
        let range = if self.scene.is_some() { SOON_MS } else { 1..=2_000 };
        self.now_ms + self.draw(range)
    }

    /// When an end of a link that is gone notices it.
    pub(in crate::sim) fn notice_ms(&mut self, range: std::ops::RangeInclusive<u64>) -> u64 {
        let range = if self.scene.is_some() { NOTICE_MS } else { range };
        self.draw(range)
    }

    /// A link was lost.
    pub(in crate::sim) fn lost(&mut self, link: usize) {
        if self.scene.is_some() {
            self.dial(link, self.now_ms + REDIAL_MS);
        }
    }

    /// A link did not come up. Whoever is dead dials when it starts.
    pub(in crate::sim) fn dialled_in_vain(&mut self, link: usize) {
        let alive = self.links[link].ends.iter().all(|end| self.nodes[*end].core.is_some());
        let Some(scene) = self.scene.as_mut().filter(|_| alive) else { return };
        let wait_ms = scene.waits.entry(link).or_insert(REDIAL_MS);
        let at_ms = self.now_ms + *wait_ms;
        *wait_ms = (*wait_ms * 2).min(REDIAL_MAX_MS);
        self.dial(link, at_ms);
    }

    /// Whether the ends of a link let it stand: in a scenario neither is paused nor refuses the other, and both have room.
    pub(in crate::sim) fn is_admitted(&self, link: usize) -> bool {
        let Some(scene) = &self.scene else { return true };
        let [a, b] = self.links[link].ends;
        let dialled_by_others = |node: usize| {
            let links = self.nodes[node].links.values();
            links.filter(|link| self.links[**link].ends[1] == node).count()
        };
        let ready = |node: usize, other: usize| {
            let cast = &scene.cast[node];
            let room = cast.has_room(self.nodes[node].links.len(), dialled_by_others(node), node == b);
            room && !cast.paused && !cast.bans(other, self.now_ms)
        };
        ready(a, b) && ready(b, a)
    }

    /// It stands.
    pub(in crate::sim) fn came_up(&mut self, link: usize) {
        if let Some(scene) = &mut self.scene {
            scene.waits.remove(&link);
        }
    }

    /// The link of two nodes, made if there is none; `a` dials.
    pub(super) fn link_between(&mut self, a: usize, b: usize) -> usize {
        let known = self.links_of[a].iter().copied().find(|link| self.links[*link].ends.contains(&b));
        known.unwrap_or_else(|| {
            let latency_ms = self.draw(LATENCY_MS);
            self.add_link(Link::new(a, b, latency_ms, true));
            let link = self.links.len() - 1;
            self.apply_partition(link);
            link
        })
    }

    /// Nodes of different groups are kept apart from now on, those of none are one group more; no groups: nobody is.
    pub(super) fn part(&mut self, groups: &[Vec<usize>]) {
        let part_of = |node: usize| groups.iter().position(|group| group.contains(&node)).unwrap_or(groups.len());
        let parts = if groups.is_empty() { Vec::new() } else { (0..self.nodes.len()).map(part_of).collect() };
        if let Some(scene) = &mut self.scene {
            scene.parts = parts;
        }
        (0..self.links.len()).for_each(|link| self.apply_partition(link));
        (0..self.nodes.len()).for_each(|node| self.dial_all_of(node));
    }

    /// A link across the partition falls, and does not come up as long as that lasts.
    fn apply_partition(&mut self, link: usize) {
        let [a, b] = self.links[link].ends;
        let cut = self.scene.as_ref().is_some_and(|scene| scene.apart(a, b));
        self.links[link].cuts = u32::from(cut);
        if cut {
            self.take_down(link);
        }
    }
}
