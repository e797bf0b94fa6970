//! What people ask, and what they are told: always after it is stored.

use super::extra::{Extra, check_name};
use super::handle::{Reply, Request};
use super::held::Held;
use super::service::{GROUPS_MAX, Service};
use super::{GroupError, GroupView, Groups};
use crate::api::types::InvitationResponse;
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::{ChainView, Command, CommandError, Machine, MyStanding};
use medring_protocol::group::ticket::Ticket;
use medring_protocol::identity::Role;
use rand::Rng;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Longest an invitation is good, minutes.
const INVITATION_MINUTES_MAX: u64 = 7 * 24 * 60;

impl Service {
    pub(super) fn request(&mut self, request: Request) {
        // Err: who asked went away; what was asked stands all the same.
        match request {
            Request::Create { name, alone, reply } => match self.create(&name, alone) {
                Ok(group) => self.tell(group, reply, group),
                Err(error) => drop(reply.send(Err(error))),
            },
            Request::Command { group, command, reply } => match self.command(group, command) {
                Ok(_) => self.tell(group, reply, ()),
                Err(error) => drop(reply.send(Err(error))),
            },
            Request::Invite { group, name, minutes, reply } => match self.invite(group, &name, minutes) {
                Ok(ticket) => self.tell(group, reply, ticket),
                Err(error) => drop(reply.send(Err(error))),
            },
            Request::Accept { ticket, name, reply } => match self.accept(&ticket, &name) {
                Ok((group, code)) => self.tell(group, reply, (group, code)),
                Err(error) => drop(reply.send(Err(error))),
            },
            Request::SetPolicy { group, policy, reply } => match self.held(&group) {
                Ok(held) => {
                    held.extra.policy = policy;
                    self.touched.insert(group);
                    self.tell(group, reply, ());
                }
                Err(error) => drop(reply.send(Err(error))),
            },
            Request::Recall { address, reply } => self.recall(&address, reply),
        }
    }

    /// Answers once the group is stored.
    fn tell<T: Send + 'static>(&mut self, group: GroupUid, reply: Reply<T>, value: T) {
        match self.machines.get_mut(&group) {
            Some(held) => held.when_stored(move |stored| drop(reply.send(stored.map(|()| value)))),
            None => drop(reply.send(Err(GroupError::Unknown(group)))),
        }
    }

    fn held(&mut self, group: &GroupUid) -> Result<&mut Held, GroupError> {
        if let Some(problem) = self.damaged.get(group) {
            return Err(GroupError::Storage(problem.clone()));
        }
        let held = self.machines.get_mut(group).ok_or(GroupError::Unknown(*group))?;
        match held.problem().filter(|_| held.paused_until_ms.is_some()) {
            Some(problem) => Err(GroupError::Storage(problem.clone())),
            None => Ok(held),
        }
    }

    /// Whether one more group may be held.
    pub(super) fn room(&self) -> Result<(), GroupError> {
        let held = self.machines.len() + self.damaged.len();
        if held < GROUPS_MAX {
            return Ok(());
        }
        let what = format!("this node's participant is in {held} groups, the most it can be in");
        Err(GroupError::Command(CommandError::Bound(what)))
    }

    /// Only who may upload EpochCommit can own a group.
    fn create(&mut self, name: &str, alone: bool) -> Result<GroupUid, GroupError> {
        let name = check_name(name)?;
        self.room()?;
        let me = self.making.me.identity.public().id();
        let view = super::chain::BestChain::new(&self.store);
        match view.standing(&me).filter(|standing| standing.valid) {
            None => return Err(CommandError::NotEnrolled(me).into()),
            Some(standing) if standing.role != Role::Patient => {
                let role = standing.role.name();
                let what = format!("only a patient owns a group, and this node's participant is enrolled as {role}");
                return Err(GroupError::Input(what));
            }
            Some(_) => {}
        }
        let mut group = GroupUid([0; 32]);
        self.rng.fill_bytes(&mut group.0);
        let machine = Machine::create(self.making.me.clone(), self.making.chain, group, self.making.config);
        self.machines.insert(group, Held::new(machine, Extra::new(name)));
        self.touched.insert(group);
        if alone {
            self.command(group, Command::StartAlone)?;
        }
        Ok(group)
    }

    fn command(
        &mut self,
        group: GroupUid,
        command: Command,
    ) -> Result<Option<medring_protocol::group::machine::Invitation>, GroupError> {
        self.held(&group)?;
        let done = self.work(&group, |machine, env| machine.command(env, command));
        Ok(done.ok_or(GroupError::Unknown(group))??)
    }

    fn invite(&mut self, group: GroupUid, name: &str, minutes: u64) -> Result<InvitationResponse, GroupError> {
        let name = check_name(name)?;
        if !(1..=INVITATION_MINUTES_MAX).contains(&minutes) {
            let what = format!("an invitation is good for 1 to {INVITATION_MINUTES_MAX} minutes, and not {minutes}");
            return Err(GroupError::Input(what));
        }
        let expires_ms = (self.now_ms)().saturating_add(minutes * 60_000);
        let invitation = self.command(group, Command::Invite { name, expires_ms })?;
        let invitation = invitation.ok_or(GroupError::Unknown(group))?;
        let ticket = Ticket {
            chain: self.making.chain,
            group,
            owner: self.making.me.identity.public().id(),
            token: invitation.token,
            expires_ms: invitation.expires_ms,
            endpoint: self.making.me.endpoint.clone(),
        };
        Ok(InvitationResponse { ticket: ticket.to_string(), expires_ms })
    }

    fn accept(&mut self, ticket: &str, name: &str) -> Result<(GroupUid, String), GroupError> {
        let name = check_name(name)?;
        let ticket: Ticket = ticket.parse().map_err(|e| GroupError::Input(format!("the ticket is refused: {e}")))?;
        if ticket.chain != self.making.chain {
            let what = "the ticket is for a group on another network; ask its giver which network that is";
            return Err(GroupError::Input(what.into()));
        }
        let standing = match self.held(&ticket.group) {
            Ok(held) => Some(held.machine.status().standing),
            Err(GroupError::Unknown(_)) => None,
            Err(error) => return Err(error),
        };
        match standing {
            // Out for good: what is left of that time goes as this begins.
            None | Some(MyStanding::Left | MyStanding::Removed | MyStanding::Invited) => {}
            Some(MyStanding::Member | MyStanding::Suspended) => {
                let what = "this node's participant is in that group already; see `medring group status`";
                return Err(GroupError::Input(what.into()));
            }
        }
        if standing.is_none() {
            self.room()?;
        }
        let view = super::chain::BestChain::new(&self.store);
        let mut env =
            medring_protocol::group::machine::Env { now_ms: (self.now_ms)(), chain: &view, rng: &mut self.rng };
        let (machine, code) = Machine::accept(self.making.me.clone(), &ticket, self.making.config, &mut env)?;
        self.replace(ticket.group, machine, Extra::new(name));
        Ok((ticket.group, code))
    }

    /// Puts a machine in the place of that group's last one, if there was one.
    pub(super) fn replace(&mut self, group: GroupUid, machine: Machine, extra: Extra) {
        let held = match self.machines.remove(&group) {
            Some(last) => last.with(machine, extra),
            None => Held::new(machine, extra),
        };
        self.machines.insert(group, held);
        self.touched.insert(group);
    }

    /// Tells what is stored of these groups, and forgets what is gone.
    pub(super) fn publish(&mut self, touched: &BTreeSet<GroupUid>) {
        let mut groups = Groups::clone(&self.published.borrow());
        for group in touched {
            groups.groups.remove(group);
            groups.epochs.retain(|_, (of, _)| of != group);
            let Some(held) = self.machines.get(group) else { continue };
            let view = view_of(held);
            let gids = view.status.history.iter().map(|past| past.gid);
            for gid in gids.chain(view.status.active.iter().map(|active| active.gid)) {
                if let Some(access) = held.machine.reading(&gid) {
                    groups.epochs.insert(gid, (*group, access));
                }
            }
            groups.groups.insert(*group, Arc::new(view));
        }
        let known: BTreeSet<&Vec<u8>> =
            groups.groups.values().flat_map(|view| view.peers.iter().map(|(_, peer)| peer)).collect();
        self.heard_ms.retain(|peer, _| known.contains(peer));
        groups.problem = self.damaged.iter().next().map(|(group, why)| {
            format!(
                "the stored state of group {group} is refused: {why}; move its folder away, and be invited to it again"
            )
        });
        groups.heard_ms = self.heard_ms.clone();
        self.published.send_replace(Arc::new(groups));
    }
}

fn view_of(held: &Held) -> GroupView {
    let roster = held.machine.last_proposal().map(|proposal| proposal.ed.roster.as_slice()).unwrap_or_default();
    GroupView {
        name: held.extra.name.clone(),
        status: held.machine.status(),
        peers: roster.iter().map(|member| (member.keys.id(), member.peer_id.clone())).collect(),
        sealing: held.machine.sealing(),
        policy: held.extra.policy,
        problem: held.problem().cloned(),
    }
}
