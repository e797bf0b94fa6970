//! After an attempt died in Sharing or Confirming: members show the owner which B they used, and a false X comes out. It is
//! safe to show them: each B is salted by the GID of an epoch that never comes to be.

use super::Machine;
use super::io::Env;
use super::state::{Dead, ids, index};
use crate::group::message::{Answer, Disclosure, Refusal, Share};
use crate::group::ring;
use crate::hash::Gid;

impl Machine {
    /// The owner asks what this member used in a dead attempt. One that is not dead here is not talked about.
    pub(super) fn want_disclosure_in(&mut self, from: &[u8], gid: Gid) -> Answer {
        if !self.is_owners_peer(from) {
            return Answer::Refused(Refusal::WrongPeer);
        }
        if self.state.attempt.as_ref().is_some_and(|a| a.gid == gid) {
            return Answer::Later;
        }
        if !self.state.dead.iter().any(|d| d.gid == gid) {
            return Answer::Stale;
        }
        let owner = self.state.owner;
        self.post(owner, super::Letter::Disclose(gid));
        Answer::Taken
    }

    /// This member's disclosure of a dead attempt, if it came so far.
    pub(super) fn disclosure(&self, gid: &Gid) -> Option<Disclosure> {
        let dead = self.state.dead.iter().find(|d| d.gid == *gid)?;
        let (before, after) = self.secrets.get(gid)?.b_values()?;
        Some(ring::disclose(gid, dead.me, [before, after], &self.me.identity))
    }

    /// Owner: a disclosure. The signature counts, whoever brings it.
    pub(super) fn disclosure_in(&mut self, env: &mut Env<'_>, disclosure: Disclosure) -> Answer {
        let waiting = |d: &&mut Dead| d.gid == disclosure.gid && d.judge_at_ms.is_some();
        let Some(dead) = self.state.dead.iter_mut().find(waiting) else { return Answer::Stale };
        if ring::check_disclosure(&dead.proposal.ed, &dead.gid, &disclosure).is_err() {
            return Answer::Refused(Refusal::BadSignature);
        }
        if dead.disclosures.get(&disclosure.index).is_some_and(|first| *first != disclosure) {
            return Answer::Refused(Refusal::Conflict);
        }
        dead.disclosures.insert(disclosure.index, disclosure);
        self.changed = true;
        self.judge_dead(env);
        Answer::Taken
    }

    /// Owner: judges dead attempts whose disclosures are all here, or whose time is over.
    pub(super) fn judge_dead(&mut self, env: &Env<'_>) {
        let ready = |d: &&Dead| {
            let complete = d.disclosures.len() + 1 >= d.shares.len();
            d.judge_at_ms.is_some_and(|until| complete || until <= env.now_ms)
        };
        while let Some(gid) = self.state.dead.iter().find(ready).map(|d| d.gid) {
            self.judge_one(gid);
        }
    }

    /// Owner: a share of a dead attempt, as somebody else was given it. One that differs convicts who signed both.
    pub(super) fn late_share(&mut self, share: &Share) {
        let Some(dead) = self.state.dead.iter_mut().find(|d| d.gid == share.gid) else { return };
        if self.state.owning.is_none() || ring::check_share(&dead.proposal.ed, &dead.gid, share).is_err() {
            return;
        }
        let who = dead.proposal.ed.roster.get(usize::from(share.index)).map(|m| m.keys.id());
        let Some(slot) = dead.shares.get_mut(usize::from(share.index)) else { return };
        match (slot.as_ref(), who) {
            (Some(held), Some(who)) if held != share => self.strike_id(who, 2),
            (None, _) => {
                *slot = Some(share.clone());
                self.changed = true;
            }
            _ => {}
        }
    }

    fn judge_one(&mut self, gid: Gid) {
        let own = self.disclosure(&gid);
        let Some(dead) = self.state.dead.iter_mut().find(|d| d.gid == gid) else { return };
        dead.judge_at_ms = None;
        let places = ids(&dead.proposal.ed);
        let disclosures: Vec<Disclosure> = dead.disclosures.values().cloned().chain(own).collect();
        let shares: Vec<_> = dead.shares.iter().flatten().cloned().collect();
        let liars = ring::check_disclosures(&dead.proposal.ed, &shares, &disclosures);
        let silent = (0..places.len()).map(index).filter(|at| disclosures.iter().all(|d| d.index != *at));
        let blamed: Vec<(u16, u8)> = liars.iter().map(|at| (*at, 2)).chain(silent.map(|at| (at, 1))).collect();
        self.changed = true;
        for (at, count) in blamed {
            if let Some(id) = places.get(usize::from(at)) {
                self.strike_id(*id, count);
            }
        }
    }
}
