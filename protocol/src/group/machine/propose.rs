//! Member: whether a proposal is to be followed, and what an owner's two games look like.

use super::Machine;
use super::explain::{brings, every_pair, explains, pairs_of};
use super::io::{Env, Event, MyStanding};
use super::outbox::Letter;
use super::pairing::is_kept;
use super::state::{Attempt, Epoch, OUTBOX_MAX, ids, index};
use crate::group::descriptor::EpochDescriptor;
use crate::group::message::{Answer, Endpoint, Phase, Proposal, Refusal};
use crate::hash::{Gid, ParticipantId};
use crate::identity::Role;
use std::collections::BTreeSet;

/// A member that speaks of an epoch whose descriptor is not here yet. Not stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    gid: Gid,
    /// Of its first message, ms.
    since_ms: u64,
    /// When it was last asked for the descriptor, ms.
    asked_ms: Option<u64>,
}

impl Attempt {
    /// A fresh attempt; `None` if this participant has no place in it.
    pub(super) fn new(proposal: Proposal, me: usize, phase: Phase, until_ms: u64) -> Self {
        let n = proposal.ed.roster.len();
        let gid = proposal.ed.gid();
        Self {
            proposal,
            gid,
            me: index(me),
            phase,
            until_ms,
            nudged: false,
            taken: BTreeSet::new(),
            m1_out: None,
            m3_out: None,
            m2_in: None,
            m1_in: None,
            m2_out: None,
            m3_in: None,
            shares: vec![None; n],
            confirms: vec![None; n],
            commit: None,
        }
    }
}

impl Machine {
    /// A proposal, from the owner or passed on by a member.
    pub(super) fn propose_in(&mut self, env: &mut Env<'_>, from: &[u8], proposal: Proposal) -> Answer {
        let ed = &proposal.ed;
        if ed.check().is_err()
            || ed.owner != self.state.owner
            || ed.chain != self.state.chain
            || ed.group != self.state.group.0
        {
            return Answer::Refused(Refusal::Malformed);
        }
        if !self.is_owners_peer(from) && !ed.roster.iter().any(|m| m.peer_id == from) {
            return Answer::Refused(Refusal::WrongPeer);
        }
        if !ed.signature_check(proposal.signature).is_some_and(|check| check.verify()) {
            return Answer::Refused(Refusal::BadSignature);
        }
        let gid = ed.gid();
        if let Some(answer) = self.known_number(&proposal, gid) {
            return answer;
        }
        match self.judge(env, ed, gid) {
            Ok(place) => {
                self.follow(env, proposal, place);
                Answer::Taken
            }
            Err(answer) => answer,
        }
    }

    /// What is known about a signed proposal's number: the same again, or the owner's other game.
    fn known_number(&mut self, proposal: &Proposal, gid: Gid) -> Option<Answer> {
        let ed = &proposal.ed;
        match self.state.seen.get(&(ed.epoch, ed.attempt)) {
            Some(seen) if *seen == gid => Some(Answer::Taken),
            Some(seen) => {
                let other = self.proposal(seen);
                self.event(Event::Equivocation { epoch: ed.epoch, attempt: ed.attempt });
                let why =
                    format!("two proposals for epoch {}, attempt {}, both signed by its owner", ed.epoch, ed.attempt);
                self.stop(why, other.into_iter().chain([proposal.clone()]).collect());
                self.unpost(|_, _| true);
                self.tell_of_equivocation();
                Some(Answer::Refused(Refusal::Equivocation))
            }
            None if self.is_owner() => {
                let current = self.state.current.as_ref().map(|e| e.ed().epoch);
                let next = self.state.owning.as_ref().and_then(|o| o.numbers.get(&ed.epoch));
                if current.is_some_and(|c| ed.epoch < c) || next.is_some_and(|next| ed.attempt < *next) {
                    return Some(Answer::Stale);
                }
                let why = "members know a later proposal of this owner: this copy of the group is out of date; \
                           recover the group from a member";
                self.stop(why.into(), vec![proposal.clone()]);
                Some(Answer::Stale)
            }
            None => None,
        }
    }

    /// Everyone known to be concerned gets the other proposal too, so that nobody is played against.
    fn tell_of_equivocation(&mut self) {
        let evidence = self.state.stopped.as_ref().map(|s| s.evidence.clone()).unwrap_or_default();
        for proposal in &evidence {
            self.note_endpoints(proposal);
        }
        let everyone: BTreeSet<_> = evidence.iter().flat_map(|p| ids(&p.ed)).collect();
        for (to, gid) in everyone.iter().flat_map(|to| evidence.iter().map(move |p| (*to, p.ed.gid()))) {
            self.post(to, Letter::Propose(gid));
        }
    }

    /// Whether a proposal that is signed and new is to be followed; gives one's place in it.
    fn judge(&mut self, env: &Env<'_>, ed: &EpochDescriptor, gid: Gid) -> Result<usize, Answer> {
        // Of this epoch alone: after a deep reorganisation an earlier one is tried again.
        let tried = self.state.seen.range((ed.epoch, 0)..=(ed.epoch, u32::MAX)).next_back();
        if tried.is_some_and(|((_, last), _)| ed.attempt < *last) {
            return Err(Answer::Stale);
        }
        // But a later one that is under way is not given up for it, unless it is the last that was in force here.
        let later = self.state.attempt.as_ref().is_some_and(|a| a.ed().epoch > ed.epoch);
        if later && self.state.current.as_ref().is_none_or(|last| last.ed().epoch != ed.epoch) {
            return Err(Answer::Stale);
        }
        if ed.deadline_height <= env.chain.height() {
            return Err(Answer::Stale);
        }
        let keys = self.me.identity.public();
        let Some(place) = ed.roster.iter().position(|m| m.keys == keys) else {
            self.state.note_seen(ed, gid);
            self.changed = true;
            return Err(Answer::Stale);
        };
        if ed.roster.get(place).is_none_or(|m| m.peer_id != self.me.endpoint.peer_id) {
            return Err(Answer::Refused(Refusal::WrongPeer));
        }
        self.judge_place(env, ed, place)?;
        for member in &ed.roster {
            let id = member.keys.id();
            match env.chain.standing(&id) {
                // Not enrolled as far as this node has heard: its chain may be behind.
                None => return Err(Answer::Later),
                Some(s) if !s.valid || s.keys != member.keys || (id == ed.owner && s.role != Role::Patient) => {
                    return Err(Answer::Refused(Refusal::NotEnrolled));
                }
                Some(_) => {}
            }
        }
        Ok(place)
    }

    /// Whether it follows upon what this member knows of the group.
    fn judge_place(&mut self, env: &Env<'_>, ed: &EpochDescriptor, place: usize) -> Result<(), Answer> {
        let malformed = Err(Answer::Refused(Refusal::Malformed));
        match self.state.current.as_ref() {
            Some(last) if ed.epoch == last.ed().epoch + 1 && ed.previous == last.record => {
                if !explains(&ids(last.ed()), ed) {
                    return malformed;
                }
                if !last.is_final {
                    return Err(Answer::Later);
                }
                if self.holds_kept_pairs(ed, place) { Ok(()) } else { Err(Answer::Refused(Refusal::LostState)) }
            }
            Some(last) if ed.epoch == last.ed().epoch => self.judge_redo(env, last, ed),
            Some(last) if ed.epoch < last.ed().epoch => Err(Answer::Stale),
            Some(_) | None => {
                if ed.epoch == 0 && !explains(&[], ed) {
                    return malformed;
                }
                let staged = self.state.attempt.as_ref().filter(|a| a.ed().epoch + 1 == ed.epoch);
                let fresh = pairs_of(place, ed.roster.len()).iter().all(|pair| ed.refresh.contains(pair));
                match staged.map(|a| (a.phase, a.commit.as_ref())) {
                    // The epoch before is on its way here too: its last confirmations or blocks are still to come.
                    Some((_, Some((_, record)))) if *record == ed.previous => Err(Answer::Later),
                    _ if fresh || brings(ed, &self.id) => Ok(()),
                    Some((Phase::Confirming, _)) => Err(Answer::Later),
                    _ => Err(Answer::Refused(Refusal::LostState)),
                }
            }
        }
    }

    /// The same epoch once more: only because its EpochCommit cannot be mined any more, and with every pair fresh.
    fn judge_redo(&self, env: &Env<'_>, last: &Epoch, ed: &EpochDescriptor) -> Result<(), Answer> {
        if ed.attempt <= last.ed().attempt {
            return Err(Answer::Stale);
        }
        let base = self.state.past.iter().rev().find(|p| p.epoch.epoch + 1 == ed.epoch).map(|p| p.epoch.ring.clone());
        let base = if ed.epoch == 0 { Some(Vec::new()) } else { base };
        let sound = ed.previous == last.ed().previous
            && ed.refresh == every_pair(ed.roster.len())
            && base.is_none_or(|base| explains(&base, ed));
        if !sound {
            return Err(Answer::Refused(Refusal::Malformed));
        }
        if last.height.is_some() || env.chain.height() <= last.ed().deadline_height {
            return Err(Answer::Later);
        }
        Ok(())
    }

    /// Whether this member still has the pairs that a proposal keeps.
    fn holds_kept_pairs(&self, ed: &EpochDescriptor, place: usize) -> bool {
        let last = self.state.current.as_ref();
        let secrets = last.and_then(|e| self.secrets.get(&e.gid));
        let [before, after] = pairs_of(place, ed.roster.len());
        let kept = |pair: u16| is_kept(ed, pair, last.map(Epoch::ed));
        (!kept(before) || secrets.is_some_and(|s| s.before.is_some()))
            && (!kept(after) || secrets.is_some_and(|s| s.after.is_some()))
    }

    /// Takes a proposal up. An attempt that is under way gives way to it: its owner has given it up.
    fn follow(&mut self, env: &mut Env<'_>, proposal: Proposal, place: usize) {
        self.bury_attempt("a later attempt took its place".into(), None);
        self.note_endpoints(&proposal);
        let mut proposal = proposal;
        proposal.endpoints.retain(|e| e.is_well_formed() && proposal.ed.roster.iter().any(|m| m.peer_id == e.peer_id));
        proposal.endpoints.truncate(proposal.ed.roster.len());
        let gid = proposal.ed.gid();
        self.ahead.retain(|_, ahead| ahead.gid != gid);
        self.state.note_seen(&proposal.ed, gid);
        let until_ms = env.now_ms.saturating_add(self.step_limit_ms());
        self.state.attempt = Some(Attempt::new(proposal, place, Phase::Pairing, until_ms));
        self.changed = true;
        self.begin(env);
    }

    /// Where the members are: peer ids from the roster, addresses from the hints.
    pub(super) fn note_endpoints(&mut self, proposal: &Proposal) {
        for member in &proposal.ed.roster {
            let id = member.keys.id();
            if id == self.id {
                continue;
            }
            let hint = proposal.endpoints.iter().find(|e| e.peer_id == member.peer_id && e.is_well_formed());
            let known = self.state.endpoints.get(&id).filter(|e| e.peer_id == member.peer_id);
            let bare = Endpoint { peer_id: member.peer_id.clone(), addresses: Vec::new() };
            let endpoint = hint.or(known).cloned().unwrap_or(bare);
            self.state.note_endpoint(id, endpoint);
        }
    }

    /// The proposal of an attempt or epoch that is known here, with the addresses as they are known now.
    pub(super) fn proposal(&self, gid: &Gid) -> Option<Proposal> {
        let attempt = self.state.attempt.as_ref().filter(|a| a.gid == *gid).map(|a| &a.proposal);
        let current = || self.state.current.as_ref().filter(|e| e.gid == *gid).map(|e| &e.proposal);
        let dead = || self.state.dead.iter().find(|d| d.gid == *gid).map(|d| &d.proposal);
        let evidence = || self.state.stopped.iter().flat_map(|s| &s.evidence).find(|p| p.ed.gid() == *gid);
        attempt.or_else(current).or_else(dead).or_else(evidence).cloned()
    }

    /// A message for an epoch that is not under way here: finished, or not yet known.
    pub(super) fn elsewhere(&mut self, now_ms: u64, from: &[u8], gid: Gid) -> Answer {
        if self.state.seen.values().any(|seen| *seen == gid) {
            return Answer::Stale;
        }
        if matches!(self.state.standing, MyStanding::Left | MyStanding::Removed) {
            return Answer::Stale;
        }
        // Who speaks of an epoch can show its descriptor: so two games of the owner come to light.
        let sender = self.state.endpoints.iter().find(|(_, e)| e.peer_id == from).map(|(id, _)| *id);
        if let Some(sender) = sender.filter(|sender| self.asks_for_proposal(now_ms, *sender, gid)) {
            self.post(sender, Letter::WantProposal(gid));
        }
        Answer::Later
    }

    /// Whether a sender is to be asked for the descriptor of an epoch it speaks of. In a ring of n all n − 1 may speak before the
    /// descriptor comes, each is told to say it again later, and a descriptor is n times as long as what they say: so whoever
    /// says it again is asked, one at a time.
    fn asks_for_proposal(&mut self, now_ms: u64, sender: ParticipantId, gid: Gid) -> bool {
        let patience_ms = self.config.resend_interval_ms;
        let is_over = |since_ms: u64| now_ms >= since_ms.saturating_add(patience_ms);
        let asking = self.ahead.values().any(|a| a.gid == gid && a.asked_ms.is_some_and(|ms| !is_over(ms)));
        let waiting =
            self.state.outbox.iter().any(|(to, letter)| *to == sender && matches!(letter, Letter::WantProposal(_)));
        let ahead = self.ahead.entry(sender).or_insert(Ahead { gid, since_ms: now_ms, asked_ms: None });
        if ahead.gid != gid {
            *ahead = Ahead { gid, since_ms: now_ms, asked_ms: None };
        }
        if asking || waiting || !is_over(ahead.since_ms) {
            return false;
        }
        ahead.asked_ms = Some(now_ms);
        true
    }

    /// Somebody asks for a descriptor: anyone in it may have it. From the owner, with all that it holds of this epoch, for who
    /// missed some.
    pub(super) fn want_proposal_in(&mut self, from: &[u8], gid: Gid) -> Answer {
        let Some(proposal) = self.proposal(&gid) else { return Answer::Stale };
        let Some(member) = proposal.ed.roster.iter().find(|m| m.peer_id == from) else {
            return Answer::Refused(Refusal::WrongPeer);
        };
        let to = member.keys.id();
        self.post(to, Letter::Propose(gid));
        if self.is_owner() && self.state.outbox.len() < OUTBOX_MAX / 2 {
            let places = (0..proposal.ed.roster.len()).map(index);
            for at in places.filter(|at| proposal.ed.roster.get(usize::from(*at)).is_some_and(|m| m.keys.id() != to)) {
                if self.held_share(&gid, at).is_some() {
                    self.post(to, Letter::Share(gid, at));
                }
                if self.held_confirm(&gid, at).is_some() {
                    self.post(to, Letter::Confirm(gid, at));
                }
            }
        }
        Answer::Taken
    }
}
