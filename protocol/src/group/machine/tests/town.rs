//! A town: people with their machines, one chain for all, and a post office.

use super::super::*;
use crate::group::message::{Endpoint, Message};
use crate::group::{Change, ticket::Ticket};
use crate::identity::{IdentitySecret, Role};
use crate::{ChainId, Gid, ParticipantId, RecordId};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub(super) const CHAIN: ChainId = ChainId([3; 32]);
pub(super) const CONFIRMATIONS: u64 = 3;

/// Blocks of commit records; genesis is at height 0 and empty.
#[derive(Default)]
pub(super) struct ToyChain {
    pub(super) blocks: Vec<Vec<RecordId>>,
    pub(super) standings: BTreeMap<ParticipantId, Standing>,
}

impl ChainView for ToyChain {
    fn height(&self) -> u64 {
        self.blocks.len() as u64
    }
    fn standing(&self, id: &ParticipantId) -> Option<Standing> {
        self.standings.get(id).cloned()
    }
    fn height_of(&self, record: &RecordId) -> Option<u64> {
        self.blocks.iter().position(|b| b.contains(record)).map(|at| at as u64 + 1)
    }
}

pub(super) struct Person {
    pub(super) me: Me,
    pub(super) id: ParticipantId,
    pub(super) machine: Option<Machine>,
    pub(super) stored: Option<Snapshot>,
    pub(super) events: Vec<Event>,
    pub(super) online: bool,
}

type Filter = Box<dyn FnMut(usize, usize, &mut Message) -> bool>;
type Answers = Box<dyn FnMut(usize, &Message, Answer) -> Answer>;

pub(super) struct Town {
    pub(super) now_ms: u64,
    pub(super) rng: ChaCha20Rng,
    pub(super) chain: ToyChain,
    pub(super) people: Vec<Person>,
    pub(super) config: Config,
    /// (sender, delivery, receiver's peer, message)
    pub(super) post: VecDeque<(usize, SendId, Vec<u8>, Message)>,
    /// Commits on their way into a block.
    pub(super) pool: BTreeSet<RecordId>,
    /// Says whether a message gets through: sender, receiver, message.
    pub(super) filter: Filter,
    /// What a receiver's answer becomes: receiver, message, answer.
    pub(super) answers: Answers,
    /// Restore everyone from what was stored after every single input.
    pub(super) amnesia: bool,
    next_ticket: u64,
}

impl Town {
    /// People 0 … n − 1, all enrolled; 0 is a patient and owns the group.
    pub(super) fn new(n: usize) -> Self {
        let mut town = Self {
            now_ms: 1_000_000,
            rng: ChaCha20Rng::seed_from_u64(7),
            chain: ToyChain::default(),
            people: Vec::new(),
            config: Config::new(CONFIRMATIONS),
            post: VecDeque::new(),
            pool: BTreeSet::new(),
            filter: Box::new(|_, _, _| true),
            answers: Box::new(|_, _, answer| answer),
            amnesia: false,
            next_ticket: 0,
        };
        (0..n).for_each(|_| town.settle_in());
        let me = town.people[0].me.clone();
        town.people[0].machine = Some(Machine::create(me, CHAIN, GroupUid([9; 32]), town.config));
        town
    }

    /// One more person, enrolled.
    fn settle_in(&mut self) {
        let i = self.people.len();
        let identity = Arc::new(IdentitySecret::generate(&mut self.rng));
        let keys = identity.public();
        let id = keys.id();
        let role = if i == 0 { Role::Patient } else { Role::Caregiver };
        self.chain.standings.insert(id, Standing { keys, role, valid: true });
        let peer_id = vec![u8::try_from(i).unwrap() + 1; 38];
        let me = Me { identity, endpoint: Endpoint { peer_id, addresses: vec![format!("/ip4/127.0.0.{i}")] } };
        self.people.push(Person { me, id, machine: None, stored: None, events: Vec::new(), online: true });
    }

    pub(super) fn machine(&self, who: usize) -> &Machine {
        self.people[who].machine.as_ref().unwrap()
    }

    /// One call into one machine, then its outputs, as a host would.
    pub(super) fn with<T>(&mut self, who: usize, call: impl FnOnce(&mut Machine, &mut Env<'_>) -> T) -> T {
        let machine = self.people[who].machine.as_mut().unwrap();
        let mut env = Env { now_ms: self.now_ms, chain: &self.chain, rng: &mut self.rng };
        let out = call(machine, &mut env);
        self.host(who);
        out
    }

    /// Stores, then carries outputs out.
    fn host(&mut self, who: usize) {
        let person = &mut self.people[who];
        let Some(machine) = person.machine.as_mut() else { return };
        if machine.changed() || person.stored.is_none() {
            person.stored = Some(machine.snapshot());
        }
        while let Some(output) = machine.poll_output() {
            match output {
                Output::Send { id, to, message } => self.post.push_back((who, id, to.peer_id, message)),
                Output::Submit { record, .. } => drop(self.pool.insert(record)),
                Output::Event(event) => person.events.push(event),
                Output::Answer { .. } => panic!("an answer outside a delivery"),
            }
        }
    }

    pub(super) fn handle(&mut self, who: usize, input: Input) {
        self.with(who, |machine, env| machine.handle(env, input));
    }

    /// Takes a machine from what it stored last.
    pub(super) fn restart(&mut self, who: usize) {
        let person = &mut self.people[who];
        let Some(stored) = person.stored.clone() else { return };
        person.machine = Some(Machine::restore(person.me.clone(), CHAIN, self.config, &stored).unwrap());
        self.post.retain(|(sender, ..)| *sender != who);
        self.handle(who, Input::Chain);
    }

    /// Delivers the next message, and its answer. Whether there was one.
    pub(super) fn deliver_one(&mut self) -> bool {
        let Some((sender, id, peer, mut message)) = self.post.pop_front() else { return false };
        let receiver = self.people.iter().position(|p| p.me.endpoint.peer_id == peer && p.machine.is_some());
        let receiver = receiver.filter(|r| self.people[*r].online && self.people[sender].online);
        let receiver = receiver.filter(|r| (self.filter)(sender, *r, &mut message));
        let answer = receiver.map(|receiver| {
            let from = self.people[sender].me.endpoint.peer_id.clone();
            let answer = self.say(receiver, from, message.clone());
            (self.answers)(receiver, &message, answer)
        });
        if let (true, Some(receiver)) = (self.amnesia, receiver) {
            self.restart(receiver);
        }
        self.handle(sender, Input::Delivered { id, answer });
        true
    }

    /// A message from any peer, straight into a machine; its answer.
    pub(super) fn say(&mut self, to: usize, from: Vec<u8>, message: Message) -> Answer {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        let machine = self.people[to].machine.as_mut().unwrap();
        let mut env = Env { now_ms: self.now_ms, chain: &self.chain, rng: &mut self.rng };
        machine.handle(&mut env, Input::Message { from, ticket, message });
        let person = &mut self.people[to];
        let machine = person.machine.as_mut().unwrap();
        let mut kept = Vec::new();
        let mut said = None;
        if machine.changed() {
            person.stored = Some(machine.snapshot());
        }
        while let Some(output) = machine.poll_output() {
            match output {
                Output::Answer { ticket: of, answer } if of == ticket => said = Some(answer),
                other => kept.push(other),
            }
        }
        for output in kept {
            match output {
                Output::Send { id, to: endpoint, message } => self.post.push_back((to, id, endpoint.peer_id, message)),
                Output::Submit { record, .. } => drop(self.pool.insert(record)),
                Output::Event(event) => self.people[to].events.push(event),
                Output::Answer { .. } => panic!("a second answer"),
            }
        }
        said.expect("exactly one answer")
    }

    /// Delivers until nothing is on its way.
    pub(super) fn quiet(&mut self) {
        for _ in 0..100_000 {
            if !self.deliver_one() {
                return;
            }
        }
        panic!("the post never becomes quiet");
    }

    /// Time passes until the next deadline of anyone online, at most `ms`; ticks go out and the post becomes quiet.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        for _ in 0..100_000 {
            self.quiet();
            let due = self.people.iter().filter_map(|p| p.machine.as_ref()?.next_deadline_ms()).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now_ms = self.now_ms.max(due);
            for who in 0..self.people.len() {
                if self.people[who].machine.is_some() {
                    self.handle(who, Input::Tick);
                }
            }
        }
        self.now_ms = end;
    }

    /// A block with all that waits, or an empty one.
    pub(super) fn block(&mut self) {
        let records = std::mem::take(&mut self.pool).into_iter().collect();
        self.chain.blocks.push(records);
        self.chain_changed();
    }

    pub(super) fn chain_changed(&mut self) {
        for who in 0..self.people.len() {
            if self.people[who].machine.is_some() {
                self.handle(who, Input::Chain);
            }
        }
        self.quiet();
    }

    /// Blocks until the commit that waits is final.
    pub(super) fn finalise(&mut self) {
        for _ in 0..=CONFIRMATIONS {
            self.block();
        }
    }

    /// Invites person `who` and lets it accept.
    pub(super) fn invite(&mut self, who: usize) {
        let expires_ms = self.now_ms + 600_000;
        let name = format!("person {who}");
        let invitation = self.with(0, |m, env| m.command(env, Command::Invite { name, expires_ms })).unwrap().unwrap();
        let ticket = Ticket {
            chain: CHAIN,
            group: GroupUid([9; 32]),
            owner: self.people[0].id,
            token: invitation.token,
            expires_ms,
            endpoint: self.people[0].me.endpoint.clone(),
        };
        let me = self.people[who].me.clone();
        let mut env = Env { now_ms: self.now_ms, chain: &self.chain, rng: &mut self.rng };
        let (machine, _) = Machine::accept(me, &ticket, self.config, &mut env).unwrap();
        self.people[who].machine = Some(machine);
        self.host(who);
        self.quiet();
    }

    /// More people move in, and are invited.
    pub(super) fn invite_later(&mut self, count: usize) {
        for _ in 0..count {
            let who = self.people.len();
            self.settle_in();
            self.invite(who);
        }
    }

    pub(super) fn command(&mut self, who: usize, command: Command) -> Result<Option<Invitation>, CommandError> {
        let done = self.with(who, |m, env| m.command(env, command));
        self.quiet();
        done
    }

    pub(super) fn change(&mut self, changes: &[fn(ParticipantId) -> Change], who: &[usize]) {
        let changes = changes.iter().zip(who).map(|(change, who)| change(self.people[*who].id)).collect();
        self.command(0, Command::Change(changes)).unwrap();
    }

    /// A group of person 0 with these others, epoch 0 final.
    pub(super) fn group_of(n: usize) -> Self {
        let mut town = Self::new(n);
        town.form(n);
        town
    }

    pub(super) fn form(&mut self, n: usize) {
        (1..n).for_each(|who| self.invite(who));
        if n == 1 {
            self.command(0, Command::StartAlone).unwrap();
        } else {
            let joins: Vec<fn(ParticipantId) -> Change> = vec![Change::Join; n - 1];
            self.change(&joins, &(1..n).collect::<Vec<_>>());
        }
        self.pass(10_000);
        self.finalise();
        self.agree(&(0..n).collect::<Vec<_>>(), 0);
    }

    /// These, and nobody else, are in this epoch, in force and final, with one fingerprint; gives its GID.
    pub(super) fn agree(&self, members: &[usize], epoch: u64) -> Gid {
        let ring: BTreeSet<_> = members.iter().map(|m| self.people[*m].id).collect();
        let first = self.machine(members[0]).status();
        let active = first.active.clone().unwrap_or_else(|| panic!("no epoch is in force: {first:#?}"));
        assert_eq!(active.ring.iter().copied().collect::<BTreeSet<_>>(), ring);
        for member in members {
            let status = self.machine(*member).status();
            let theirs = status.active.clone().unwrap_or_else(|| panic!("{member} has no epoch: {status:#?}"));
            assert_eq!((theirs.gid, theirs.epoch), (active.gid, epoch), "{member}: {status:#?}");
            assert_eq!(theirs.fingerprint, active.fingerprint, "{member}");
            assert!(theirs.is_final && theirs.height.is_some(), "{member}");
            assert_eq!(status.standing, MyStanding::Member, "{member}");
            assert!(status.attempt.is_none(), "{member}: {status:#?}");
            assert!(self.machine(*member).reading(&active.gid).is_some());
        }
        active.gid
    }

    pub(super) fn saw(&self, who: usize, what: impl Fn(&Event) -> bool) -> bool {
        self.people[who].events.iter().any(what)
    }
}
