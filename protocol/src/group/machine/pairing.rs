//! Pairing: the agreements with both neighbours, where the last epoch's pair is not kept.

use super::Machine;
use super::io::{Env, Event};
use super::outbox::Letter;
use super::state::{Attempt, index};
use crate::group::descriptor::EpochDescriptor;
use crate::group::message::{Answer, M1, M2, M3, Phase, Refusal};
use crate::group::pair::{Initiator, Pair, PairContext, PairError, Responder};
use crate::group::ring;
use crate::hash::Gid;
use zeroize::Zeroizing;

/// Whether the pair i is kept: the same two in the same order stood side by side in the last committed epoch, and the
/// descriptor does not refresh it. (Ids are hashes of keys: the same id has the same keys.)
pub(super) fn is_kept(ed: &EpochDescriptor, i: u16, last: Option<&EpochDescriptor>) -> bool {
    let ends = |ed: &EpochDescriptor, at: usize| {
        let next = (at + 1) % ed.roster.len().max(1);
        Some([ed.roster.get(at)?.keys.id(), ed.roster.get(next)?.keys.id()])
    };
    let (Some(last), Some(now)) = (last, ends(ed, usize::from(i))) else { return false };
    last.roster.len() > 1
        && !ed.refresh.contains(&i)
        && (0..last.roster.len()).any(|at| ends(last, at).is_some_and(|then| then == now))
}

fn refusal(error: PairError) -> Refusal {
    match error {
        PairError::Key | PairError::Malformed => Refusal::Malformed,
        PairError::Mac | PairError::Seal | PairError::Signature => Refusal::BadSignature,
    }
}

impl Attempt {
    /// Of the pair with this index; `None` if the roster has no such place.
    fn pair_context(&self, pair: u16) -> Option<PairContext<'_>> {
        let next = if usize::from(pair) + 1 == self.n() { 0 } else { pair.checked_add(1)? };
        Some(PairContext { gid: self.gid, index: pair, initiator: self.keys(pair)?, responder: self.keys(next)? })
    }
}

impl Machine {
    /// Starts an attempt that is already in the state: kept pairs ratchet, others are agreed anew. In a group of one there
    /// is nothing to agree.
    pub(super) fn begin(&mut self, env: &mut Env<'_>) {
        let Some(attempt) = self.state.attempt.as_ref() else { return };
        let (gid, me, before, phase) = (attempt.gid, attempt.me, attempt.before(), attempt.phase);
        self.event(Event::Moved { gid, epoch: attempt_ed(attempt).0, attempt: attempt_ed(attempt).1, phase });
        self.changed = true;
        let Some(attempt) = self.state.attempt.as_mut() else { return };
        let mut fresh = super::Secrets::default();
        if attempt.n() == 1 {
            let mut random = Zeroizing::new([0; 32]);
            env.rng.fill_bytes(random.as_mut_slice());
            self.secrets.insert(gid, fresh);
            self.alone(env, &random);
            return;
        }
        // Who was out, or turned back, knows an older epoch as its last: nothing of that one is kept.
        let last = self.state.current.as_ref().filter(|e| e.record == attempt.ed().previous);
        let old = last.and_then(|e| self.secrets.get(&e.gid));
        let last = last.map(super::state::Epoch::ed);
        if is_kept(attempt.ed(), before, last) {
            fresh.before = old.and_then(|s| s.before.as_ref()).map(|pair| pair.ratchet(&gid));
        }
        if is_kept(attempt.ed(), me, last) {
            fresh.after = old.and_then(|s| s.after.as_ref()).map(|pair| pair.ratchet(&gid));
        } else {
            let started = attempt.pair_context(me).map(|ctx| Initiator::start(&ctx, &self.me.identity, env.rng));
            // Fails only if the next member's key is no element of the group, which its enrolment has ruled out.
            if let Some(Ok((initiator, m1))) = started {
                fresh.initiator = Some(initiator);
                attempt.m1_out = Some(m1);
            }
        }
        let next = attempt.keys(attempt.after()).map(crate::identity::PublicKeys::id);
        let starts = attempt.m1_out.is_some();
        self.secrets.insert(gid, fresh);
        if let (true, Some(next)) = (starts, next) {
            self.post(next, Letter::M1(gid));
        }
        self.advance(env);
    }

    /// Goes on as far as what is here allows.
    pub(super) fn advance(&mut self, env: &mut Env<'_>) {
        loop {
            let Some(attempt) = self.state.attempt.as_ref() else { return };
            let (gid, phase) = (attempt.gid, attempt.phase);
            match phase {
                Phase::Proposed if self.all_took() => self.enter(env, Phase::Pairing),
                Phase::Pairing if self.pairs(&gid).is_some() => self.begin_sharing(env),
                Phase::Sharing => self.try_confirming(env),
                Phase::Confirming => self.try_committing(env),
                Phase::Proposed | Phase::Pairing | Phase::Committing => {}
            }
            if self.state.attempt.as_ref().is_none_or(|a| a.gid != gid || a.phase == phase) {
                return;
            }
        }
    }

    /// The next phase, with its time limit. Members grant twice the owner's.
    pub(super) fn enter(&mut self, env: &Env<'_>, phase: Phase) {
        let granted = self.step_limit_ms();
        let Some(attempt) = self.state.attempt.as_mut() else { return };
        attempt.phase = phase;
        attempt.until_ms = env.now_ms.saturating_add(granted);
        attempt.nudged = false;
        let (gid, (epoch, number)) = (attempt.gid, attempt_ed(attempt));
        self.changed = true;
        self.event(Event::Moved { gid, epoch, attempt: number, phase });
    }

    /// How long a step may take here, ms.
    pub(super) fn step_limit_ms(&self) -> u64 {
        self.config.step_timeout_ms.saturating_mul(if self.is_owner() { 1 } else { 2 })
    }

    /// Both pairs of an attempt, once they stand.
    pub(super) fn pairs(&self, gid: &Gid) -> Option<(&Pair, &Pair)> {
        let secrets = self.secrets.get(gid)?;
        Some((secrets.before.as_ref()?, secrets.after.as_ref()?))
    }

    /// Where to look for a message of an attempt: `Ok` if it is the one under way and the sender has the place it says.
    fn neighbour(&mut self, now_ms: u64, from: &[u8], gid: Gid, place: impl Fn(&Attempt) -> u16) -> Result<(), Answer> {
        let Some(attempt) = self.state.attempt.as_ref().filter(|a| a.gid == gid) else {
            return Err(self.elsewhere(now_ms, from, gid));
        };
        if attempt.place_of_peer(from) == Some(place(attempt)) {
            return Ok(());
        }
        Err(Answer::Refused(Refusal::WrongPeer))
    }

    pub(super) fn m1_in(&mut self, env: &mut Env<'_>, from: &[u8], m1: M1) -> Answer {
        if let Err(answer) = self.neighbour(env.now_ms, from, m1.gid, Attempt::before) {
            return answer;
        }
        let Some(attempt) = self.state.attempt.as_ref() else { return Answer::Stale };
        let (gid, before) = (attempt.gid, attempt.before());
        let sender = attempt.keys(before).map(crate::identity::PublicKeys::id);
        if let (Some(first), Some(sender)) = (attempt.m1_in.as_ref(), sender) {
            if *first != m1 {
                return Answer::Refused(Refusal::Conflict);
            }
            if attempt.m3_in.is_none() {
                self.post(sender, Letter::M2(gid));
            }
            return Answer::Taken;
        }
        let kept = self.secrets.get(&gid).is_none_or(|s| s.before.is_some());
        if m1.pair != before || kept || attempt.phase > Phase::Pairing {
            return Answer::Refused(Refusal::Malformed);
        }
        let Some(ctx) = attempt.pair_context(before) else { return Answer::Refused(Refusal::Malformed) };
        match Responder::respond(&ctx, &self.me.identity, &m1, env.rng) {
            Ok((responder, m2)) => {
                if let (Some(attempt), Some(secrets)) = (self.state.attempt.as_mut(), self.secrets.get_mut(&gid)) {
                    (attempt.m1_in, attempt.m2_out) = (Some(m1), Some(m2));
                    secrets.responder = Some(responder);
                    self.changed = true;
                }
                if let Some(sender) = sender {
                    self.post(sender, Letter::M2(gid));
                }
                Answer::Taken
            }
            Err(error) => self.bad_pairing(env, before, error),
        }
    }

    pub(super) fn m2_in(&mut self, env: &mut Env<'_>, from: &[u8], m2: M2) -> Answer {
        if let Err(answer) = self.neighbour(env.now_ms, from, m2.gid, Attempt::after) {
            return answer;
        }
        let Some(attempt) = self.state.attempt.as_ref() else { return Answer::Stale };
        let (gid, me, after) = (attempt.gid, attempt.me, attempt.after());
        if let Some(first) = attempt.m2_in.as_ref() {
            return if *first == m2 { Answer::Taken } else { Answer::Refused(Refusal::Conflict) };
        }
        let (Some(ctx), Some(initiator)) =
            (attempt.pair_context(me), self.secrets.get(&gid).and_then(|s| s.initiator.as_ref()))
        else {
            return Answer::Refused(Refusal::Malformed);
        };
        match initiator.finish(&ctx, &self.me.identity, &m2) {
            Ok((pair, m3)) => {
                let next = ctx.responder.id();
                if let (Some(attempt), Some(secrets)) = (self.state.attempt.as_mut(), self.secrets.get_mut(&gid)) {
                    (attempt.m2_in, attempt.m3_out) = (Some(m2), Some(m3));
                    (secrets.after, secrets.initiator) = (Some(pair), None);
                    self.changed = true;
                }
                self.post(next, Letter::M3(gid));
                self.advance(env);
                Answer::Taken
            }
            Err(error) => self.bad_pairing(env, after, error),
        }
    }

    pub(super) fn m3_in(&mut self, env: &mut Env<'_>, from: &[u8], m3: M3) -> Answer {
        if let Err(answer) = self.neighbour(env.now_ms, from, m3.gid, Attempt::before) {
            return answer;
        }
        let Some(attempt) = self.state.attempt.as_ref() else { return Answer::Stale };
        let (gid, before) = (attempt.gid, attempt.before());
        if let Some(first) = attempt.m3_in.as_ref() {
            return if *first == m3 { Answer::Taken } else { Answer::Refused(Refusal::Conflict) };
        }
        let (Some(ctx), Some(responder)) =
            (attempt.pair_context(before), self.secrets.get(&gid).and_then(|s| s.responder.as_ref()))
        else {
            return Answer::Refused(Refusal::Malformed);
        };
        match responder.accept(&ctx, &m3) {
            Ok(pair) => {
                if let (Some(attempt), Some(secrets)) = (self.state.attempt.as_mut(), self.secrets.get_mut(&gid)) {
                    attempt.m3_in = Some(m3);
                    (secrets.before, secrets.responder) = (Some(pair), None);
                    self.changed = true;
                }
                self.unpost(|_, letter| *letter == Letter::M2(gid));
                self.advance(env);
                Answer::Taken
            }
            Err(error) => self.bad_pairing(env, before, error),
        }
    }

    /// A neighbour, proved by its Noise key, said what does not hold.
    fn bad_pairing(&mut self, env: &mut Env<'_>, who: u16, error: PairError) -> Answer {
        self.fail(env, format!("pairing failed: {error}"), Some(who), true);
        Answer::Refused(refusal(error))
    }

    /// A group of one: the key is random, and confirmed by its only member.
    fn alone(&mut self, env: &mut Env<'_>, random: &[u8; 32]) {
        let Some(gid) = self.state.attempt.as_ref().map(|a| a.gid) else { return };
        let (th, keys) = ring::alone(&gid, random);
        let confirm = ring::confirm(&gid, index(0), &th, &keys, &self.me.identity);
        if let (Some(attempt), Some(secrets)) = (self.state.attempt.as_mut(), self.secrets.get_mut(&gid)) {
            attempt.confirms = vec![Some(confirm)];
            attempt.phase = Phase::Confirming;
            secrets.keys = Some(keys);
            self.changed = true;
        }
        self.advance(env);
    }
}

fn attempt_ed(attempt: &Attempt) -> (u64, u32) {
    (attempt.ed().epoch, attempt.ed().attempt)
}
