//! An owner that restored its keys and nothing else asks a member for the last descriptor and goes on from there.

use super::Machine;
use super::io::{Config, Env, Me, MyStanding};
use super::outbox::Letter;
use super::state::{Epoch, Owning, State, ids};
use crate::group::descriptor::Change;
use crate::group::message::{Answer, Proposal, Recall, Refusal, Wish};
use crate::group::ring::commit_record_id;
use crate::group::signing::recall_hash;
use crate::hash::ChainId;
use crate::record::{EpochCommit, SigCheck};
use rand::CryptoRng;

/// Why a group cannot be taken up again from what a member gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecallError {
    /// Another group's, or not signed by these keys.
    #[error("the member's proposal is not one that these keys signed for this chain")]
    NotOurs,
    /// The EpochCommit is of another epoch.
    #[error("the EpochCommit is not that of the member's proposal")]
    Commit,
}

/// The message by which an owner without memory asks.
pub fn recall_message(me: &Me, chain: &ChainId, rng: &mut dyn CryptoRng) -> Recall {
    let mut nonce = [0; 16];
    rng.fill_bytes(&mut nonce);
    let keys = me.identity.public();
    let signature = me.identity.sign(&recall_hash(chain, &keys.id(), &me.endpoint.peer_id, &nonce));
    Recall { keys, endpoint: me.endpoint.clone(), nonce, signature }
}

impl Machine {
    /// The group as its owner takes it up again, from the last committed proposal that a member still has and its EpochCommit
    /// as found on the chain. The next epoch pairs everyone anew; until then nothing can be sealed or read.
    ///
    /// `attempts_seen`: the next attempt gets a higher number. Members may know of attempts that nobody told this owner of,
    /// so it should be larger than any that was ever used (minutes since 1970 will do).
    pub fn recalled(
        me: Me,
        chain: ChainId,
        proposal: Proposal,
        commit: EpochCommit,
        recall: Recall,
        attempts_seen: u32,
        config: Config,
    ) -> Result<Self, RecallError> {
        let (ed, gid, id) = (&proposal.ed, proposal.ed.gid(), me.identity.public().id());
        let signed = ed.signature_check(proposal.signature).is_some_and(|check| check.verify());
        if ed.check().is_err() || ed.chain != chain || ed.owner != id || !signed {
            return Err(RecallError::NotOurs);
        }
        if commit.gid != gid {
            return Err(RecallError::Commit);
        }
        let mut state = State::new(chain, ed.group.into(), id, MyStanding::Member);
        let next = attempts_seen.saturating_add(1);
        // The member that answered may not know the last epochs.
        let numbers = (ed.epoch..ed.epoch.saturating_add(8))
            .map(|epoch| (epoch, next.max(ed.attempt.saturating_add(1))))
            .collect();
        state.owning = Some(Owning { refresh_all: true, numbers, ..Owning::default() });
        state.recall = Some(recall);
        state.note_seen(ed, gid);
        let record = commit_record_id(&chain, &ed.uploader, &commit);
        let members = ids(ed);
        let (shares, confirms) = (Vec::new(), Vec::new());
        let epoch = Epoch { proposal, gid, commit, record, height: None, is_final: false, shares, confirms };
        let mut machine = Self::new(me, config, state);
        machine.note_endpoints(&epoch.proposal);
        machine.remember(epoch.ed(), record, 0);
        machine.state.current = Some(epoch);
        machine.wipe(gid);
        for member in members {
            machine.post(member, Letter::Recall);
        }
        Ok(machine)
    }

    /// Member: the owner is at another node now, and wants to know the last epoch.
    pub(super) fn recall_in(&mut self, from: &[u8], recall: &Recall) -> Answer {
        let owner = recall.keys.id();
        if owner != self.state.owner || self.is_owner() {
            return Answer::Refused(Refusal::UnknownGroup);
        }
        if recall.endpoint.peer_id != from || !recall.endpoint.is_well_formed() {
            return Answer::Refused(Refusal::WrongPeer);
        }
        let hash = recall_hash(&self.state.chain, &owner, &recall.endpoint.peer_id, &recall.nonce);
        if !(SigCheck { key: recall.keys.signing, hash, signature: recall.signature }).verify() {
            return Answer::Refused(Refusal::BadSignature);
        }
        self.state.note_endpoint(owner, recall.endpoint.clone());
        self.changed = true;
        if let Some(gid) = self.state.current.as_ref().map(|e| e.gid) {
            self.post(owner, Letter::Propose(gid));
        }
        Answer::Taken
    }

    /// After a start: a node with another peer id than the roster names tells so, and pairs anew.
    pub(super) fn announce(&mut self, env: &mut Env<'_>) {
        if std::mem::replace(&mut self.announced, true) || self.state.standing != MyStanding::Member {
            return;
        }
        let Some(current) = self.state.current.as_ref() else { return };
        let mine = current.ed().roster.iter().find(|m| m.keys.id() == self.id);
        if mine.is_none_or(|m| m.peer_id == self.me.endpoint.peer_id) {
            return;
        }
        let members = ids(current.ed());
        let Some(owning) = self.state.owning.as_mut() else {
            if self.state.ask.is_none() {
                self.wish(Wish::Update);
            }
            return;
        };
        if !owning.pending.contains(&Change::Update(self.id)) {
            owning.pending.push(Change::Update(self.id));
        }
        self.changed = true;
        self.state.recall = Some(recall_message(&self.me, &self.state.chain, env.rng));
        for member in members {
            self.post(member, Letter::Recall);
        }
    }
}
