//! Wishes of members, and notices to those who are out.

use super::Machine;
use super::explain::brings;
use super::io::{Env, Event, MyStanding};
use super::outbox::Letter;
use super::state::PENDING_MAX;
use crate::group::descriptor::Change;
use crate::group::message::{Answer, Ask, Left, Notice, Refusal, Wish};
use crate::group::signing::{ask_hash, notice_hash};
use crate::hash::{Gid, ParticipantId};
use crate::record::SigCheck;

impl Machine {
    /// Member: signs a wish for the last epoch it was in and sends it to the owner.
    pub(super) fn wish(&mut self, wish: Wish) {
        let last = self.state.current.as_ref().map(|e| e.gid);
        let Some(since) = self.state.out_since.or(last) else { return };
        let hash = ask_hash(&self.state.chain, &self.state.group, wish, &since, &self.id);
        let signature = self.me.identity.sign(&hash);
        self.state.ask = Some(Ask { wish, since, by: self.id, endpoint: self.me.endpoint.clone(), signature });
        self.changed = true;
        let owner = self.state.owner;
        self.post(owner, Letter::Ask);
    }

    /// Owner: a member's wish. It is good for the epoch it names and no later one.
    pub(super) fn ask_in(&mut self, env: &Env<'_>, from: &[u8], ask: &Ask) -> Answer {
        let Some(owning) = self.state.owning.as_ref() else { return Answer::Refused(Refusal::Malformed) };
        if ask.endpoint.peer_id != from || !ask.endpoint.is_well_formed() {
            return Answer::Refused(Refusal::WrongPeer);
        }
        let Some(keys) = self.keys_of(&ask.by).filter(|_| ask.by != self.id) else {
            return Answer::Refused(Refusal::Malformed);
        };
        let hash = ask_hash(&self.state.chain, &self.state.group, ask.wish, &ask.since, &ask.by);
        if !(SigCheck { key: keys.signing, hash, signature: ask.signature }).verify() {
            return Answer::Refused(Refusal::BadSignature);
        }
        let member = self.state.ring().contains(&ask.by);
        let suspended = owning.suspended.get(&ask.by).map(|s| s.last);
        let good_for = if member { self.state.current.as_ref().map(|e| e.gid) } else { suspended };
        if good_for != Some(ask.since) {
            let old = self.state.past.iter().any(|p| p.epoch.gid == ask.since);
            return if old { Answer::Stale } else { Answer::Later };
        }
        if owning.pending.len() >= PENDING_MAX {
            return Answer::Refused(Refusal::Full);
        }
        self.state.note_endpoint(ask.by, ask.endpoint.clone());
        self.changed = true;
        let change = match (ask.wish, member) {
            (Wish::Leave, true) => Change::Leave(ask.by),
            (Wish::Update, true) => Change::Update(ask.by),
            (Wish::Return, false) if env.chain.standing(&ask.by).is_some_and(|s| s.valid) => Change::Return(ask.by),
            (Wish::Return, false) => return Answer::Refused(Refusal::NotEnrolled),
            (Wish::Leave, false) => {
                self.forget_suspended(ask.by);
                return Answer::Taken;
            }
            (Wish::Return, true) | (Wish::Update, false) => return Answer::Stale,
        };
        if let Some(owning) = self.state.owning.as_mut().filter(|o| !o.pending.contains(&change)) {
            owning.pending.push(change);
        }
        self.unpost(|to, letter| *to == ask.by && matches!(letter, Letter::Notice(..)));
        Answer::Taken
    }

    /// A suspended member does not want to be back.
    fn forget_suspended(&mut self, who: ParticipantId) {
        let Some(owning) = self.state.owning.as_mut() else { return };
        owning.pending.retain(|change| *change != Change::Return(who));
        if let Some(suspended) = owning.suspended.remove(&who) {
            self.post(who, Letter::Notice(Left::Left, suspended.last));
        }
    }

    pub(super) fn notice(&self, member: ParticipantId, why: Left, last: Gid) -> Notice {
        let hash = notice_hash(&self.state.chain, &self.state.group, why, &member, &last);
        Notice { why, member, last, signature: self.me.identity.sign(&hash) }
    }

    /// The owner says that this participant is out, and which epoch was its last. One that it has left behind since is not
    /// talked about any more.
    pub(super) fn notice_in(&mut self, env: &Env<'_>, from: &[u8], notice: &Notice) -> Answer {
        if !self.is_owners_peer(from) {
            return Answer::Refused(Refusal::WrongPeer);
        }
        let current = self.state.current.as_ref().map(|e| e.gid);
        if self.state.standing == MyStanding::Invited
            || (current != Some(notice.last) && self.state.past.iter().any(|p| p.epoch.gid == notice.last))
        {
            return Answer::Stale;
        }
        if notice.member != self.id || self.is_owner() {
            return Answer::Refused(Refusal::Malformed);
        }
        let hash = notice_hash(&self.state.chain, &self.state.group, notice.why, &notice.member, &notice.last);
        let signed = env
            .chain
            .standing(&self.state.owner)
            .is_some_and(|owner| SigCheck { key: owner.keys.signing, hash, signature: notice.signature }.verify());
        if !signed {
            return Answer::Refused(Refusal::BadSignature);
        }
        let standing = match notice.why {
            Left::Left => MyStanding::Left,
            Left::Removed => MyStanding::Removed,
            Left::Suspended => MyStanding::Suspended,
        };
        if self.state.standing == standing && self.state.out_since == Some(notice.last) {
            return Answer::Taken;
        }
        self.state.out_since = Some(notice.last);
        // Word of a suspension may come after the proposal that ends it: who is out is not suspended again, so such a proposal
        // is always the later one.
        let returns = self.state.attempt.as_ref().is_some_and(|attempt| brings(attempt.ed(), &self.id));
        if notice.why != Left::Suspended || !returns {
            self.bury_attempt("this participant is not in the next epoch".into(), None);
        }
        self.state.standing = standing;
        self.state.ask = None;
        self.unpost(|_, letter| *letter == Letter::Ask);
        self.outside();
        let member = self.id;
        self.event(Event::Left { member, why: notice.why });
        Answer::Taken
    }

    /// The ring's secrets are of no use outside; what was readable stays so.
    fn outside(&mut self) {
        self.changed = true;
        for dead in std::mem::take(&mut self.state.dead) {
            self.wipe(dead.gid);
        }
        if let Some(secrets) = self.state.current.as_ref().and_then(|e| self.secrets.get_mut(&e.gid)) {
            secrets.before = None;
            secrets.after = None;
            secrets.bs = None;
        }
    }
}
