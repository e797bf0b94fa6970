//! Sharing: X of every member, to every member.

use super::Machine;
use super::io::Env;
use super::outbox::Letter;
use super::state::Attempt;
use crate::group::message::{Answer, Phase, Refusal, Share};
use crate::group::ring;
use crate::hash::Gid;
use zeroize::Zeroizing;

impl Attempt {
    /// All shares by index, once they are here.
    pub(super) fn all_shares(&self) -> Option<Vec<Share>> {
        self.shares.iter().cloned().collect()
    }

    /// th; `None` until all shares are here.
    pub(super) fn transcript(&self) -> Option<[u8; 32]> {
        if self.n() == 1 {
            return Some(ring::transcript(&self.gid, &[]));
        }
        self.all_shares().map(|shares| ring::transcript(&self.gid, &shares))
    }
}

impl Machine {
    /// Both pairs stand: B and X of this member, to everyone.
    pub(super) fn begin_sharing(&mut self, env: &mut Env<'_>) {
        let Some(attempt) = self.state.attempt.as_ref() else { return };
        let (gid, me, before) = (attempt.gid, attempt.me, attempt.before());
        let id = |at: u16| attempt.keys(at).map(crate::identity::PublicKeys::id);
        let (Some(id_before), Some(id_me), Some(id_after)) = (id(before), id(me), id(attempt.after())) else { return };
        let Some((pair_before, pair_after)) = self.pairs(&gid) else { return };
        let b_before = ring::b_value(&gid, before, &id_before, &id_me, pair_before);
        let b_after = ring::b_value(&gid, me, &id_me, &id_after, pair_after);
        let share = ring::share(&gid, me, [&b_before, &b_after], [pair_before, pair_after], &self.me.identity);
        let mut bs = Zeroizing::new([0; 64]);
        bs[..32].copy_from_slice(b_before.as_slice());
        bs[32..].copy_from_slice(b_after.as_slice());
        if let Some(secrets) = self.secrets.get_mut(&gid) {
            secrets.bs = Some(bs);
        }
        if let Some(slot) = self.state.attempt.as_mut().and_then(|a| a.shares.get_mut(usize::from(me))) {
            *slot = Some(share);
        }
        self.enter(env, Phase::Sharing);
        self.post_ring(Letter::Share(gid, me));
    }

    /// One share, from its member or passed on by another: the signature counts.
    pub(super) fn share_in(&mut self, env: &mut Env<'_>, from: &[u8], share: Share) -> Answer {
        let Some(attempt) = self.state.attempt.as_ref().filter(|a| a.gid == share.gid) else {
            self.late_share(&share);
            return self.elsewhere(env.now_ms, from, share.gid);
        };
        if attempt.place_of_peer(from).is_none() {
            return Answer::Refused(Refusal::WrongPeer);
        }
        let Some(slot) = attempt.shares.get(usize::from(share.index)) else {
            return Answer::Refused(Refusal::Malformed);
        };
        if slot.as_ref() == Some(&share) {
            return Answer::Taken;
        }
        if ring::check_share(attempt.ed(), &attempt.gid, &share).is_err() {
            return Answer::Refused(Refusal::BadSignature);
        }
        let (at, conflict) = (share.index, slot.is_some());
        if conflict {
            // Two signed X of one member for one epoch: it plays two games, and has proved it.
            self.fail(env, "a member signed two different shares".into(), Some(at), true);
            return Answer::Refused(Refusal::Conflict);
        }
        if let Some(slot) = self.state.attempt.as_mut().and_then(|a| a.shares.get_mut(usize::from(at))) {
            *slot = Some(share);
            self.changed = true;
        }
        self.advance(env);
        Answer::Taken
    }

    /// All shares are here: check them, unroll, and confirm the key.
    pub(super) fn try_confirming(&mut self, env: &mut Env<'_>) {
        let Some(attempt) = self.state.attempt.as_ref() else { return };
        let Some(shares) = attempt.all_shares() else { return };
        let (gid, me) = (attempt.gid, attempt.me);
        let Some((before, after)) = self.secrets.get(&gid).and_then(|s| s.b_values()) else { return };
        let checked =
            ring::check_shares(attempt.ed(), &shares).and_then(|()| ring::unroll_checked(me, [before, after], &shares));
        let bs = match checked {
            Ok(bs) => bs,
            Err(error) => return self.fail(env, error.to_string(), error.accused, false),
        };
        let th = ring::transcript(&gid, &shares);
        let keys = ring::epoch_keys(&th, &bs);
        let confirm = ring::confirm(&gid, me, &th, &keys, &self.me.identity);
        if let (Some(attempt), Some(secrets)) = (self.state.attempt.as_mut(), self.secrets.get_mut(&gid)) {
            secrets.keys = Some(keys);
            if let Some(slot) = attempt.confirms.get_mut(usize::from(me)) {
                *slot = Some(confirm);
            }
        }
        self.enter(env, Phase::Confirming);
        self.post_ring(Letter::Confirm(gid, me));
        self.check_early_confirms(env);
    }

    /// A share that is held here, of the attempt under way or of the epoch in force.
    pub(super) fn held_share(&self, gid: &Gid, at: u16) -> Option<Share> {
        let at = usize::from(at);
        if let Some(attempt) = self.state.attempt.as_ref().filter(|a| a.gid == *gid) {
            return attempt.shares.get(at)?.clone();
        }
        if let Some(dead) = self.state.dead.iter().find(|d| d.gid == *gid) {
            return dead.shares.get(at)?.clone();
        }
        self.state.current.as_ref().filter(|e| e.gid == *gid)?.shares.get(at).cloned()
    }
}
