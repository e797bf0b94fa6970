//! The chain decides: an epoch is in force while its EpochCommit is on this node's best chain, and final D deep.

use super::Machine;
use super::explain::takes_out;
use super::io::{Env, Event, HISTORY_MAX, MyStanding, Output, PastEpoch};
use super::outbox::Letter;
use super::state::{Attempt, Epoch, Past, SUSPENDED_MAX, Suspended, ids};
use crate::group::descriptor::{Change, EpochDescriptor};
use crate::group::message::{Left, Phase, Wish};
use crate::hash::{ParticipantId, RecordId};

/// Height of a commit that counts: on the best chain, and not later than its descriptor allows.
fn height_of(env: &Env<'_>, record: &RecordId, ed: &EpochDescriptor) -> Option<u64> {
    env.chain.height_of(record).filter(|height| *height <= ed.deadline_height)
}

impl Machine {
    /// Compares the state with the chain.
    pub(super) fn look_at_chain(&mut self, env: &mut Env<'_>) {
        self.look_at_staged(env);
        self.look_at_current(env);
    }

    /// The attempt that awaits its block.
    fn look_at_staged(&mut self, env: &mut Env<'_>) {
        let Some(attempt) = self.state.attempt.as_ref() else { return };
        let Some((commit, record)) = attempt.commit.clone() else { return };
        if let Some(height) = height_of(env, &record, attempt.ed()) {
            return self.activate(height);
        }
        let deadline_height = attempt.ed().deadline_height;
        if !self.is_owner() {
            return;
        }
        if self.is_past(env, deadline_height) {
            self.end_attempt(env, "no block took EpochCommit in time".into(), None, false);
            if let Some(owning) = self.state.owning.as_mut() {
                owning.refresh_all = true;
            }
        } else if !self.submitted {
            self.submitted = true;
            self.outputs.push_back(Output::Submit { commit, record, deadline_height });
        }
    }

    /// The epoch in force: rolled back, back again, final.
    fn look_at_current(&mut self, env: &Env<'_>) {
        let tip = env.chain.height();
        let is_owner = self.is_owner();
        let Some(current) = self.state.current.as_mut() else { return };
        let (gid, epoch, deadline_height) = (current.gid, current.ed().epoch, current.ed().deadline_height);
        let height = height_of(env, &current.record, current.ed());
        if height != current.height {
            let before = std::mem::replace(&mut current.height, height);
            self.changed = true;
            if let Some(past) = self.state.past.iter_mut().rev().find(|p| p.epoch.gid == gid) {
                past.epoch.height = height.or(past.epoch.height);
            }
            match height {
                None => {
                    current.is_final = false;
                    self.submitted = false;
                    self.event(Event::RolledBack { gid, epoch });
                    self.give_way(env, epoch);
                }
                Some(height) if before.is_none() => self.event(Event::Activated { gid, epoch, height }),
                Some(_) => {}
            }
        }
        let Some(current) = self.state.current.as_mut() else { return };
        match height {
            Some(height) if !current.is_final && height.saturating_add(self.config.confirmations) <= tip + 1 => {
                current.is_final = true;
                self.changed = true;
                self.event(Event::Final { gid, epoch });
                self.retire();
            }
            None if is_owner && !self.submitted && tip <= deadline_height => {
                let (commit, record) = (current.commit.clone(), current.record);
                self.submitted = true;
                self.outputs.push_back(Output::Submit { commit, record, deadline_height });
            }
            _ => {}
        }
    }

    /// Owner: an epoch lost its commit; no later one is made before it has it back.
    fn give_way(&mut self, env: &Env<'_>, epoch: u64) {
        let later = self.state.attempt.as_ref().is_some_and(|a| a.phase < Phase::Committing && a.ed().epoch > epoch);
        if later && self.is_owner() {
            self.end_attempt(env, "a reorganisation took the last EpochCommit away".into(), None, false);
        }
    }

    /// The current epoch is final: what came before it is wiped, or reduced to k_rec if the archive is on.
    fn retire(&mut self) {
        let archive = self.config.archive;
        for gid in std::mem::take(&mut self.state.superseded) {
            if !(archive && self.secrets.get_mut(&gid).is_some_and(super::Secrets::archive)) {
                self.wipe(gid);
            }
        }
        for dead in std::mem::take(&mut self.state.dead) {
            self.wipe(dead.gid);
        }
    }

    /// EpochCommit is on the best chain: the attempt becomes the epoch in force.
    fn activate(&mut self, height: u64) {
        let Some(attempt) = self.state.attempt.take() else { return };
        let Attempt { proposal, gid, shares, confirms, commit: Some((commit, record)), .. } = attempt else { return };
        if let Some(secrets) = self.secrets.get_mut(&gid) {
            secrets.settle();
        }
        let ed = proposal.ed.clone();
        let epoch = Epoch {
            proposal,
            gid,
            commit,
            record,
            height: Some(height),
            is_final: false,
            shares: shares.into_iter().flatten().collect(),
            confirms: confirms.into_iter().flatten().collect(),
        };
        let last = self.state.current.replace(epoch);
        self.state.superseded.extend(last.as_ref().map(|e| e.gid));
        self.state.standing = MyStanding::Member;
        self.state.seen.retain(|(epoch, _), _| *epoch >= ed.epoch);
        self.unpost(|_, letter| letter.gid().is_some_and(|of| of != gid) || matches!(letter, Letter::Join));
        self.state.join = None;
        self.state.out_since = None;
        self.remember(&ed, record, height);
        self.owner_activated(&ed, last.as_ref());
        self.renew_wish();
        self.state.prune_endpoints();
        self.changed = true;
        self.event(Event::Activated { gid, epoch: ed.epoch, height });
    }

    pub(super) fn remember(&mut self, ed: &EpochDescriptor, commit: RecordId, height: u64) {
        let epoch = PastEpoch {
            gid: ed.gid(),
            epoch: ed.epoch,
            ring: ids(ed),
            changes: ed.changes.clone(),
            commit,
            height: Some(height),
            readable: true,
        };
        self.state.past.push(Past { epoch, uploader: ed.uploader, patient_ids: ed.patient_ids.clone() });
        let excess = self.state.past.len().saturating_sub(HISTORY_MAX);
        for past in self.state.past.drain(..excess).collect::<Vec<_>>() {
            // Only an archive holds anything of an epoch so old.
            self.wipe(past.epoch.gid);
        }
    }

    /// Owner: what was wanted is done; who is out is told so.
    fn owner_activated(&mut self, ed: &EpochDescriptor, last: Option<&Epoch>) {
        let Some(owning) = self.state.owning.as_mut() else { return };
        owning.pending.retain(|change| !ed.changes.contains(change));
        owning.candidates.retain(|id, _| !ed.roster.iter().any(|m| m.keys.id() == *id));
        owning.lost.clear();
        owning.strikes.clear();
        (owning.alone, owning.refresh_all, owning.stalled) = (false, false, false);
        (owning.attempts_made, owning.not_before_ms) = (0, 0);
        let mut notices: Vec<(ParticipantId, Left, crate::hash::Gid)> = Vec::new();
        for change in &ed.changes {
            let (_, who) = change.parts();
            let keys = last.and_then(|e| e.ed().roster.iter().find(|m| m.keys.id() == *who)).map(|m| m.keys.clone());
            match (change, keys, last) {
                (Change::Suspend(_), Some(keys), Some(last)) => {
                    owning.suspended.insert(*who, Suspended { keys, last: last.gid });
                    if owning.suspended.len() > SUSPENDED_MAX {
                        owning.suspended.pop_first();
                    }
                }
                (Change::Return(_), ..) => drop(owning.suspended.remove(who)),
                _ => {}
            }
            let why = match change {
                Change::Leave(_) => Left::Left,
                Change::Remove(_) => Left::Removed,
                Change::Suspend(_) => Left::Suspended,
                Change::Join(_) | Change::Return(_) | Change::Update(_) => continue,
            };
            notices.extend(last.map(|last| (*who, why, last.gid)));
        }
        for (who, why, gid) in notices {
            self.post(who, Letter::Notice(why, gid));
            self.event(Event::Left { member: who, why });
        }
    }

    /// A wish that the owner has not taken yet names the epoch that is in force now.
    fn renew_wish(&mut self) {
        let Some(ask) = self.state.ask.take() else { return };
        self.unpost(|_, letter| *letter == Letter::Ask);
        if ask.wish != Wish::Return {
            self.wish(ask.wish);
        }
    }

    /// Whether a change that takes somebody out is wanted or under way: nothing is sealed under the epoch in force then, since
    /// that somebody could read it.
    pub(super) fn takes_somebody_out(&self) -> bool {
        let pending = self.state.owning.iter().flat_map(|o| &o.pending);
        let proposed = self.state.attempt.iter().flat_map(|a| &a.ed().changes);
        pending.chain(proposed).any(takes_out)
    }
}
