//! How an attempt ends without an epoch: who may end it, who is told what, and when the next one may begin.

use super::Machine;
use super::io::{Env, Event};
use super::outbox::Letter;
use super::state::{Attempt, DEAD_MAX, Dead, ids, index};
use crate::group::message::{Abort, Answer, Phase, Refusal};
use crate::group::signing::abort_hash;
use crate::hash::{Gid, ParticipantId};
use crate::record::SigCheck;

impl Machine {
    /// This participant finds that the attempt cannot succeed. The owner ends it; a member does before it confirmed, and
    /// afterwards only complains, since the owner may hold all confirmations already. Nobody does once EpochCommit is signed.
    /// `certain`: the accused was caught, and not merely found missing or in a quarrel.
    pub(super) fn fail(&mut self, env: &mut Env<'_>, why: String, accused: Option<u16>, certain: bool) {
        let Some(attempt) = self.state.attempt.as_ref().filter(|a| a.phase < Phase::Committing) else { return };
        let (gid, phase) = (attempt.gid, attempt.phase);
        if self.is_owner() {
            if let Some(at) = accused {
                self.strike(at, if certain { 2 } else { 1 });
            }
            return self.end_attempt(env, why, accused, !certain);
        }
        let owner = self.state.owner;
        if phase < Phase::Confirming {
            for to in ids(attempt.ed()).into_iter().filter(|id| *id != owner) {
                self.post(to, Letter::Abort(gid, phase, None));
            }
            let who = accused.and_then(|at| self.id_at(at));
            self.bury_attempt(why, who);
        }
        self.post(owner, Letter::Abort(gid, phase, accused));
        self.show_shares(gid);
    }

    /// A member that finds something wrong with a complete ring shows the owner the shares it was given: if somebody signed two
    /// different ones, the owner holds both then.
    fn show_shares(&mut self, gid: Gid) {
        let dead = self.state.dead.iter().find(|d| d.gid == gid).map(|d| d.shares.len());
        let n = self.state.attempt.as_ref().filter(|a| a.gid == gid).map(|a| a.shares.len()).or(dead);
        let places: Vec<u16> = (0..n.unwrap_or_default()).map(index).collect();
        if places.iter().all(|at| self.held_share(&gid, *at).is_some()) {
            let owner = self.state.owner;
            places.into_iter().for_each(|at| self.post(owner, Letter::Share(gid, at)));
        }
    }

    /// Who has this place in the attempt under way.
    pub(super) fn id_at(&self, at: u16) -> Option<ParticipantId> {
        self.state.attempt.as_ref()?.keys(at).map(crate::identity::PublicKeys::id)
    }

    /// Owner: somebody was late, in a quarrel, or caught.
    pub(super) fn strike(&mut self, at: u16, count: u8) {
        let Some(id) = self.id_at(at) else { return };
        self.strike_id(id, count);
    }

    pub(super) fn strike_id(&mut self, id: ParticipantId, count: u8) {
        if id == self.id {
            return;
        }
        if let Some(owning) = self.state.owning.as_mut() {
            let strikes = owning.strikes.entry(id).or_default();
            *strikes = strikes.saturating_add(count);
            self.changed = true;
        }
    }

    /// Owner: ends the attempt for everyone. The next one waits for the back-off, and for disclosures if there is something
    /// to be found out (`ask`: all shares are here, and the culprit is not known for certain).
    pub(super) fn end_attempt(&mut self, env: &Env<'_>, why: String, accused: Option<u16>, ask: bool) {
        let Some(attempt) = self.state.attempt.as_ref() else { return };
        let (gid, phase, epoch) = (attempt.gid, attempt.phase, attempt.ed().epoch);
        let judge = ask && phase >= Phase::Sharing && attempt.all_shares().is_some() && attempt.n() > 1;
        self.post_ring(Letter::Abort(gid, phase, None));
        if judge {
            self.post_ring(Letter::WantDisclosure(gid));
        }
        let who = accused.and_then(|at| self.id_at(at));
        self.bury_attempt(why, who);
        let (limit, config) = (self.step_limit_ms(), self.config);
        if let Some(dead) = self.state.dead.last_mut().filter(|d| judge && d.gid == gid) {
            dead.judge_at_ms = Some(env.now_ms.saturating_add(limit));
        }
        let Some(owning) = self.state.owning.as_mut() else { return };
        let doublings = owning.attempts_made.saturating_sub(1).min(32);
        let wait = config.backoff_ms.saturating_mul(1 << doublings).min(config.backoff_max_ms);
        owning.not_before_ms = env.now_ms.saturating_add(wait);
        if owning.attempts_made >= config.attempts_max && !owning.stalled {
            owning.stalled = true;
            let attempts = owning.attempts_made;
            self.event(Event::Stalled { epoch, attempts });
        }
    }

    /// The attempt under way becomes a dead one: of its secrets only B_(i−1) and B_i stay, for a disclosure.
    pub(super) fn bury_attempt(&mut self, why: String, accused: Option<ParticipantId>) {
        let Some(attempt) = self.state.attempt.take() else { return };
        let Attempt { proposal, gid, me, phase, shares, .. } = attempt;
        self.changed = true;
        self.unpost(|_, letter| {
            letter.gid() == Some(gid) && !matches!(letter, Letter::Abort(..) | Letter::WantDisclosure(_))
        });
        if !self.secrets.get_mut(&gid).is_some_and(super::Secrets::bury) {
            self.wipe(gid);
        }
        let (judge_at_ms, disclosures) = (None, std::collections::BTreeMap::new());
        self.state.dead.push(Dead { proposal, gid, me, phase, shares, judge_at_ms, disclosures });
        while self.state.dead.len() > DEAD_MAX {
            let oldest = self.state.dead.remove(0);
            self.wipe(oldest.gid);
        }
        self.event(Event::Aborted { gid, phase, why, accused });
    }

    /// An abort by the owner or a member.
    pub(super) fn abort_in(&mut self, env: &mut Env<'_>, from: &[u8], abort: &Abort) -> Answer {
        let Some(attempt) = self.state.attempt.as_ref().filter(|a| a.gid == abort.gid) else { return Answer::Stale };
        let Some(sender) = attempt.place_of_peer(from) else { return Answer::Refused(Refusal::WrongPeer) };
        let Some(keys) = attempt.keys(sender).filter(|keys| keys.id() == abort.by) else {
            return Answer::Refused(Refusal::WrongPeer);
        };
        let hash = abort_hash(&abort.gid, &abort.by, abort.phase, abort.accused);
        if !(SigCheck { key: keys.signing, hash, signature: abort.signature }).verify() {
            return Answer::Refused(Refusal::BadSignature);
        }
        let phase = attempt.phase;
        if abort.by == self.state.owner {
            // The owner's word ends it at any phase: it signs no EpochCommit afterwards.
            self.bury_attempt(format!("the owner ended it while {}", doing(abort.phase)), None);
            return Answer::Taken;
        }
        if self.is_owner() {
            if phase == Phase::Committing {
                return Answer::Stale;
            }
            self.aborted_by_member(env, sender, abort);
        } else if phase < Phase::Confirming {
            self.bury_attempt(format!("a member ended it while {}", doing(abort.phase)), None);
        }
        Answer::Taken
    }

    /// Owner: a member and the one it accuses are in a quarrel, and it cannot be told who is right: both are noted, so that
    /// neither can keep the group from its next epoch.
    fn aborted_by_member(&mut self, env: &Env<'_>, sender: u16, abort: &Abort) {
        self.strike(sender, 1);
        if let Some(at) = abort.accused.filter(|at| *at != sender) {
            self.strike(at, 1);
        }
        self.end_attempt(env, format!("a member ended it while {}", doing(abort.phase)), abort.accused, true);
    }

    pub(super) fn abort_message(&self, gid: Gid, phase: Phase, accused: Option<u16>) -> Abort {
        let signature = self.me.identity.sign(&abort_hash(&gid, &self.id, phase, accused));
        Abort { gid, by: self.id, phase, accused, signature }
    }

    /// A neighbour or member refused what this one sent in good faith: one of the two is wrong.
    pub(super) fn part_refused(&mut self, env: &mut Env<'_>, by: ParticipantId, gid: Gid, why: Refusal) {
        let attempt = self.state.attempt.as_ref().filter(|a| a.gid == gid);
        let Some(at) = attempt.and_then(|a| ids(a.ed()).iter().position(|id| *id == by)) else { return };
        self.fail(env, format!("a member refused a message of the ring: {why}"), Some(index(at)), false);
    }

    /// The step took too long.
    pub(super) fn step_timed_out(&mut self, env: &mut Env<'_>) {
        let missing = self.missing();
        let names: Vec<String> = missing.iter().filter_map(|at| self.id_at(*at)).map(|id| id.short()).collect();
        let why =
            format!("no answer in time from {}", if names.is_empty() { "a member".into() } else { names.join(", ") });
        if self.is_owner() {
            for at in self.culprits(&missing) {
                self.strike(at, 1);
            }
            let only = if let [one] = missing.as_slice() { Some(*one) } else { None };
            return self.end_attempt(env, why, only, false);
        }
        let first = missing.first().copied();
        self.fail(env, why, first, false);
    }

    /// Places whose part of this phase is not here.
    pub(super) fn missing(&self) -> Vec<u16> {
        let Some(attempt) = self.state.attempt.as_ref() else { return Vec::new() };
        let others = (0..attempt.n()).map(index).filter(|at| *at != attempt.me);
        let slot_is_empty = |at: &u16| match attempt.phase {
            Phase::Proposed => attempt.keys(*at).is_none_or(|keys| !attempt.taken.contains(&keys.id())),
            Phase::Sharing => attempt.shares.get(usize::from(*at)).is_none_or(Option::is_none),
            Phase::Confirming => attempt.confirms.get(usize::from(*at)).is_none_or(Option::is_none),
            Phase::Pairing | Phase::Committing => false,
        };
        if attempt.phase == Phase::Pairing {
            let secrets = self.secrets.get(&attempt.gid);
            let before = Some(attempt.before()).filter(|_| secrets.is_none_or(|s| s.before.is_none()));
            let after = Some(attempt.after()).filter(|_| secrets.is_none_or(|s| s.after.is_none()));
            let mut missing: Vec<u16> = before.into_iter().chain(after).collect();
            missing.sort_unstable();
            missing.dedup();
            return missing;
        }
        others.filter(slot_is_empty).collect()
    }

    /// Who can have held the attempt up. A member that pairs with nobody keeps both its neighbours from sharing too; so among
    /// neighbours that are all missing, those at the two ends are not blamed while there is someone between them.
    fn culprits(&self, missing: &[u16]) -> Vec<u16> {
        let Some(attempt) = self.state.attempt.as_ref().filter(|a| a.phase == Phase::Sharing) else {
            return missing.to_vec();
        };
        let n = index(attempt.n());
        let is_missing = |at: u16| missing.contains(&at);
        let inner = |at: &u16| is_missing((*at + n - 1) % n) && is_missing((*at + 1) % n);
        let beside_inner = |at: &u16| {
            inner(&((*at + n - 1) % n)) && is_missing((*at + n - 1) % n)
                || inner(&((*at + 1) % n)) && is_missing((*at + 1) % n)
        };
        missing.iter().filter(|at| inner(at) || !beside_inner(at)).copied().collect()
    }
}

const fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::Proposed => "proposing",
        Phase::Pairing => "pairing",
        Phase::Sharing => "sharing",
        Phase::Confirming => "confirming",
        Phase::Committing => "committing",
    }
}
