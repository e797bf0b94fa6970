//! Confirming: mac of every member, to every member; and Committing once all are there.

use super::Machine;
use super::io::Env;
use crate::group::message::{Answer, Confirm, Phase, Refusal};
use crate::group::ring;
use crate::hash::Gid;

impl Machine {
    /// One confirmation. From its own member it is kept unseen until the key is known here; passed on by another it has to
    /// hold at once.
    pub(super) fn confirm_in(&mut self, env: &mut Env<'_>, from: &[u8], confirm: Confirm) -> Answer {
        let Some(attempt) = self.state.attempt.as_ref().filter(|a| a.gid == confirm.gid) else {
            return self.elsewhere(env.now_ms, from, confirm.gid);
        };
        let Some(place) = attempt.place_of_peer(from) else { return Answer::Refused(Refusal::WrongPeer) };
        let Some(slot) = attempt.confirms.get(usize::from(confirm.index)) else {
            return Answer::Refused(Refusal::Malformed);
        };
        match slot {
            Some(first) if *first == confirm => return Answer::Taken,
            Some(_) => return Answer::Refused(Refusal::Conflict),
            None => {}
        }
        let held = self.check_confirm(&confirm);
        if held != Some(true) && place != confirm.index {
            return if held.is_none() { Answer::Later } else { Answer::Refused(Refusal::BadSignature) };
        }
        if held == Some(false) {
            self.fail(env, "a confirmation is not for the key that this member has".into(), Some(place), false);
            return Answer::Refused(Refusal::BadSignature);
        }
        let at = usize::from(confirm.index);
        if let Some(slot) = self.state.attempt.as_mut().and_then(|a| a.confirms.get_mut(at)) {
            *slot = Some(confirm);
            self.changed = true;
        }
        self.advance(env);
        Answer::Taken
    }

    /// Whether a confirmation holds; `None` while the key is not known here.
    fn check_confirm(&self, confirm: &Confirm) -> Option<bool> {
        let attempt = self.state.attempt.as_ref()?;
        let keys = self.secrets.get(&attempt.gid)?.keys.as_ref()?;
        let th = attempt.transcript()?;
        Some(ring::check_confirm(attempt.ed(), &attempt.gid, &th, keys, confirm).is_ok())
    }

    /// The key is known now: the confirmations that came before it have to hold. Those that do not are not counted.
    pub(super) fn check_early_confirms(&mut self, env: &mut Env<'_>) {
        let held = self.state.attempt.iter().flat_map(|a| a.confirms.iter().flatten());
        let bad: Vec<u16> = held.filter(|c| self.check_confirm(c) == Some(false)).map(|c| c.index).collect();
        let Some(first) = bad.first().copied() else { return };
        for at in bad {
            if let Some(slot) = self.state.attempt.as_mut().and_then(|a| a.confirms.get_mut(usize::from(at))) {
                *slot = None;
            }
        }
        self.changed = true;
        self.fail(env, "a confirmation is not for the key that this member has".into(), Some(first), false);
    }

    /// All confirmations are here, and hold: the epoch only lacks its EpochCommit on the chain.
    pub(super) fn try_committing(&mut self, env: &mut Env<'_>) {
        let Some(attempt) = self.state.attempt.as_ref() else { return };
        let Some(all) = attempt.confirms.iter().cloned().collect::<Option<Vec<_>>>() else { return };
        let Some(th) = attempt.transcript() else { return };
        let macs: Vec<[u8; 32]> = all.iter().map(|c| c.mac).collect();
        let commit = ring::commit(&attempt.gid, &th, &macs);
        let record = ring::commit_record_id(&attempt.ed().chain, &attempt.ed().uploader, &commit);
        if let Some(attempt) = self.state.attempt.as_mut() {
            attempt.commit = Some((commit, record));
        }
        self.submitted = false;
        self.enter(env, Phase::Committing);
    }

    /// A confirmation that is held here, of the attempt under way or of the epoch in force.
    pub(super) fn held_confirm(&self, gid: &Gid, at: u16) -> Option<Confirm> {
        let at = usize::from(at);
        if let Some(attempt) = self.state.attempt.as_ref().filter(|a| a.gid == *gid) {
            return attempt.confirms.get(at)?.clone();
        }
        self.state.current.as_ref().filter(|e| e.gid == *gid)?.confirms.get(at).cloned()
    }
}
