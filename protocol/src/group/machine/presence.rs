//! Owner: an attempt begins only while every member of the roster to be answers. Nothing here is stored.

use super::Machine;
use super::draw::STRIKES_MAX;
use super::io::{Env, Event, Output};
use super::outbox::Sent;
use crate::group::message::{Answer, Message, Refusal};
use crate::hash::ParticipantId;

/// How a member answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Presence {
    /// Of its last answer, ms.
    seen_ms: Option<u64>,
    /// When to ask again, ms.
    next_ms: u64,
    under_way: bool,
    failed: bool,
}

impl Machine {
    /// Asks whoever has not answered within the last interval; whether everyone has within the last two.
    pub(super) fn everyone_is_there(&mut self, env: &Env<'_>, roster: &[ParticipantId]) -> bool {
        let interval = self.config.probe_interval_ms;
        self.presence.retain(|id, _| roster.contains(id));
        let (mut missing, mut absent) = (false, Vec::new());
        let me = self.id;
        for id in roster.iter().filter(|id| **id != me) {
            let Some(endpoint) = self.state.endpoints.get(id).cloned() else { continue };
            let presence = self.presence.entry(*id).or_default();
            let since = |ms: u64| presence.seen_ms.is_some_and(|seen| seen.saturating_add(ms) >= env.now_ms);
            let (recent, present) = (since(interval), since(2 * interval));
            missing |= !present;
            if presence.failed && !present {
                absent.push(*id);
            }
            if !recent && !presence.under_way && presence.next_ms <= env.now_ms {
                presence.under_way = true;
                let send = self.next_send();
                self.sent.insert(send, Sent::Probe(*id));
                self.outputs.push_back(Output::Send { id: send, to: endpoint, message: Message::Probe });
            }
        }
        let told = self.waiting_for != absent;
        self.waiting_for = absent;
        if told && !self.waiting_for.is_empty() {
            let missing = self.waiting_for.clone();
            self.event(Event::Waiting { missing });
        }
        !missing
    }

    /// When to ask or to look again, ms.
    pub(super) fn presence_deadline_ms(&self) -> Option<u64> {
        let interval = self.config.probe_interval_ms;
        let due = |p: &Presence| p.seen_ms.map_or(p.next_ms, |seen| p.next_ms.max(seen.saturating_add(interval + 1)));
        self.presence.values().filter(|p| !p.under_way).map(due).min()
    }

    /// Nobody is awaited any more.
    pub(super) fn forget_presence(&mut self) {
        self.presence.clear();
        self.waiting_for.clear();
    }

    pub(super) fn probed(&mut self, env: &Env<'_>, who: ParticipantId, answer: Option<Answer>) {
        let Some(presence) = self.presence.get_mut(&who) else { return };
        presence.under_way = false;
        presence.next_ms = env.now_ms.saturating_add(self.config.probe_interval_ms);
        presence.failed = answer != Some(Answer::Taken);
        if answer == Some(Answer::Taken) {
            presence.seen_ms = Some(env.now_ms);
        }
        // Somebody invited whose node knows nothing of it any more, as after an old copy of its folder: nobody waits for that.
        let joins = !self.state.ring().contains(&who);
        if joins && answer == Some(Answer::Refused(Refusal::UnknownGroup)) {
            self.strike_id(who, STRIKES_MAX);
        }
    }

    /// The owner asks whether this node is there.
    pub(super) fn probe_in(&self, from: &[u8]) -> Answer {
        if self.is_owners_peer(from) { Answer::Taken } else { Answer::Refused(Refusal::WrongPeer) }
    }
}
