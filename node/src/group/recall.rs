//! An owner that restored its keys and nothing else asks a member's node for its groups; and this node's answer when it is
//! asked so.

use super::GroupError;
use super::deliver::Sender;
use super::extra::Extra;
use super::handle::Reply;
use super::held::Making;
use super::service::{Outcome, Service};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::{Input, Machine, recall_message};
use medring_protocol::group::message::{Answer, Endpoint, Message, Proposal, Recall, Refusal};
use medring_protocol::record::{EpochCommit, Kind, Record};
use medring_protocol::{Gid, ParticipantId};
use medring_storage::{ChainStore, RocksEngine, StorageError};
use std::collections::BTreeSet;
use tokio::sync::oneshot;

/// Recalls of ours under way at a time.
const RECALLS_MAX: usize = 4;
/// Until the other node must have told of the first group, ms.
const FIRST_WITHIN_MS: u64 = 15_000;
/// Further ones follow at once: after a silence so long, ms, there are none.
const SILENCE_MS: u64 = 2_000;

/// The message names no group, since its sender knows none.
pub(super) const NO_GROUP: GroupUid = GroupUid([0; 32]);
/// What a group is called whose name went with the node that had it.
const RECOVERED: &str = "recovered";

/// A recall of ours.
struct Waiting {
    /// Whom we asked.
    peer: Vec<u8>,
    recall: Recall,
    found: Vec<GroupUid>,
    until_ms: u64,
    reply: Reply<Vec<GroupUid>>,
    failed: Option<String>,
}

/// Recalls of ours.
#[derive(Default)]
pub(super) struct Recalls {
    waiting: Vec<Waiting>,
    /// Groups whose EpochCommit is looked for.
    searching: BTreeSet<GroupUid>,
}

impl Recalls {
    /// What the node that was asked said at once.
    pub(super) fn answered(&mut self, peer: &[u8], answer: Result<Answer, String>) {
        let failed = match answer {
            Ok(Answer::Taken) => None,
            Ok(Answer::Refused(Refusal::UnknownGroup)) => {
                Some("that node knows of no group that this participant owns; ask another member's".to_owned())
            }
            Ok(answer) => Some(format!("that node did not help ({answer:?}); try again, or ask another member's")),
            Err(why) => Some(format!("that node was not reached: {why}")),
        };
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.peer == peer) {
            waiting.failed = failed.clone();
        }
    }

    /// What this peer was asked, if it was.
    fn expects(&self, peer: &[u8]) -> Option<Recall> {
        self.waiting.iter().find(|waiting| waiting.peer == peer).map(|waiting| waiting.recall.clone())
    }

    fn found(&mut self, peer: &[u8], group: GroupUid, now_ms: u64) {
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.peer == peer) {
            waiting.found.push(group);
            waiting.until_ms = now_ms.saturating_add(SILENCE_MS);
        }
    }

    /// Answers those whose time is up.
    pub(super) fn settle(&mut self, now_ms: u64) {
        let over = |waiting: &mut Waiting| waiting.failed.is_some() || waiting.until_ms <= now_ms;
        for Waiting { found, reply, failed, .. } in self.waiting.extract_if(.., over) {
            let answer = match failed {
                Some(why) if found.is_empty() => Err(GroupError::Unreachable(why)),
                _ => Ok(found),
            };
            // Err: who asked went away; what came back stays.
            let _ = reply.send(answer);
        }
    }

    /// When the next one's time is up.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.waiting.iter().map(|waiting| waiting.until_ms).min()
    }
}

impl Service {
    /// Asks a member's node for groups of ours.
    pub(super) fn recall(&mut self, address: &Multiaddr, reply: Reply<Vec<GroupUid>>) {
        let me = &self.making.me;
        let peer =
            address.iter().find_map(|part| if let Protocol::P2p(id) = part { Some(id.to_bytes()) } else { None });
        let refuse = |reply: Reply<Vec<GroupUid>>, what: &str| drop(reply.send(Err(GroupError::Input(what.into()))));
        let Some(peer) = peer else {
            return refuse(reply, "the address must end in /p2p/PEERID, so that no other node can answer");
        };
        if peer == me.endpoint.peer_id {
            return refuse(reply, "this is this node's own address; give that of a member");
        }
        if self.recalls.waiting.len() >= RECALLS_MAX {
            return refuse(reply, "other recalls are under way; wait for their answers");
        }
        let bare = address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect::<Multiaddr>();
        let to = Endpoint { peer_id: peer.clone(), addresses: vec![bare.to_string()] };
        let recall = recall_message(me, &self.making.chain, &mut self.rng);
        self.deliveries.send(Sender::Recall, NO_GROUP, to, Message::Recall(recall.clone()));
        let until_ms = (self.now_ms)().saturating_add(FIRST_WITHIN_MS);
        self.recalls.waiting.push(Waiting { peer, recall, found: Vec::new(), until_ms, reply, failed: None });
    }

    /// An owner asks for every group of its that is known here: each machine judges for itself, notes where the owner is now,
    /// and tells it the last epoch until it is taken. The first one's answer stands for all.
    pub(super) fn recalled_by(&mut self, from: &[u8], recall: &Recall, answer: oneshot::Sender<Vec<u8>>) {
        let owner = recall.keys.id();
        let groups = self.published.borrow().clone();
        let theirs = groups.groups.values().filter(|view| view.status.owner == owner && !view.status.mine);
        let mut answer = Some(answer);
        for view in theirs {
            self.message(&view.status.group, from.to_owned(), Message::Recall(recall.clone()), answer.take());
        }
        // Err: the peer went away.
        let _ = answer.map(|answer| answer.send(Answer::Refused(Refusal::UnknownGroup).encode()));
    }

    /// A member's node tells of a group of ours that this node knows nothing of: taken back if we asked it, and if its
    /// EpochCommit is on our chain. The search for that runs elsewhere, since it may go through the whole chain.
    pub(super) fn take_back(
        &mut self,
        from: &[u8],
        group: GroupUid,
        proposal: Proposal,
        answer: oneshot::Sender<Vec<u8>>,
    ) {
        // Err: the peer went away.
        let say = |answer: oneshot::Sender<Vec<u8>>, what: Answer| drop(answer.send(what.encode()));
        let Some(recall) = self.recalls.expects(from) else {
            return say(answer, Answer::Refused(Refusal::UnknownGroup));
        };
        if self.room().is_err() {
            return say(answer, Answer::Refused(Refusal::Full));
        }
        let signed = proposal.ed.signature_check(proposal.signature).is_some_and(|check| check.verify());
        if proposal.ed.chain != self.making.chain || proposal.ed.group != group.0 || !signed {
            return say(answer, Answer::Refused(Refusal::Malformed));
        }
        if !self.recalls.searching.insert(group) {
            return say(answer, Answer::Later);
        }
        let (store, outcomes, peer) = (self.store.clone(), self.deliveries.outcomes.clone(), from.to_owned());
        self.deliveries.runtime.spawn_blocking(move || {
            let commit = find_commit(&store, &proposal.ed.gid(), &proposal.ed.uploader);
            // Err: the groups have ended.
            let _ =
                outcomes.send(Outcome::Searched(Box::new(Searched { group, peer, proposal, recall, commit, answer })));
        });
    }

    /// The search for the EpochCommit of a group that was told of has ended.
    pub(super) fn searched(&mut self, searched: Searched) {
        let Searched { group, peer, proposal, recall, commit, answer } = searched;
        self.recalls.searching.remove(&group);
        let now_ms = (self.now_ms)();
        let commit = match commit {
            _ if self.machines.contains_key(&group) => return,
            Ok(Some(commit)) => commit,
            missing => {
                tracing::warn!(%group, ?missing, "a group that was told of has no commit on this chain (yet)");
                // Err: the peer went away.
                return drop(answer.send(Answer::Later.encode()));
            }
        };
        let Making { me, chain, config } = self.making.clone();
        match Machine::recalled(me, chain, proposal, commit, recall, attempts_before(now_ms), config) {
            Ok(machine) => {
                self.replace(group, machine, Extra::new(RECOVERED.into()));
                if let Some(held) = self.machines.get_mut(&group) {
                    // Err: it is not stored, or the peer went away; either way it says so again.
                    held.when_stored(move |stored| drop(stored.map(|()| answer.send(Answer::Taken.encode()))));
                }
                self.recalls.found(&peer, group, now_ms);
                self.work(&group, |machine, env| machine.handle(env, Input::Chain));
            }
            Err(error) => {
                tracing::warn!(%group, %error, "a group that was told of cannot be taken back");
                drop(answer.send(Answer::Refused(Refusal::Malformed).encode()));
            }
        }
    }
}

/// A group that was told of, with its EpochCommit if this chain has it.
pub(super) struct Searched {
    group: GroupUid,
    peer: Vec<u8>,
    proposal: Proposal,
    recall: Recall,
    commit: Result<Option<EpochCommit>, StorageError>,
    answer: oneshot::Sender<Vec<u8>>,
}

/// The EpochCommit of an epoch on the best chain, looked for from the tip down. No index: an owner recovers once in years.
fn find_commit(
    store: &ChainStore<RocksEngine>,
    gid: &Gid,
    uploader: &ParticipantId,
) -> Result<Option<EpochCommit>, StorageError> {
    let (_, tip) = store.tip()?;
    for height in (1..=tip).rev() {
        let Some(id) = store.id_at(height)? else { continue };
        let Some(block) = store.block(&id)? else { continue };
        for Record { content, .. } in block.records {
            if content.kind == Kind::EpochCommit
                && content.uploader == *uploader
                && let Ok(commit) = EpochCommit::decode(&content.public)
                && commit.gid == *gid
            {
                return Ok(Some(commit));
            }
        }
    }
    Ok(None)
}

/// Attempt numbers never restart, and the owner forgot them: seconds since 1970 are above any it can have used, and above
/// those of an earlier recovery.
fn attempts_before(now_ms: u64) -> u32 {
    u32::try_from(now_ms / 1_000).unwrap_or(u32::MAX)
}
