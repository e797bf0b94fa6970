//! The world: nodes, chain and network on virtual time. Everything follows from the seed and the calls.

use super::chain::{Removed, ToyChain};
use super::check::Ledger;
use super::dice::Dice;
use super::network::{Faults, Traffic};
use super::node::{Node, Reply};
use crate::group::GroupUid;
use crate::group::machine::{
    Command, CommandError, Config, Env, Event, Input, Invitation, Machine, Me, Snapshot, Standing, Status,
};
use crate::group::message::{Answer, Endpoint, Message};
use crate::group::ticket::Ticket;
use crate::hash::{ChainId, ParticipantId};
use crate::identity::Role;
use crate::testkit::{Actor, bytes32};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Virtual time at which a world begins, ms since 1970.
pub(super) const START_MS: u64 = crate::testkit::GENESIS_TIME_MS;
/// Between blocks, ms.
const BLOCK_MS: u64 = 5_000;
/// A delivery fails after this, ms.
pub(super) const UNDELIVERED_MS: u64 = 1_000;
/// A node that died is back after this, ms.
const RESTART_MS: u64 = 700;
/// How often a large group is looked at, ms.
const LOOK_MS: u64 = 100;
/// Ticks at one instant after which a deadline counts as one that never passes.
const SPINS_MAX: u32 = 1_000;

/// What is due at some time.
#[derive(Clone, Debug)]
pub(super) enum Due {
    Arrive { to: usize, from: Vec<u8>, message: Box<Message>, reply: Option<Reply> },
    Delivered { reply: Reply, answer: Option<Answer> },
    Look(usize),
    Mine,
    Restart(usize),
}

/// A group's nodes in a world of their own. Node 0 is the owner.
#[derive(Debug)]
pub struct World {
    /// What everything follows from.
    pub seed: u64,
    /// Virtual time, ms since 1970.
    pub now_ms: u64,
    /// The network's best chain.
    pub chain: ToyChain,
    /// Everybody.
    pub nodes: Vec<Node>,
    /// What the network does.
    pub faults: Faults,
    /// What it did.
    pub traffic: Traffic,
    /// What the checkers know.
    pub ledger: Ledger,
    /// Limits of every machine.
    pub config: Config,
    /// The group.
    pub group: GroupUid,
    /// The chain's id.
    pub chain_id: ChainId,
    /// Store, keep traffic and backups, and check after every step. Off for large groups, where no node may die then.
    pub thorough: bool,
    /// The owner plays two games: machines may say so.
    pub cheating_owner: bool,
    /// Blocks until a commit is mined, at most.
    pub mining_delay: u64,
    /// How long invitations are good, ms.
    pub invitation_ms: u64,
    pub(super) queue: BTreeMap<(u64, u64), Due>,
    pub(super) count: u64,
    pub(super) dice: Dice,
    pub(super) log: VecDeque<String>,
    /// The answer that a node gave last.
    pub(super) last_answer: Option<Answer>,
}

/// The peer id of node `index`.
pub fn peer(index: usize) -> Vec<u8> {
    let mut peer = vec![0; 38];
    peer[..8].copy_from_slice(&u64::try_from(index).unwrap_or(u64::MAX).to_be_bytes());
    peer[8] = 0x5a;
    peer
}

impl World {
    /// So many enrolled participants, nobody in a group. Costs a ladder each.
    pub fn new(seed: u64, people: usize) -> Self {
        let mut standings = BTreeMap::new();
        let mut mes = Vec::new();
        for index in 0..people {
            let role = if index == 0 { Role::Patient } else { Role::Caregiver };
            let actor = Actor::new(seed, &format!("participant {index}"), Some(role));
            standings.insert(actor.id, Standing { keys: actor.keys.clone(), role, valid: true });
            let endpoint = Endpoint { peer_id: peer(index), addresses: vec![format!("/ip4/127.0.1.1/tcp/{index}")] };
            mes.push(Me { identity: Arc::new(actor.secret), endpoint });
        }
        let chain = ToyChain::new(standings);
        let nodes = mes.into_iter().map(|me| {
            let dice = Dice::new(seed ^ u64::from(me.endpoint.peer_id[7]) << 32, "node");
            Node::new(me, chain.best.clone(), dice)
        });
        let mut world = Self {
            seed,
            now_ms: START_MS,
            nodes: nodes.collect(),
            chain,
            faults: Faults::NONE,
            traffic: Traffic::default(),
            ledger: Ledger::default(),
            config: Config::new(3),
            group: GroupUid(bytes32(seed, "group", 0)),
            chain_id: ChainId(bytes32(seed, "chain", 0)),
            thorough: true,
            cheating_owner: false,
            mining_delay: 1,
            invitation_ms: 3_600_000,
            queue: BTreeMap::new(),
            count: 0,
            dice: Dice::new(seed, "world"),
            log: VecDeque::new(),
            last_answer: None,
        };
        world.due(BLOCK_MS, Due::Mine);
        world
    }

    /// A world whose owner made a group, took in all the others and has its first epoch final.
    pub fn with_group(seed: u64, people: usize, members: usize) -> Self {
        let mut world = Self::new(seed, people);
        world.create();
        world.admit(&(1..members).collect::<Vec<_>>());
        world.settle("the first epoch");
        world
    }

    /// A copy, whose nodes have all just started from their disks. Copies of a world go on alike.
    pub fn fork(&self) -> Self {
        let mut copy = Self {
            seed: self.seed,
            now_ms: self.now_ms,
            chain: self.chain.clone(),
            nodes: self.nodes.iter().map(Node::fork).collect(),
            faults: self.faults,
            traffic: self.traffic.clone(),
            ledger: self.ledger.clone(),
            config: self.config,
            group: self.group,
            chain_id: self.chain_id,
            thorough: self.thorough,
            cheating_owner: self.cheating_owner,
            mining_delay: self.mining_delay,
            invitation_ms: self.invitation_ms,
            queue: self.queue.clone(),
            count: self.count,
            dice: self.dice.clone(),
            log: self.log.clone(),
            last_answer: None,
        };
        for node in 0..copy.nodes.len() {
            if self.nodes[node].machine.is_some() {
                copy.restart(node);
            }
        }
        copy
    }

    // ---- what people do ----

    /// The owner makes the group.
    pub fn create(&mut self) {
        let machine = Machine::create(self.nodes[0].me.clone(), self.chain_id, self.group, self.config);
        self.nodes[0].machine = Some(machine);
        self.host(0);
    }

    /// The person at a node wants something. `None`: the node died over it, and the person saw no answer.
    pub fn command(&mut self, node: usize, command: Command) -> Option<Result<Option<Invitation>, CommandError>> {
        self.note(|| format!("n{node} command {command:?}"));
        let at = &mut self.nodes[node];
        let run = at.run;
        let mut env = Env { now_ms: self.now_ms, chain: &at.view, rng: &mut at.dice };
        let cancels = command == Command::Cancel;
        let result = at.machine.as_mut()?.command(&mut env, command);
        if cancels && result.is_ok() {
            self.ledger.to_go.clear();
        }
        self.note(|| format!("n{node} … {result:?}"));
        self.host(node);
        (self.nodes[node].run == run).then_some(result)
    }

    /// As [`Self::command`], again after each death, until an answer is seen. A repeated command may find that nothing is left to
    /// change. Panics on any other refusal.
    pub fn insist(&mut self, node: usize, command: Command) -> Option<Invitation> {
        for round in 0..4 {
            match self.command(node, command.clone()) {
                Some(Ok(invitation)) => return invitation,
                Some(Err(CommandError::Pointless(_))) if round > 0 => return None,
                Some(Err(error)) => self.fail(&format!("n{node} refused {command:?}: {error}")),
                None => self.until(10_000, "the node is up again", |world| world.nodes[node].machine.is_some()),
            }
        }
        self.fail(&format!("n{node} dies over and over"))
    }

    /// The owner invites, and this participant takes it up, with a new machine.
    pub fn invite(&mut self, who: usize) {
        let expires_ms = self.now_ms + self.invitation_ms;
        let command = Command::Invite { name: format!("participant {who}"), expires_ms };
        let Some(invitation) = self.insist(0, command) else { self.fail("an invitation without a token") };
        let owner = &self.nodes[0];
        let ticket = Ticket {
            chain: self.chain_id,
            group: self.group,
            owner: owner.id,
            token: invitation.token,
            expires_ms: invitation.expires_ms,
            endpoint: owner.me.endpoint.clone(),
        };
        self.nodes[who].ticket = Some(ticket);
        self.nodes[who].disk = None;
        self.accept(who);
    }

    fn accept(&mut self, who: usize) {
        let at = &mut self.nodes[who];
        let Some(ticket) = at.ticket.clone() else { return };
        let mut env = Env { now_ms: self.now_ms, chain: &at.view, rng: &mut at.dice };
        let accepted = Machine::accept(at.me.clone(), &ticket, self.config, &mut env);
        match accepted {
            Ok((machine, _code)) => self.nodes[who].machine = Some(machine),
            Err(CommandError::NotEnrolled(_)) => {
                self.nodes[who].ticket = None;
                return;
            }
            Err(error) => self.fail(&format!("n{who} cannot take up the invitation: {error}")),
        }
        // What it held of an earlier membership is gone with its old machine.
        self.nodes[who].wiped.clear();
        self.nodes[who].last_active = None;
        self.host(who);
    }

    /// Invites them and has the owner propose them all in one epoch, as soon as each is a candidate.
    pub fn admit(&mut self, who: &[usize]) {
        who.iter().for_each(|index| self.invite(*index));
        let ids: Vec<_> = who.iter().map(|index| self.nodes[*index].id).collect();
        let all = ids.clone();
        self.until(120_000, "everybody invited is a candidate", |world| {
            let known: Vec<_> = world.status(0).map(|s| s.candidates).unwrap_or_default();
            all.iter().all(|id| known.iter().any(|candidate| candidate.member == *id))
        });
        self.insist(0, Command::Change(ids.into_iter().map(crate::group::Change::Join).collect()));
    }

    // ---- what happens to nodes ----

    /// Kills a node now; it comes back by itself.
    pub fn kill(&mut self, node: usize) {
        self.note(|| format!("n{node} killed"));
        let at = &mut self.nodes[node];
        at.machine = None;
        at.up = false;
        at.run += 1;
        at.spins = 0;
        for reply in std::mem::take(&mut at.tickets).into_values() {
            self.due(UNDELIVERED_MS, Due::Delivered { reply, answer: None });
        }
        if node == 0 {
            // What the owner's process had not yet handed to others is lost with it.
            let lost: Vec<_> = self.chain.pool.keys().copied().filter(|_| self.dice.percent(50)).collect();
            self.chain.pool.retain(|record, _| !lost.contains(record));
        }
        self.due(RESTART_MS, Due::Restart(node));
    }

    /// Kills a node and puts something else on its disk: an older copy, or a snapshot without secrets.
    pub fn replace_disk(&mut self, node: usize, disk: Snapshot) {
        self.kill(node);
        let at = &mut self.nodes[node];
        at.disk = Some(disk);
        at.forgetful = true;
        at.last_active = None;
        at.wiped.clear();
    }

    fn restart(&mut self, node: usize) {
        if self.nodes[node].machine.is_some() {
            return;
        }
        self.note(|| format!("n{node} starts"));
        let view = self.chain.best.clone();
        let at = &mut self.nodes[node];
        (at.up, at.view) = (true, view);
        let Some(disk) = &at.disk else {
            match node {
                0 => self.create(),
                _ => self.accept(node),
            }
            return;
        };
        match Machine::restore(at.me.clone(), self.chain_id, self.config, disk) {
            Ok(machine) => at.machine = Some(machine),
            Err(error) => self.fail(&format!("n{node} cannot be restored: {error}")),
        }
        self.feed(node, Input::Chain);
    }

    /// The network's chain changes: everybody sees it a little later.
    pub fn reorganise(&mut self, depth: usize, fate: Removed) {
        let gone = self.chain.reorganise(depth, fate);
        self.note(|| format!("reorganisation, {gone} blocks deep, {fate:?}"));
        self.announce();
    }

    /// One more block, now.
    pub fn mine(&mut self, revoked: Vec<ParticipantId>) {
        self.chain.mine(revoked);
        self.announce();
    }

    fn announce(&mut self) {
        for node in 0..self.nodes.len() {
            let delay = self.dice.below(self.faults.delay_ms + 1);
            self.due(delay, Due::Look(node));
        }
    }

    // ---- time ----

    pub(super) fn due(&mut self, in_ms: u64, due: Due) {
        self.count += 1;
        self.queue.insert((self.now_ms + in_ms, self.count), due);
    }

    /// Does the next thing that is due.
    pub fn step(&mut self) {
        let waiting = self.nodes.iter().enumerate().filter(|(_, node)| node.up && node.machine.is_some());
        let wake = waiting.filter_map(|(index, node)| Some((node.wake_ms?.max(self.now_ms), index)));
        let wake = wake.min();
        let next = self.queue.first_key_value().map(|((at, _), _)| *at);
        match (wake, next) {
            (Some((at, node)), next) if next.is_none_or(|next| at < next) => {
                let spins = if at == self.now_ms { self.nodes[node].spins + 1 } else { 0 };
                self.now_ms = at;
                self.nodes[node].spins = spins;
                if spins > SPINS_MAX {
                    self.fail(&format!("n{node} wants to be woken at an instant that has passed, for ever"));
                }
                self.feed(node, Input::Tick);
            }
            _ => {
                let Some(((at, _), due)) = self.queue.pop_first() else { return };
                self.now_ms = at;
                self.happen(due);
            }
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Arrive { to, from, message, reply } => self.arrive(to, from, *message, reply),
            Due::Delivered { reply, answer } => {
                if self.nodes[reply.node].run == reply.run {
                    self.feed(reply.node, Input::Delivered { id: reply.id, answer });
                }
            }
            Due::Look(node) => {
                if self.nodes[node].up && self.nodes[node].online {
                    self.nodes[node].view = self.chain.best.clone();
                    self.feed(node, Input::Chain);
                }
            }
            Due::Mine => {
                self.mine(Vec::new());
                self.due(BLOCK_MS, Due::Mine);
            }
            Due::Restart(node) => self.restart(node),
        }
    }

    /// Runs for so long.
    pub fn run_ms(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while self.now_ms < end {
            self.step();
        }
    }

    /// Runs until it is so; fails after `limit_ms` of virtual time. A large group is looked at every `LOOK_MS` only, since
    /// each look goes through all its members.
    pub fn until(&mut self, limit_ms: u64, awaited: &str, is_so: impl Fn(&World) -> bool) {
        let end = self.now_ms + limit_ms;
        while !is_so(self) {
            if self.now_ms > end {
                self.fail(&format!("after {} s of virtual time not so: {awaited}", limit_ms / 1_000));
            }
            let next_look_ms = if self.thorough { self.now_ms } else { self.now_ms + LOOK_MS };
            self.step();
            while self.now_ms < next_look_ms {
                self.step();
            }
        }
    }

    /// Runs until nothing is under way and all members stand in one final epoch.
    pub fn settle(&mut self, awaited: &str) {
        self.until(1_800_000, &format!("{awaited}: everybody stands in one final epoch"), World::settled);
    }

    /// Whether nothing waits, no attempt is under way, and all members of the owner's epoch stand in it, finally.
    pub fn settled(&self) -> bool {
        let Some(owner) = self.status(0) else { return false };
        let Some(active) = &owner.active else { return false };
        if !owner.pending.is_empty() || owner.attempt.is_some() || !active.is_final {
            return false;
        }
        self.nodes.iter().filter(|node| active.ring.contains(&node.id)).all(|node| {
            let status = node.machine.as_ref().map(Machine::status);
            status.is_some_and(|s| s.attempt.is_none() && s.active.is_some_and(|a| a.gid == active.gid && a.is_final))
        })
    }

    /// A node's status, while it runs.
    pub fn status(&self, node: usize) -> Option<Status> {
        self.nodes[node].machine.as_ref().map(Machine::status)
    }

    /// Index of a participant.
    pub fn index(&self, id: &ParticipantId) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == *id)
    }
}

/// Whether an event is of this node.
pub fn happened(world: &World, node: usize, is_it: impl Fn(&Event) -> bool) -> bool {
    world.ledger.events.iter().any(|(of, event)| *of == node && is_it(event))
}
