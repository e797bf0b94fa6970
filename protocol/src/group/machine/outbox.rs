//! What is on its way to whom: kept until the receiver took it, in stored form a few bytes each.
//!
//! A letter names what to say; the message itself is made from the state whenever it is sent, so that it is the same after a
//! crash and is dropped when there is nothing left to say.

use super::Machine;
use super::io::{Env, Output, SendId};
use super::state::OUTBOX_MAX;
use crate::group::message::{Answer, Left, Message, Phase, Refusal};
use crate::hash::{Gid, ParticipantId};
use serde::{Deserialize, Serialize};

/// Delays between two tries grow up to this many doublings, …
const DOUBLINGS_MAX: u32 = 4;
/// … and for what may wait for days, up to this many.
const DOUBLINGS_MAX_PATIENT: u32 = 10;

/// What to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Letter {
    /// The proposal of this attempt or epoch.
    Propose(Gid),
    M1(Gid),
    M2(Gid),
    M3(Gid),
    /// Somebody's share, not always one's own.
    Share(Gid, u16),
    Confirm(Gid, u16),
    Abort(Gid, Phase, Option<u16>),
    WantProposal(Gid),
    WantDisclosure(Gid),
    Disclose(Gid),
    Join,
    Ask,
    Notice(Left, Gid),
    Recall,
}

impl Letter {
    /// The attempt or epoch it belongs to, if it dies with it.
    pub(super) const fn gid(&self) -> Option<Gid> {
        match self {
            Letter::Propose(gid)
            | Letter::M1(gid)
            | Letter::M2(gid)
            | Letter::M3(gid)
            | Letter::Share(gid, _)
            | Letter::Confirm(gid, _)
            | Letter::Abort(gid, ..)
            | Letter::WantProposal(gid)
            | Letter::WantDisclosure(gid)
            | Letter::Disclose(gid) => Some(*gid),
            Letter::Join | Letter::Ask | Letter::Notice(..) | Letter::Recall => None,
        }
    }

    const fn doublings_max(&self) -> u32 {
        match self {
            Letter::Notice(..) | Letter::Abort(..) | Letter::Recall => DOUBLINGS_MAX_PATIENT,
            _ => DOUBLINGS_MAX,
        }
    }
}

/// How a letter fares in this run; not stored.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Try {
    tries: u32,
    next_ms: u64,
    under_way: bool,
}

/// A delivery under way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sent {
    Letter(ParticipantId, Letter),
    Probe(ParticipantId),
}

impl Machine {
    /// Puts a letter into the outbox; one that is there already stays as it is.
    pub(super) fn post(&mut self, to: ParticipantId, letter: Letter) {
        if to == self.id || self.state.outbox.len() >= OUTBOX_MAX {
            return;
        }
        if self.state.outbox.insert((to, letter)) {
            self.tries.remove(&(to, letter));
            self.changed = true;
        }
    }

    /// Posts to everyone in the attempt under way.
    pub(super) fn post_ring(&mut self, letter: Letter) {
        let ring = self.state.attempt.as_ref().map(|a| super::state::ids(a.ed())).unwrap_or_default();
        for to in ring {
            self.post(to, letter);
        }
    }

    /// Takes letters back.
    pub(super) fn unpost(&mut self, gone: impl Fn(&ParticipantId, &Letter) -> bool) {
        let before = self.state.outbox.len();
        self.state.outbox.retain(|(to, letter)| !gone(to, letter));
        if self.state.outbox.len() != before {
            self.changed = true;
            let outbox = &self.state.outbox;
            self.tries.retain(|key, _| outbox.contains(key));
        }
    }

    /// Takes one letter back.
    fn unpost_one(&mut self, to: ParticipantId, letter: Letter) {
        self.changed |= self.state.outbox.remove(&(to, letter));
        self.tries.remove(&(to, letter));
    }

    /// Sends what is due.
    pub(super) fn send_due(&mut self, env: &Env<'_>) {
        let due: Vec<_> = (self.state.outbox.iter())
            .filter(|key| self.tries.get(key).is_none_or(|t| !t.under_way && t.next_ms <= env.now_ms))
            .copied()
            .collect();
        for (to, letter) in due {
            let endpoint = self.state.endpoints.get(&to).cloned();
            let (Some(message), Some(endpoint)) = (self.message(to, letter), endpoint) else {
                self.unpost_one(to, letter);
                continue;
            };
            let id = self.next_send();
            self.tries.entry((to, letter)).or_default().under_way = true;
            self.sent.insert(id, Sent::Letter(to, letter));
            self.outputs.push_back(Output::Send { id, to: endpoint, message });
        }
    }

    /// A number for one delivery.
    pub(super) fn next_send(&mut self) -> SendId {
        self.sends += 1;
        SendId(self.sends)
    }

    /// When the next letter is due, ms.
    pub(super) fn outbox_deadline_ms(&self) -> Option<u64> {
        (self.state.outbox.iter())
            .filter_map(|key| match self.tries.get(key) {
                Some(t) if t.under_way => None,
                Some(t) => Some(t.next_ms),
                None => Some(0),
            })
            .min()
    }

    /// What became of a delivery.
    pub(super) fn delivered(&mut self, env: &mut Env<'_>, id: SendId, answer: Option<Answer>) {
        match self.sent.remove(&id) {
            Some(Sent::Probe(who)) => self.probed(env, who, answer),
            Some(Sent::Letter(to, letter)) => self.letter_answered(env, to, letter, answer),
            None => {}
        }
    }

    fn letter_answered(&mut self, env: &mut Env<'_>, to: ParticipantId, letter: Letter, answer: Option<Answer>) {
        if !self.state.outbox.contains(&(to, letter)) {
            self.tries.remove(&(to, letter));
            return;
        }
        match answer {
            None | Some(Answer::Later | Answer::Refused(Refusal::Full)) => {
                let step = self.config.resend_interval_ms;
                let entry = self.tries.entry((to, letter)).or_default();
                entry.under_way = false;
                entry.next_ms = env.now_ms.saturating_add(step << entry.tries.min(letter.doublings_max()));
                entry.tries = entry.tries.saturating_add(1);
            }
            Some(Answer::Taken | Answer::Stale) => {
                self.unpost_one(to, letter);
                self.letter_taken(env, to, letter, answer == Some(Answer::Taken));
            }
            Some(Answer::Refused(why)) => {
                self.unpost_one(to, letter);
                self.letter_refused(env, to, letter, why);
            }
        }
    }

    fn letter_taken(&mut self, env: &mut Env<'_>, to: ParticipantId, letter: Letter, taken: bool) {
        match letter {
            Letter::Propose(gid) if taken => self.proposal_taken(env, to, gid),
            Letter::Join => {
                self.state.join = None;
                self.changed = true;
            }
            Letter::Ask if taken => {
                self.state.ask = None;
                self.changed = true;
            }
            _ => {}
        }
    }

    fn letter_refused(&mut self, env: &mut Env<'_>, to: ParticipantId, letter: Letter, why: Refusal) {
        match letter {
            Letter::Propose(gid) => self.proposal_refused(env, to, gid, why),
            Letter::M1(gid) | Letter::M2(gid) | Letter::M3(gid) | Letter::Share(gid, _) | Letter::Confirm(gid, _) => {
                self.part_refused(env, to, gid, why);
            }
            Letter::Join => {
                self.state.join = None;
                self.changed = true;
                self.stop(format!("the owner did not take the invitation up: {why}"), Vec::new());
            }
            Letter::Ask => {
                self.state.ask = None;
                self.changed = true;
            }
            _ => {}
        }
    }

    /// The message that a letter stands for; `None` if there is nothing to say any more.
    fn message(&self, to: ParticipantId, letter: Letter) -> Option<Message> {
        let attempt = |gid: Gid| self.state.attempt.as_ref().filter(|a| a.gid == gid);
        Some(match letter {
            Letter::Propose(gid) => Message::Propose(Box::new(self.proposal(&gid)?)),
            Letter::M1(gid) => Message::M1(attempt(gid)?.m1_out.clone()?),
            Letter::M2(gid) => Message::M2(attempt(gid)?.m2_out.clone()?),
            Letter::M3(gid) => Message::M3(attempt(gid)?.m3_out.clone()?),
            Letter::Share(gid, at) => Message::Share(self.held_share(&gid, at)?),
            Letter::Confirm(gid, at) => Message::Confirm(self.held_confirm(&gid, at)?),
            Letter::Abort(gid, phase, accused) => Message::Abort(self.abort_message(gid, phase, accused)),
            Letter::WantProposal(gid) => Message::WantProposal { gid },
            Letter::WantDisclosure(gid) => Message::WantDisclosure { gid },
            Letter::Disclose(gid) => Message::Disclose(self.disclosure(&gid)?),
            Letter::Join => Message::Join(Box::new(self.state.join.clone()?)),
            Letter::Ask => Message::Ask(self.state.ask.clone()?),
            Letter::Notice(why, last) => Message::Notice(self.notice(to, why, last)),
            Letter::Recall => Message::Recall(self.state.recall.clone()?),
        })
    }
}
