//! What the rest of the node holds of its groups.

use super::{AphrPolicy, GroupError, GroupEvent, GroupView, Groups};
use crate::api::types::{GroupInfo, InvitationResponse};
use crate::net::Link;
use libp2p::Multiaddr;
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::{Command, EpochAccess};
use medring_protocol::{Gid, ParticipantId};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// A peer that answered so lately counts as online.
const HEARD_LATELY_MS: u64 = 60_000;

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, GroupError>>;

/// What people ask of groups.
pub(super) enum Request {
    /// A new group of one's own.
    Create { name: String, alone: bool, reply: Reply<GroupUid> },
    /// A machine's business.
    Command { group: GroupUid, command: Command, reply: Reply<()> },
    /// An invitation to a group of one's own.
    Invite { group: GroupUid, name: String, minutes: u64, reply: Reply<InvitationResponse> },
    /// Taking one up.
    Accept { ticket: String, name: String, reply: Reply<(GroupUid, String)> },
    /// Asking another node for groups of one's own.
    Recall { address: Multiaddr, reply: Reply<Vec<GroupUid>> },
    /// When to aggregate.
    SetPolicy { group: GroupUid, policy: AphrPolicy, reply: Reply<()> },
}

impl Request {
    /// Answers it with an error.
    pub(super) fn refuse(self, error: GroupError) {
        // Err: who asked went away.
        match self {
            Self::Create { reply, .. } => drop(reply.send(Err(error))),
            Self::Command { reply, .. } | Self::SetPolicy { reply, .. } => drop(reply.send(Err(error))),
            Self::Invite { reply, .. } => drop(reply.send(Err(error))),
            Self::Accept { reply, .. } => drop(reply.send(Err(error))),
            Self::Recall { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

/// The groups of this node's participant. Clones are the same groups.
#[derive(Clone)]
pub struct GroupHandle {
    pub(super) participant: ParticipantId,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) groups: watch::Receiver<Arc<Groups>>,
    pub(super) events: broadcast::Sender<GroupEvent>,
    pub(super) links: watch::Receiver<Vec<Link>>,
    pub(super) now_ms: fn() -> u64,
}

impl std::fmt::Debug for GroupHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupHandle").field("participant", &self.participant).finish_non_exhaustive()
    }
}

impl GroupHandle {
    /// Whose groups they are.
    pub fn participant(&self) -> ParticipantId {
        self.participant
    }

    /// All groups, as last stored.
    pub fn groups(&self) -> Arc<Groups> {
        self.groups.borrow().clone()
    }

    /// Groups as they change.
    pub fn watch(&self) -> watch::Receiver<Arc<Groups>> {
        self.groups.clone()
    }

    /// What happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<GroupEvent> {
        self.events.subscribe()
    }

    /// One group.
    ///
    /// # Errors
    /// [`GroupError::Unknown`].
    pub fn view(&self, group: &GroupUid) -> Result<Arc<GroupView>, GroupError> {
        self.groups.borrow().groups.get(group).cloned().ok_or(GroupError::Unknown(*group))
    }

    /// One group as the API shows it.
    pub fn info(&self, group: &GroupUid) -> Result<GroupInfo, GroupError> {
        let groups = self.groups();
        let view = groups.groups.get(group).ok_or(GroupError::Unknown(*group))?;
        Ok(self.info_of(&groups, view))
    }

    /// All groups as the API shows them, by uid.
    pub fn list(&self) -> Vec<GroupInfo> {
        let groups = self.groups();
        groups.groups.values().map(|view| self.info_of(&groups, view)).collect()
    }

    fn info_of(&self, groups: &Groups, view: &GroupView) -> GroupInfo {
        let (now_ms, links) = ((self.now_ms)(), self.links.borrow());
        let online = |who: &ParticipantId, peer: &Vec<u8>| {
            let lately = |heard: &u64| now_ms.saturating_sub(*heard) <= HEARD_LATELY_MS;
            *who == self.participant
                || links.iter().any(|link| link.peer_id.to_bytes() == *peer)
                || groups.heard_ms.get(peer).is_some_and(lately)
        };
        let online = view.peers.iter().filter(|(who, peer)| online(who, peer)).map(|(who, _)| *who).collect();
        let tickets_open = view.status.invitations.iter().filter(|i| i.expires_ms > now_ms).count();
        let (name, problem) = (view.name.clone(), view.problem.clone());
        GroupInfo { name, online, tickets_open, problem, status: view.status.clone() }
    }

    /// What reading under an epoch takes; `None` if its key is not held here (any more).
    pub fn access(&self, gid: &Gid) -> Option<EpochAccess> {
        self.groups.borrow().epochs.get(gid).map(|(_, access)| access.clone())
    }

    /// What sealing to a group takes now.
    ///
    /// # Errors
    /// [`GroupError::NotSealing`] says why nothing may be sealed now, and until when.
    pub fn sealing(&self, group: &GroupUid) -> Result<EpochAccess, GroupError> {
        let view = self.view(group)?;
        view.sealing.clone().filter(|_| view.status.mine).ok_or_else(|| GroupError::NotSealing(view.why_not_sealing()))
    }

    /// Makes a group of one's own; with `alone`, its first epoch is proposed at once with nobody else in it.
    pub async fn create(&self, name: &str, alone: bool) -> Result<GroupUid, GroupError> {
        self.ask(|reply| Request::Create { name: name.to_owned(), alone, reply }).await
    }

    /// Gives a command to a group's machine; taken and stored once this returns.
    pub async fn command(&self, group: GroupUid, command: Command) -> Result<(), GroupError> {
        self.ask(|reply| Request::Command { group, command, reply }).await
    }

    /// Makes a ticket for one more member, good for so many minutes.
    pub async fn invite(&self, group: GroupUid, name: &str, minutes: u64) -> Result<InvitationResponse, GroupError> {
        self.ask(|reply| Request::Invite { group, name: name.to_owned(), minutes, reply }).await
    }

    /// Takes up an invitation: the group, and the code that both people compare.
    pub async fn accept(&self, ticket: &str, name: &str) -> Result<(GroupUid, String), GroupError> {
        self.ask(|reply| Request::Accept { ticket: ticket.to_owned(), name: name.to_owned(), reply }).await
    }

    /// Asks the node at `address`, which ends in its peer id, for groups that this participant owns and has lost. Returns
    /// those that came back.
    pub async fn recall(&self, address: Multiaddr) -> Result<Vec<GroupUid>, GroupError> {
        self.ask(|reply| Request::Recall { address, reply }).await
    }

    /// Says when the owner's node aggregates by itself.
    pub async fn set_policy(&self, group: GroupUid, policy: AphrPolicy) -> Result<(), GroupError> {
        self.ask(|reply| Request::SetPolicy { group, policy, reply }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, GroupError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| GroupError::Gone)?;
        answer.await.map_err(|_| GroupError::Gone)?
    }
}
