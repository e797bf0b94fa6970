//! People with a node each, a chain that mines and buries a commit as soon as it is submitted, and a clock to measure by.

use super::host::{Host, Shared};
use medring_node::driver::now_ms;
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::{ChainView, Command, Config, Invitation, Machine, MyStanding, Standing, Status};
use medring_protocol::group::ticket::Ticket;
use medring_protocol::identity::{IdentitySecret, Role};
use medring_protocol::{ChainId, ParticipantId, RecordId};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) const SEED: u64 = 64;
const CHAIN: ChainId = ChainId([6; 32]);
const GROUP: GroupUid = GroupUid([4; 32]);
const CONFIRMATIONS: u64 = 3;
/// How long anything awaited may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(540);

/// Blocks of commit records.
#[derive(Clone, Default)]
pub(crate) struct ToyChain {
    height: u64,
    commits: BTreeMap<RecordId, u64>,
    standings: Arc<BTreeMap<ParticipantId, Standing>>,
}

impl ChainView for ToyChain {
    fn height(&self) -> u64 {
        self.height
    }
    fn standing(&self, id: &ParticipantId) -> Option<Standing> {
        self.standings.get(id).cloned()
    }
    fn height_of(&self, record: &RecordId) -> Option<u64> {
        self.commits.get(record).copied()
    }
}

/// What all hosts together did.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) messages: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) stores: AtomicU64,
    failures: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counters {
    pub(crate) fn failed(&self, why: &'static str) {
        *self.failures.lock().unwrap().entry(why).or_default() += 1;
    }
}

/// What one phase took.
pub(crate) struct Figures {
    /// Members that computed any T_n.
    pub(crate) pairing_members: usize,
}

pub(crate) struct Town {
    hosts: Vec<Host>,
    counters: Arc<Counters>,
    stop: CancellationToken,
    config: Config,
    _dir: TempDir,
}

impl Drop for Town {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Town {
    /// So many people, all enrolled; number 0 owns the group.
    pub(crate) async fn new(people: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(SEED);
        let identities: Vec<IdentitySecret> = (0..people).map(|_| IdentitySecret::generate(&mut rng)).collect();
        let standing = |(i, identity): (usize, &IdentitySecret)| {
            let role = if i == 0 { Role::Patient } else { Role::Caregiver };
            (identity.public().id(), Standing { keys: identity.public(), role, valid: true })
        };
        let standings = Arc::new(identities.iter().enumerate().map(standing).collect());
        let (chain_tx, chain) = watch::channel(Arc::new(ToyChain { standings, ..ToyChain::default() }));
        let (submits, mut submitted) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(record) = submitted.recv().await {
                chain_tx.send_modify(|chain| {
                    let chain = Arc::make_mut(chain);
                    chain.height += 1;
                    let height = chain.height;
                    chain.commits.entry(record).or_insert(height);
                    chain.height += CONFIRMATIONS;
                });
            }
        });
        let (counters, stop, dir) =
            (Arc::<Counters>::default(), CancellationToken::new(), tempfile::tempdir().unwrap());
        let mut hosts = Vec::new();
        for (seed, identity) in (SEED..).zip(identities) {
            let shared = Shared {
                chain_id: CHAIN,
                group: GROUP,
                chain: chain.clone(),
                submits: submits.clone(),
                counters: counters.clone(),
                stop: stop.clone(),
            };
            hosts.push(Host::start(identity, dir.path(), seed, shared).await);
        }
        let config = Config { members_max: people, ..Config::new(CONFIRMATIONS) };
        let me = hosts[0].me.clone();
        hosts[0].call(move |machine, _| *machine = Some(Machine::create(me, CHAIN, GROUP, config))).await;
        Self { hosts, counters, stop, config, _dir: dir }
    }

    pub(crate) fn id(&self, who: usize) -> ParticipantId {
        self.hosts[who].me.identity.public().id()
    }

    pub(crate) async fn command(&self, who: usize, command: Command) -> Option<Invitation> {
        self.hosts[who].call(move |machine, env| machine.as_mut().unwrap().command(env, command)).await.unwrap()
    }

    /// Invites these, and waits until the owner has heard of all of them.
    pub(crate) async fn invite(&self, invited: &[usize]) {
        for who in invited {
            let expires_ms = now_ms() + 3_600_000;
            let name = format!("person {who}");
            let invitation = self.command(0, Command::Invite { name, expires_ms }).await.unwrap();
            let owner = &self.hosts[0].me;
            let ticket = Ticket {
                chain: CHAIN,
                group: GROUP,
                owner: self.id(0),
                token: invitation.token,
                expires_ms,
                endpoint: owner.endpoint.clone(),
            };
            let (me, config) = (self.hosts[*who].me.clone(), self.config);
            let accept = self.hosts[*who].call(move |machine, env| {
                *machine = Some(Machine::accept(me, &ticket, config, env).unwrap().0);
            });
            accept.await;
        }
        let awaited: BTreeSet<_> = invited.iter().map(|who| self.id(*who)).collect();
        let here = |status: &Status| {
            let candidates: BTreeSet<_> = status.candidates.iter().map(|c| c.member).collect();
            awaited.is_subset(&candidates)
        };
        self.until(0, "all invited to be candidates", here).await;
    }

    async fn until(&self, who: usize, what: &str, stands: impl Fn(&Status) -> bool) -> Status {
        let mut statuses = self.hosts[who].status.clone();
        let waited = tokio::time::timeout(PATIENCE, statuses.wait_for(|s| s.as_ref().is_some_and(&stands))).await;
        let Ok(stood) = waited else {
            let status = self.hosts[who].status.borrow().clone();
            panic!("awaited {what} at {who} for {PATIENCE:?}; failures {:?}; {status:#?}", self.counters.failures);
        };
        stood.expect("the host lives").clone().expect("it has a status")
    }

    /// Waits until these have this epoch in force, final, and under one key.
    pub(crate) async fn agree(&self, members: &[usize], epoch: u64) {
        let ring: BTreeSet<_> = members.iter().map(|m| self.id(*m)).collect();
        let mut keys = BTreeSet::new();
        for who in members {
            let here = |s: &Status| s.active.as_ref().is_some_and(|a| a.epoch == epoch && a.is_final);
            let status = self.until(*who, &format!("epoch {epoch} in force"), here).await;
            let active = status.active.expect("just seen");
            assert_eq!(active.ring.iter().copied().collect::<BTreeSet<_>>(), ring);
            keys.insert((active.gid, active.fingerprint));
        }
        assert_eq!(keys.len(), 1, "one epoch, one key");
    }

    pub(crate) async fn stands(&self, who: usize, standing: MyStanding) {
        self.until(who, &format!("to be {standing:?}"), |status| status.standing == standing).await;
    }

    /// Runs one phase and prints what it took.
    #[expect(clippy::disallowed_methods, reason = "a measurement")]
    pub(crate) async fn measure(&mut self, phase: &str, run: impl AsyncFnOnce(&mut Self)) -> Figures {
        let read = |town: &Self| {
            let Counters { messages, bytes, stores, .. } = &*town.counters;
            [messages, bytes, stores].map(|c| c.load(Ordering::Relaxed))
        };
        let ladders = |town: &Self| town.hosts.iter().map(|h| h.ladders.load(Ordering::Relaxed)).collect::<Vec<_>>();
        self.counters.failures.lock().unwrap().clear();
        let (before, made_before, since) = (read(self), ladders(self), std::time::Instant::now());
        run(self).await;
        let seconds = since.elapsed().as_secs_f64();
        let after = read(self);
        let [messages, bytes, stores] = std::array::from_fn(|i| after[i] - before[i]);
        let made: Vec<u64> = ladders(self).iter().zip(&made_before).map(|(after, before)| after - before).collect();
        let pairing_members = made.iter().filter(|made| **made > 0).count();
        println!(
            "{phase:<22} {seconds:>7.2} s {messages:>7} messages {bytes:>10} bytes {stores:>6} stores {:>5} T_n by {pairing_members} members",
            made.iter().sum::<u64>(),
        );
        for (why, count) in self.counters.failures.lock().unwrap().iter() {
            println!("    {count} deliveries failed and were repeated: {why}");
        }
        Figures { pairing_members }
    }
}
