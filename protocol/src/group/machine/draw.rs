//! Owner: the next epoch's descriptor, drawn once the last one is final and everyone is there.

use super::Machine;
use super::explain::{effective, every_pair, pairs_of, takes_out};
use super::io::{Env, Event};
use super::outbox::Letter;
use super::state::{Attempt, NUMBERED_MAX, ids};
use crate::group::descriptor::{Change, EpochDescriptor, Member};
use crate::group::message::{Left, Phase, Proposal, Refusal};
use crate::hash::{Gid, ParticipantId, RecordId};
use crate::identity::PublicKeys;
use std::collections::BTreeSet;

/// Late or quarrelling this often, and a member is left out.
pub(super) const STRIKES_MAX: u8 = 2;

/// What the next descriptor builds on.
struct Base {
    epoch: u64,
    previous: RecordId,
    /// Its predecessor's ring.
    ring: Vec<ParticipantId>,
    /// What is wanted against it.
    wanted: Vec<Change>,
    /// The same epoch once more, since its commit cannot be mined any more.
    redo: bool,
}

impl Machine {
    /// Owner: begins an attempt if one is wanted and may begin.
    pub(super) fn consider(&mut self, env: &mut Env<'_>) {
        let idle = self.state.attempt.is_none() && self.state.dead.iter().all(|d| d.judge_at_ms.is_none());
        let Some(base) = self.base(env).filter(|_| idle) else { return self.forget_presence() };
        self.leave_out(env, &effective(&base.ring, &base.wanted, &self.id).0);
        let Some(owning) = self.state.owning.as_ref() else { return };
        let wanted: Vec<Change> = base.wanted.iter().chain(&owning.pending).copied().collect();
        let (ring, changes) = effective(&base.ring, &wanted, &self.id);
        self.prune_pending(&base.wanted, &changes);
        let Some(owning) = self.state.owning.as_ref() else { return };
        let started = self.state.current.is_some() || owning.alone || ring.len() > 1;
        let pointless = changes.is_empty() && !base.redo && !owning.refresh_all;
        if !started || pointless || owning.stalled || env.now_ms < owning.not_before_ms {
            return self.forget_presence();
        }
        if !env.chain.standing(&self.id).is_some_and(|s| s.valid) {
            // No block would take this owner's EpochCommit.
            return self.forget_presence();
        }
        let roster: Option<Vec<Member>> = ring.iter().map(|id| self.member(id)).collect();
        let Some(roster) = roster else { return };
        if self.everyone_is_there(env, &ring) {
            self.draw(env, &base, roster, changes);
        }
    }

    /// What to build on; `None` if it is not yet time, or this is no owner.
    fn base(&self, env: &Env<'_>) -> Option<Base> {
        self.state.owning.as_ref()?;
        let Some(last) = self.state.current.as_ref() else {
            let wanted = vec![Change::Join(self.id)];
            return Some(Base { epoch: 0, previous: RecordId::ZERO, ring: Vec::new(), wanted, redo: false });
        };
        let ed = last.ed();
        if last.is_final {
            let ring = ids(ed);
            return Some(Base { epoch: ed.epoch + 1, previous: last.record, ring, wanted: Vec::new(), redo: false });
        }
        if last.height.is_some() || !self.is_past(env, ed.deadline_height) {
            return None;
        }
        let before = self.state.past.iter().rev().find(|p| p.epoch.epoch + 1 == ed.epoch);
        let ring = before.map(|p| p.epoch.ring.clone()).unwrap_or_default();
        Some(Base { epoch: ed.epoch, previous: ed.previous, ring, wanted: ed.changes.clone(), redo: true })
    }

    /// Whether a commit that had to be mined by this height cannot come back short of a reorganisation deeper than D.
    pub(super) fn is_past(&self, env: &Env<'_>, deadline_height: u64) -> bool {
        env.chain.height() >= deadline_height.saturating_add(self.config.confirmations)
    }

    /// Whoever has too many strikes, or is enrolled no more, stays out of the next epoch: members are suspended, joiners remain
    /// candidates.
    fn leave_out(&mut self, env: &Env<'_>, ring: &[ParticipantId]) {
        let Some(owning) = self.state.owning.as_ref() else { return };
        let coming = owning.pending.iter().filter(|c| matches!(c, Change::Join(_) | Change::Return(_)));
        let everyone: BTreeSet<ParticipantId> = ring.iter().chain(coming.map(|c| c.parts().1)).copied().collect();
        let out: Vec<ParticipantId> = (everyone.into_iter())
            .filter(|id| *id != self.id && !owning.pending.contains(&Change::Suspend(*id)))
            .filter(|id| {
                owning.strikes.get(id).is_some_and(|s| *s >= STRIKES_MAX)
                    || env.chain.standing(id).is_some_and(|s| !s.valid)
            })
            .collect();
        for member in out {
            let Some(owning) = self.state.owning.as_mut() else { return };
            owning.strikes.remove(&member);
            owning.pending.retain(|c| !matches!(c, Change::Join(who) | Change::Return(who) if *who == member));
            if ring.contains(&member) {
                owning.pending.push(Change::Suspend(member));
            } else {
                self.event(Event::Left { member, why: Left::Suspended });
            }
            self.changed = true;
        }
    }

    /// Changes that came to nothing are forgotten. What takes somebody out whom `base` brings in stays: the two undo each other.
    fn prune_pending(&mut self, base: &[Change], changes: &[Change]) {
        let Some(owning) = self.state.owning.as_mut() else { return };
        let before = owning.pending.len();
        let undoes = |change: &Change| {
            takes_out(change) && base.iter().any(|b| !takes_out(b) && b.parts().1 == change.parts().1)
        };
        owning.pending.retain(|change| (changes.contains(change) && !base.contains(change)) || undoes(change));
        self.changed |= owning.pending.len() != before;
    }

    /// A place in the roster, with the node as last heard of.
    fn member(&self, id: &ParticipantId) -> Option<Member> {
        let keys = self.keys_of(id)?;
        Some(Member { keys, peer_id: self.state.endpoints.get(id)?.peer_id.clone() })
    }

    /// Keys of anyone who is, was or may become a member.
    pub(super) fn keys_of(&self, id: &ParticipantId) -> Option<PublicKeys> {
        if *id == self.id {
            return Some(self.me.identity.public());
        }
        let roster = self.state.current.iter().flat_map(|e| &e.ed().roster);
        let owning = self.state.owning.as_ref();
        (roster.map(|m| &m.keys).find(|keys| keys.id() == *id))
            .or_else(|| owning?.candidates.get(id).map(|c| &c.keys))
            .or_else(|| owning?.suspended.get(id).map(|s| &s.keys))
            .cloned()
    }

    fn draw(&mut self, env: &mut Env<'_>, base: &Base, roster: Vec<Member>, changes: Vec<Change>) {
        let mut random = [0; 32];
        env.rng.fill_bytes(&mut random);
        let refresh = self.refresh(base, &roster, &changes);
        let endpoints = roster.iter().filter_map(|m| self.state.endpoints.get(&m.keys.id()).cloned()).collect();
        let Some(place) = roster.iter().position(|m| m.keys.id() == self.id) else { return };
        let Some(owning) = self.state.owning.as_mut() else { return };
        let attempt = owning.numbers.get(&base.epoch).copied().unwrap_or_default();
        let ed = EpochDescriptor {
            chain: self.state.chain,
            group: self.state.group.0,
            epoch: base.epoch,
            attempt,
            previous: base.previous,
            random,
            changes,
            owner: self.id,
            uploader: self.id,
            patient_ids: vec![self.id],
            roster,
            refresh,
            deadline_height: env.chain.height().saturating_add(self.config.commit_within_blocks),
        };
        if let Err(error) = ed.check() {
            // Two members with one node: the owner has to take one of them out.
            owning.stalled = true;
            self.changed = true;
            let (gid, accused) = (ed.gid(), None);
            return self.event(Event::Aborted { gid, phase: Phase::Proposed, why: error.to_string(), accused });
        }
        owning.numbers.insert(base.epoch, attempt.saturating_add(1));
        while owning.numbers.len() > NUMBERED_MAX {
            owning.numbers.pop_first();
        }
        owning.attempts_made = owning.attempts_made.saturating_add(1);
        let signature = self.me.identity.sign(&ed.signing_hash());
        let proposal = Proposal { ed, signature, endpoints };
        let gid = proposal.ed.gid();
        self.state.note_seen(&proposal.ed, gid);
        let until_ms = env.now_ms.saturating_add(self.step_limit_ms());
        let invited = ids(&proposal.ed);
        // Who gets the new proposal needs no word of the old ones.
        self.unpost(|to, letter| invited.contains(to) && letter.gid().is_some());
        self.state.attempt = Some(Attempt::new(proposal, place, Phase::Proposed, until_ms));
        self.forget_presence();
        self.post_ring(Letter::Propose(gid));
        self.begin(env);
    }

    /// Pairs that are agreed anew although their ends were neighbours before.
    fn refresh(&self, base: &Base, roster: &[Member], changes: &[Change]) -> Vec<u16> {
        let n = roster.len();
        let Some(owning) = self.state.owning.as_ref().filter(|_| n > 1) else { return Vec::new() };
        if base.redo || owning.refresh_all {
            return every_pair(n);
        }
        let held = self.state.current.as_ref().and_then(|e| self.secrets.get(&e.gid));
        let lost_own = held.is_none_or(|s| s.before.is_none() || s.after.is_none());
        let anew = |id: &ParticipantId| {
            changes.contains(&Change::Update(*id))
                || owning.lost.contains(id)
                || (*id == self.id && lost_own && base.epoch > 0)
        };
        let places = roster.iter().enumerate().filter(|(_, m)| anew(&m.keys.id()));
        places.flat_map(|(place, _)| pairs_of(place, n)).collect::<BTreeSet<u16>>().into_iter().collect()
    }

    /// Owner: whether everyone took the proposal.
    pub(super) fn all_took(&self) -> bool {
        self.state
            .attempt
            .as_ref()
            .is_some_and(|a| a.ed().roster.iter().map(|m| m.keys.id()).all(|id| id == self.id || a.taken.contains(&id)))
    }

    /// A member took the proposal.
    pub(super) fn proposal_taken(&mut self, env: &mut Env<'_>, by: ParticipantId, gid: Gid) {
        let Some(attempt) = self.state.attempt.as_mut().filter(|a| a.gid == gid) else { return };
        self.changed |= attempt.taken.insert(by);
        self.advance(env);
    }

    /// A member refused it: without memory it pairs anew in the next attempt; everything else is held against it.
    pub(super) fn proposal_refused(&mut self, env: &mut Env<'_>, by: ParticipantId, gid: Gid, why: Refusal) {
        let attempt = self.state.attempt.as_ref().filter(|a| a.gid == gid);
        let Some(attempt) = attempt.filter(|_| self.state.owning.is_some()) else { return };
        let place = ids(attempt.ed()).iter().position(|id| *id == by).map(super::state::index);
        // Said a second time it is an excuse: this proposal refreshed both its pairs.
        let owning = self.state.owning.as_mut();
        let lost = why == Refusal::LostState && owning.is_some_and(|o| o.lost.insert(by));
        self.fail(env, format!("a member refused the proposal: {why}"), place.filter(|_| !lost), false);
    }
}
