//! The life of a group as one participant keeps it: owner or member, without clock, sockets or disk (spec: groups, life of an
//! epoch).
//!
//! [`Machine::handle`] and [`Machine::command`] change the state and put outputs into a queue. The host stores
//! [`Machine::snapshot`] whenever [`Machine::changed`], and only then carries the outputs out; so a machine that is killed at
//! any instruction and restored says the same again. Equal inputs at equal times with equal randomness give equal outputs.
//!
//! | file | purpose |
//! |---|---|
//! | `io` | what goes in and comes out |
//! | `state`, `secrets` | what is stored; secrets apart, per epoch |
//! | `outbox` | what is on its way, until it is taken |
//! | `commands`, `invite`, `wishes`, `recall` | what people want |
//! | `draw`, `presence` | owner: the next epoch, once everyone is there |
//! | `propose`, `explain` | member: is this proposal to be followed? |
//! | `pairing`, `sharing`, `confirming` | the steps of an attempt |
//! | `abort`, `blame` | how an attempt ends otherwise |
//! | `commit` | the chain decides: in force, rolled back, final |
//! | `timers`, `status` | what is due; what people see |

mod abort;
mod blame;
mod commands;
mod commit;
mod confirming;
mod draw;
mod explain;
mod invite;
mod io;
mod outbox;
mod pairing;
mod presence;
mod propose;
mod recall;
mod secrets;
mod sharing;
mod state;
mod status;
#[cfg(test)]
mod tests;
mod timers;
mod wishes;

pub use io::{
    AttemptStatus, CandidateStatus, ChainView, Command, CommandError, Config, Env, EpochAccess, EpochStatus, Event,
    Fingerprint, HISTORY_MAX, Input, Invitation, InvitationStatus, Joining, Me, MyStanding, Output, PastEpoch, SendId,
    Snapshot, Standing, Status,
};
pub use recall::{RecallError, recall_message};

use crate::codec;
use crate::group::message::{Answer, GroupUid, Message, Proposal, Refusal};
use crate::hash::{ChainId, Gid, ParticipantId};
use outbox::{Letter, Sent, Try};
use presence::Presence;
use propose::Ahead;
use secrets::Secrets;
use state::{Owning, STATE_BYTES_MAX, STATE_FORMAT, State, Stop};
use std::collections::{BTreeMap, VecDeque};

/// One group as one participant keeps it.
pub struct Machine {
    me: Me,
    /// H of `me`'s public keys.
    id: ParticipantId,
    config: Config,
    state: State,
    secrets: BTreeMap<Gid, Secrets>,
    changed: bool,
    // What follows lives for one run.
    outputs: VecDeque<Output>,
    tries: BTreeMap<(ParticipantId, Letter), Try>,
    sent: BTreeMap<SendId, Sent>,
    sends: u64,
    presence: BTreeMap<ParticipantId, Presence>,
    /// Who speaks of an epoch that is not known here; one entry for each sender whose place is known.
    ahead: BTreeMap<ParticipantId, Ahead>,
    /// Whom [`Event::Waiting`] named last.
    waiting_for: Vec<ParticipantId>,
    /// Whether it was seen to that others know this node.
    announced: bool,
    /// Whether [`Output::Submit`] was given for the commit that is on its way.
    submitted: bool,
}

/// Stored bytes that are not a group's state, or another's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Not readable.
    #[error("the stored state of a group cannot be read ({0}); restore it from a sound copy, or join the group again")]
    Unreadable(String),
    /// Written by a later version.
    #[error("the stored state of a group has format {0}, and this program knows 1; use a newer version")]
    Format(u16),
    /// Another network.
    #[error("the stored state of a group is for another chain")]
    Chain,
}

impl Machine {
    fn new(me: Me, config: Config, state: State) -> Self {
        let id = me.identity.public().id();
        let mut machine = Self {
            me,
            id,
            config,
            state,
            secrets: BTreeMap::new(),
            changed: true,
            outputs: VecDeque::new(),
            tries: BTreeMap::new(),
            sent: BTreeMap::new(),
            sends: 0,
            presence: BTreeMap::new(),
            ahead: BTreeMap::new(),
            waiting_for: Vec::new(),
            announced: false,
            submitted: false,
        };
        machine.state.endpoints.insert(id, machine.me.endpoint.clone());
        machine
    }

    /// A new group of this participant, without an epoch yet.
    pub fn create(me: Me, chain: ChainId, group: GroupUid, config: Config) -> Self {
        let owner = me.identity.public().id();
        let mut state = State::new(chain, group, owner, MyStanding::Member);
        state.owning = Some(Owning::default());
        Self::new(me, config, state)
    }

    /// From what was stored last. Follow with [`Input::Chain`].
    pub fn restore(me: Me, chain: ChainId, config: Config, snapshot: &Snapshot) -> Result<Self, RestoreError> {
        let format = snapshot.public.first_chunk::<2>().map_or(0, |bytes| u16::from_be_bytes(*bytes));
        if format != STATE_FORMAT {
            return Err(RestoreError::Format(format));
        }
        let state: State = codec::decode(&snapshot.public, STATE_BYTES_MAX)
            .map_err(|error| RestoreError::Unreadable(error.to_string()))?;
        if state.chain != chain {
            return Err(RestoreError::Chain);
        }
        let mut machine = Self::new(me, config, state);
        for (gid, bytes) in &snapshot.secrets {
            let secrets = Secrets::from_bytes(bytes)
                .map_err(|_| RestoreError::Unreadable(format!("secrets of epoch {}", gid.short())))?;
            machine.secrets.insert(*gid, secrets);
        }
        machine.changed = false;
        Ok(machine)
    }

    /// What happened. Afterwards: store if [`Self::changed`], then carry out what [`Self::poll_output`] gives.
    pub fn handle(&mut self, env: &mut Env<'_>, input: Input) {
        match input {
            Input::Tick | Input::Chain => {}
            Input::Message { from, ticket, message } => {
                let answer = self.message_in(env, &from, message);
                self.outputs.push_back(Output::Answer { ticket, answer });
            }
            Input::Delivered { id, answer } => self.delivered(env, id, answer),
        }
        self.settle(env);
    }

    /// Everything that follows from the state, the time and the chain as they are now.
    fn settle(&mut self, env: &mut Env<'_>) {
        if self.state.stopped.is_none() {
            self.announce(env);
            self.look_at_chain(env);
            self.step_timers(env);
            self.consider(env);
            // A ring of one is confirmed as soon as it is drawn, and nothing else would come to have it submitted.
            self.look_at_chain(env);
        }
        self.send_due(env);
    }

    fn message_in(&mut self, env: &mut Env<'_>, from: &[u8], message: Message) -> Answer {
        if let Some(stop) = &self.state.stopped {
            let proved = !stop.evidence.is_empty();
            return Answer::Refused(if proved { Refusal::Equivocation } else { Refusal::UnknownGroup });
        }
        match message {
            Message::Join(join) => self.join_in(env, from, &join),
            Message::Probe => self.probe_in(from),
            Message::Propose(proposal) => self.propose_in(env, from, *proposal),
            Message::WantProposal { gid } => self.want_proposal_in(from, gid),
            Message::M1(m1) => self.m1_in(env, from, m1),
            Message::M2(m2) => self.m2_in(env, from, m2),
            Message::M3(m3) => self.m3_in(env, from, m3),
            Message::Share(share) => self.share_in(env, from, share),
            Message::Confirm(confirm) => self.confirm_in(env, from, confirm),
            Message::Abort(abort) => self.abort_in(env, from, &abort),
            Message::WantDisclosure { gid } => self.want_disclosure_in(from, gid),
            Message::Disclose(disclosure) => self.disclosure_in(env, disclosure),
            Message::Ask(ask) => self.ask_in(env, from, &ask),
            Message::Notice(notice) => self.notice_in(env, from, &notice),
            Message::Recall(recall) => self.recall_in(from, &recall),
        }
    }

    /// The next thing to be done, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether something changed since the last [`Self::snapshot`], so that it must be stored before any output is carried out.
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// Everything, to be stored.
    pub fn snapshot(&mut self) -> Snapshot {
        self.changed = false;
        let secrets = self.secrets.iter().map(|(gid, secrets)| (*gid, secrets.to_bytes())).collect();
        Snapshot { public: codec::encode(&self.state), secrets }
    }

    /// The proposal of the last committed epoch.
    pub fn last_proposal(&self) -> Option<&Proposal> {
        self.state.current.as_ref().map(|epoch| &epoch.proposal)
    }

    /// Nothing goes on from here; reading stays possible.
    fn stop(&mut self, why: String, evidence: Vec<Proposal>) {
        self.state.stopped = Some(Stop { why, evidence });
        self.changed = true;
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn is_owner(&self) -> bool {
        self.state.owner == self.id
    }

    /// Whether this peer is the owner's node, as last heard or as the last roster says.
    fn is_owners_peer(&self, peer: &[u8]) -> bool {
        self.state.endpoints.get(&self.state.owner).is_some_and(|e| e.peer_id == peer)
    }

    /// Drops the secrets of an epoch or attempt.
    fn wipe(&mut self, gid: Gid) {
        if self.secrets.remove(&gid).is_some() {
            self.changed = true;
            self.event(Event::Wiped { gid });
        }
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Machine(group {}, {}, redacted)", self.state.group.short(), self.id.short())
    }
}
