//! One participant of a [`super::World`]: a machine, what stands on its disk, and how it dies.

use super::chain::View;
use super::dice::Dice;
use super::knowledge::Memory;
use crate::group::machine::{Machine, Me, Snapshot};
use crate::group::ticket::Ticket;
use crate::hash::{Gid, ParticipantId};
use std::collections::{BTreeMap, BTreeSet};

/// How a node dies at one of its stored steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Nothing was stored.
    Before,
    /// It was stored, and only the first so many outputs were carried out.
    After(usize),
}

/// Where the answer to a message goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) node: usize,
    pub(super) run: u32,
    pub(super) id: crate::group::machine::SendId,
}

/// A participant and its node.
#[derive(Debug)]
pub struct Node {
    /// Its keys and peer.
    pub me: Me,
    /// Its id.
    pub id: ParticipantId,
    /// Its machine, while it runs and is in a group.
    pub machine: Option<Machine>,
    /// What it last stored.
    pub disk: Option<Snapshot>,
    /// Everything it stored before, if the world keeps it.
    pub backups: Vec<Snapshot>,
    /// The invitation it took up last: taken up again if the node died before it stored anything.
    pub ticket: Option<Ticket>,
    /// Whether the process runs.
    pub up: bool,
    /// Whether its network works.
    pub online: bool,
    /// Its own best chain.
    pub view: View,
    /// Snapshots stored so far.
    pub steps: u64,
    /// At which of them it dies next, and how.
    pub death: Option<(u64, Death)>,
    /// Whether it lost or turned back its state, so that it may know less than it did.
    pub forgetful: bool,
    /// Every secret it ever stored.
    pub memory: Memory,
    /// Epochs it wiped: their secrets may not come back.
    pub wiped: BTreeSet<Gid>,
    /// The last epoch it had in force.
    pub last_active: Option<(u64, Gid)>,
    /// Of this process; outputs of an earlier one find nobody.
    pub(super) run: u32,
    pub(super) tickets: BTreeMap<u64, Reply>,
    pub(super) dice: Dice,
    /// When it wants to be woken, ms.
    pub(super) wake_ms: Option<u64>,
    /// Ticks at the same instant, to see a deadline that never passes.
    pub(super) spins: u32,
}

impl Node {
    pub(super) fn new(me: Me, view: View, dice: Dice) -> Self {
        Self {
            id: me.identity.public().id(),
            me,
            machine: None,
            disk: None,
            backups: Vec::new(),
            ticket: None,
            up: true,
            online: true,
            view,
            steps: 0,
            death: None,
            forgetful: false,
            memory: Memory::default(),
            wiped: BTreeSet::new(),
            last_active: None,
            run: 0,
            tickets: BTreeMap::new(),
            dice,
            wake_ms: None,
            spins: 0,
        }
    }

    /// The same node as its disk has it: a machine is not copied, it starts anew.
    pub(super) fn fork(&self) -> Self {
        Self {
            me: self.me.clone(),
            id: self.id,
            machine: None,
            disk: self.disk.clone(),
            backups: self.backups.clone(),
            ticket: self.ticket.clone(),
            up: self.up,
            online: self.online,
            view: self.view.clone(),
            steps: self.steps,
            death: self.death,
            forgetful: self.forgetful,
            memory: self.memory.clone(),
            wiped: self.wiped.clone(),
            last_active: self.last_active,
            run: self.run + 1,
            tickets: BTreeMap::new(),
            dice: self.dice.clone(),
            wake_ms: None,
            spins: 0,
        }
    }

    /// Whether a message can reach it.
    pub fn reachable(&self) -> bool {
        self.up && self.online && self.machine.is_some()
    }
}
