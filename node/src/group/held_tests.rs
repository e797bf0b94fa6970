//! A group whose store fails: nothing that happened meanwhile was ever said.

use super::GroupError;
use super::extra::Extra;
use super::held::{Held, Making};
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::{ChainView, Command, Config, Env, Machine, Me, Output, Standing};
use medring_protocol::group::message::Endpoint;
use medring_protocol::testkit::Kit;
use medring_protocol::{ParticipantId, RecordId};
use rand::SeedableRng;
use std::sync::{Arc, mpsc};

const NOW_MS: u64 = 1_700_000_000_000;

/// A chain on which the patient is enrolled, and nothing else happens.
struct Quiet(Kit);

impl ChainView for Quiet {
    fn height(&self) -> u64 {
        1
    }

    fn standing(&self, id: &ParticipantId) -> Option<Standing> {
        let patient = &self.0.patient;
        let standing = |role| Standing { keys: patient.keys.clone(), role, valid: true };
        (*id == patient.id).then(|| patient.role.map(standing)).flatten()
    }

    fn height_of(&self, _: &RecordId) -> Option<u64> {
        None
    }
}

fn making(chain: &Quiet) -> Making {
    let secret = chain.0.patient.secret.expose();
    let (seed, scalar) = (secret[..32].try_into().unwrap(), secret[32..].try_into().unwrap());
    let identity = medring_protocol::identity::IdentitySecret::from_bytes(seed, scalar).unwrap();
    let endpoint = Endpoint { peer_id: vec![1; 38], addresses: Vec::new() };
    Making { me: Me { identity: Arc::new(identity), endpoint }, chain: chain.0.chain, config: Config::new(3) }
}

/// Begins the group's first epoch, and says what the caller was told.
fn begin(held: &mut Held, chain: &Quiet) -> mpsc::Receiver<Result<(), GroupError>> {
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    let mut env = Env { now_ms: NOW_MS, chain, rng: &mut rng };
    held.machine.command(&mut env, Command::StartAlone).unwrap();
    let (told, answer) = mpsc::channel();
    held.when_stored(move |stored| drop(told.send(stored)));
    answer
}

#[test]
fn what_could_not_be_stored_never_happened_and_is_done_again() {
    let chain = Quiet(Kit::new(61));
    let making = making(&chain);
    let machine = Machine::create(making.me.clone(), making.chain, GroupUid([7; 32]), making.config);
    let mut held = Held::new(machine, Extra::new("family".into()));
    assert!(held.settle(&making, NOW_MS, &mut |_, _| Ok(())).unwrap().is_empty());
    assert!(held.is_stored());

    let answer = begin(&mut held, &chain);
    assert!(held.machine.status().attempt.is_some());
    let full = |_: &_, _: &_| Err("no space left".to_owned());
    assert_eq!(held.settle(&making, NOW_MS, &mut full.clone()).unwrap_err(), "no space left");
    assert_eq!(answer.recv(), Ok(Err(GroupError::Storage("no space left".into()))));
    assert!(held.machine.status().attempt.is_none(), "the attempt was undone");
    assert!(held.paused_until_ms.is_some_and(|until| until > NOW_MS) && held.problem().is_some());
    assert_eq!(held.life, 1, "answers to what was undone are not taken");

    let answer = begin(&mut held, &chain);
    let outputs = held.settle(&making, NOW_MS, &mut |_, _| Ok(())).unwrap();
    assert!(outputs.iter().any(|output| matches!(output, Output::Submit { .. })), "{outputs:?}");
    assert!(answer.try_recv().is_err(), "nobody is told before it is published");
    held.answer_callers();
    assert_eq!((answer.recv(), held.problem()), (Ok(Ok(())), None));
}

#[test]
fn a_machine_that_was_misled_by_a_failing_chain_is_not_stored() {
    let chain = Quiet(Kit::new(62));
    let making = making(&chain);
    let machine = Machine::create(making.me.clone(), making.chain, GroupUid([7; 32]), making.config);
    let mut held = Held::new(machine, Extra::new("family".into()));
    held.settle(&making, NOW_MS, &mut |_, _| Ok(())).unwrap();
    let answer = begin(&mut held, &chain);
    held.misled = Some("the chain could not be read".into());
    let stored = held.settle(&making, NOW_MS, &mut |_, _| panic!("it is not to be stored"));
    assert!(stored.is_err() && held.machine.status().attempt.is_none());
    assert!(matches!(answer.recv(), Ok(Err(GroupError::Storage(_)))));
}
