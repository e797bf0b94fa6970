//! What is checked after every step of every node.

use super::world::World;
use crate::group::EpochDescriptor;
use crate::group::machine::{ChainView, EpochStatus, Event, Fingerprint, Machine, Snapshot};
use crate::group::message::{Message, Share};
use crate::group::{Change, machine::EpochAccess};
use crate::hash::{Gid, ParticipantId, RecordId};
use std::collections::{BTreeMap, BTreeSet};

/// Most epochs and attempts whose secrets may stand on a disk at once: the last final one, the one that awaits finality, the
/// attempt under way, dead attempts until the next one's deadline.
const SECRETS_MAX: usize = 16;
/// Longest public part of a snapshot for a small group, bytes.
const PUBLIC_BYTES_MAX: usize = 512 * 1024;

/// What the checkers know of all epochs.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Every descriptor that was ever sent.
    pub descriptors: BTreeMap<Gid, EpochDescriptor>,
    /// Shares that were sent, by epoch and index.
    pub shares: BTreeMap<Gid, BTreeMap<u16, Share>>,
    /// Commits that were submitted.
    pub commits: BTreeMap<Gid, RecordId>,
    /// k_rec and fingerprint of every epoch that was ever in force anywhere.
    pub keys: BTreeMap<Gid, ([u8; 32], Fingerprint)>,
    /// What people were told, and where.
    pub events: Vec<(usize, Event)>,
    /// Whom the owner proposed to take out: it seals nothing under an epoch that one of them is in.
    pub to_go: BTreeSet<ParticipantId>,
}

/// Whether a descriptor takes somebody out.
pub fn takes_out(ed: &EpochDescriptor) -> bool {
    ed.changes.iter().any(|c| matches!(c, Change::Leave(_) | Change::Remove(_) | Change::Suspend(_)))
}

/// Whether `needle` stands anywhere in `hay`.
pub fn contains(hay: &[u8], needle: &[u8; 32]) -> bool {
    hay.windows(32).any(|window| window == needle)
}

impl World {
    pub(super) fn check(&mut self, node: usize) {
        let Some(machine) = self.nodes[node].machine.as_ref() else { return };
        let status = machine.status();
        let (active, sealing) = (status.active, machine.sealing());
        let reading = active.as_ref().and_then(|a| machine.reading(&a.gid));
        if let Some(active) = &active {
            self.check_active(node, active, reading.as_ref());
        }
        if let Some(access) = sealing {
            self.check_sealing(node, active.as_ref(), &access);
        }
    }

    fn check_active(&mut self, node: usize, active: &EpochStatus, reading: Option<&EpochAccess>) {
        let gid = active.gid;
        let Some(ed) = self.ledger.descriptors.get(&gid).cloned().or_else(|| self.alone(node, active)) else {
            self.fail(&format!("n{node} is in {gid:?}, which nobody proposed"))
        };
        let ring: Vec<_> = ed.roster.iter().map(|member| member.keys.id()).collect();
        if ring != active.ring || ed.epoch != active.epoch {
            self.fail(&format!("n{node} sees another ring or number in {gid:?} than was proposed"));
        }
        let me = &self.nodes[node];
        if let Some(access) = reading {
            let found = (*access.k_rec, active.fingerprint);
            let known = *self.ledger.keys.entry(gid).or_insert(found);
            if known != found {
                self.fail(&format!("n{node} holds another key of {gid:?} than others"));
            }
        } else if !me.forgetful {
            self.fail(&format!("n{node} has {gid:?} in force and no key of it"));
        }
        let height = me.view.height_of(&active.commit);
        if active.height != height {
            self.fail(&format!("n{node} sees {gid:?} at {:?}, its chain has it at {height:?}", active.height));
        }
        let before = self.nodes[node].last_active.replace((active.epoch, gid));
        self.check_succession(node, before, active, &ed, height);
    }

    /// What may follow what: up by commits on the chain; down never past a removal.
    fn check_succession(
        &self,
        node: usize,
        before: Option<(u64, Gid)>,
        now: &EpochStatus,
        ed: &EpochDescriptor,
        height: Option<u64>,
    ) {
        if before == Some((now.epoch, now.gid)) {
            return;
        }
        let back = before.is_none() && self.nodes[node].forgetful;
        if !back && height.is_none_or(|height| height > ed.deadline_height) {
            self.fail(&format!("n{node} activates {:?} at {height:?}, due by {}", now.gid, ed.deadline_height));
        }
        let Some((epoch, gid)) = before else { return };
        let removed = self.ledger.descriptors.get(&gid).is_some_and(takes_out);
        if now.epoch < epoch && removed {
            self.fail(&format!("n{node} goes back from {gid:?}, which took somebody out, to {:?}", now.gid));
        }
    }

    /// A group of one sends its descriptor to nobody.
    fn alone(&self, node: usize, active: &EpochStatus) -> Option<EpochDescriptor> {
        let machine = self.nodes[node].machine.as_ref()?;
        let ed = machine.last_proposal().map(|proposal| proposal.ed.clone());
        ed.filter(|ed| ed.gid() == active.gid && ed.roster.len() == 1)
    }

    fn check_sealing(&self, node: usize, active: Option<&EpochStatus>, access: &EpochAccess) {
        let Some(active) = active.filter(|active| active.gid == access.gid) else {
            self.fail(&format!("n{node} seals under {:?}, which is not in force", access.gid))
        };
        if self.ledger.keys.get(&access.gid).is_none_or(|(k_rec, _)| *k_rec != *access.k_rec) {
            self.fail(&format!("n{node} seals under another key of {:?} than members hold", access.gid));
        }
        if node == 0 && active.ring.iter().any(|id| self.ledger.to_go.contains(id)) {
            self.fail(&format!("the owner seals under {:?} after a removal was proposed", access.gid));
        }
    }

    pub(super) fn check_sent(&mut self, node: usize, message: &Message) {
        match message {
            Message::Propose(proposal) => {
                let (gid, ed) = (proposal.ed.gid(), &proposal.ed);
                let is_new = self.ledger.descriptors.insert(gid, ed.clone()).is_none();
                for change in ed.changes.iter().filter(|_| is_new) {
                    match change {
                        Change::Leave(who) | Change::Remove(who) | Change::Suspend(who) => {
                            self.ledger.to_go.insert(*who)
                        }
                        Change::Join(who) | Change::Return(who) => self.ledger.to_go.remove(who),
                        Change::Update(_) => false,
                    };
                }
            }
            Message::Share(share) => {
                let known = self.ledger.shares.entry(share.gid).or_default();
                if *known.entry(share.index).or_insert_with(|| share.clone()) != *share && !self.nodes[node].forgetful {
                    self.fail(&format!("n{node} sends two shares for one place of {:?}", share.gid));
                }
            }
            _ => {}
        }
    }

    pub(super) fn check_event(&mut self, node: usize, event: &Event) {
        match event {
            Event::Wiped { gid } => drop(self.nodes[node].wiped.insert(*gid)),
            Event::Final { epoch, .. } if !self.config.archive => {
                let older = |gid: &&Gid| self.ledger.descriptors.get(gid).is_some_and(|ed| ed.epoch < *epoch);
                let disk = self.nodes[node].disk.as_ref();
                if let Some(gid) = disk.and_then(|disk| disk.secrets.keys().find(older)) {
                    self.fail(&format!("n{node}: epoch {epoch} is final and secrets of {gid:?} are still there"));
                }
            }
            Event::Equivocation { .. } if !self.cheating_owner => {
                self.fail(&format!("n{node} accuses an honest owner of playing two games"))
            }
            _ => {}
        }
    }

    pub(super) fn check_stored(&mut self, node: usize, snapshot: &Snapshot) {
        let me = &self.nodes[node];
        if let Some(gid) = snapshot.secrets.keys().find(|gid| me.wiped.contains(gid)) {
            self.fail(&format!("n{node} stores secrets of {gid:?} again, which it had wiped"));
        }
        for gid in &me.wiped {
            let Some((k_rec, _)) = self.ledger.keys.get(gid) else { continue };
            let found = contains(&snapshot.public, k_rec) || snapshot.secrets.values().any(|s| contains(s, k_rec));
            if found && !self.config.archive {
                self.fail(&format!("n{node} still stores the key of {gid:?}, which it wiped"));
            }
        }
        if snapshot.secrets.len() > SECRETS_MAX || snapshot.public.len() > PUBLIC_BYTES_MAX {
            let (count, bytes) = (snapshot.secrets.len(), snapshot.public.len());
            self.fail(&format!("n{node} stores {bytes} bytes and secrets of {count} epochs: something is not bounded"));
        }
        self.nodes[node].memory.learn(snapshot);
    }

    /// The checks of every machine now; for worlds that are not thorough.
    pub fn check_all(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.check(node));
    }

    /// Fingerprints that members of this world hold of the owner's epoch: one, if all is well.
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        let gid = self.status(0).and_then(|s| s.active).map(|a| a.gid);
        let of = |machine: &Machine| machine.status().active.filter(|a| Some(a.gid) == gid).map(|a| a.fingerprint);
        let mut found: Vec<_> = self.nodes.iter().filter_map(|node| node.machine.as_ref()).filter_map(of).collect();
        found.dedup();
        found
    }
}
