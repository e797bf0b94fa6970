//! One negative test for each consensus rule: something valid is spoiled so that exactly that rule is broken. It is refused
//! by that rule, and accepted where that rule alone is not enforced, so the test has seen its guard disabled.
//!
//! `docs/spec/rules.md` lists rule, function and test; `table` keeps the list true.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

mod body;
mod header;
mod placement;
mod shape;
mod signature;
mod table;

use medring_protocol::Violation;
use medring_protocol::block::{Block, CheckedBlock};
use medring_protocol::chain::HeaderNode;
use medring_protocol::chain::rules::{HeaderContext, RuleSet};
use medring_protocol::error::RuleId;
use medring_protocol::identity::{Enrolment, EnrolmentEntry, Revocation, Role};
use medring_protocol::limits::RECORD_BYTES_MAX;
use medring_protocol::record::{Content, Kind, Record};
use medring_protocol::testkit::{Actor, Kit, TestChain};

/// A chain of two blocks with a participant of every standing; block 3 is next.
struct Fixture {
    kit: &'static Kit,
    chain: TestChain<'static>,
    /// Enrolled, valid from height 100.
    future: Actor,
    /// Enrolled, valid until height 2.
    past: Actor,
    /// Enrolled, revoked in block 2.
    former: Actor,
    /// Stands in block 2.
    placed: Record,
}

/// A patient may place this much in 144 heights.
const PATIENT_QUOTA: u64 = RECORD_BYTES_MAX as u64;
/// Height of the next block.
const NEXT: u64 = 3;

impl Fixture {
    fn new() -> Self {
        let kit = Box::leak(Box::new(Kit::with_params(20, |params| params.quota_bytes.patient = PATIENT_QUOTA)));
        let [future, past, former] =
            ["future", "past", "former"].map(|name| Actor::new(kit.seed, name, Some(Role::HealthcareCenter)));
        let entry = |actor: &Actor, from, until| {
            EnrolmentEntry::new(&kit.chain, &actor.secret, Role::HealthcareCenter, from, until)
        };
        let entries = vec![entry(&future, 100, 200), entry(&past, 0, 2), entry(&former, 0, 200)];
        let mut chain = TestChain::new(kit, RuleSet::standard());
        chain.extend(vec![kit.enrol_all(1), kit.enrol_with(&Enrolment::new(entries), 1)]).unwrap();
        let placed = kit.record(Kind::Ehr, 1, 2);
        let revocation = Revocation { subject: former.id, invalid_from: 1 };
        let revoke = Content { public: revocation.encode(), ..kit.content(Kind::Revoke, 0, 0) };
        chain.extend(vec![placed.clone(), kit.sign(revoke, 2)]).unwrap();
        assert_eq!(chain.next_height(), NEXT);
        Self { kit, chain, future, past, former, placed }
    }

    /// A valid record of this kind for the next block.
    fn record(&self, kind: Kind) -> Record {
        self.kit.record(kind, 50, NEXT)
    }

    /// A valid record with its content edited, signed by whoever may upload its kind.
    fn edited(&self, kind: Kind, edit: impl FnOnce(&mut Content)) -> Record {
        let mut content = self.record(kind).content;
        edit(&mut content);
        self.kit.sign(content, NEXT)
    }

    /// The next block with these records.
    fn block(&self, records: Vec<Record>) -> Bad {
        Bad::Next(self.chain.next_block(records))
    }

    /// The next block with an Enrol record of these entries as they stand.
    fn enrolling(&self, entries: Vec<EnrolmentEntry>) -> Bad {
        self.block(vec![self.kit.enrol_with(&Enrolment { entries }, NEXT)])
    }

    /// An entry for a patient of its own.
    fn entry(&self, number: u64) -> EnrolmentEntry {
        self.kit.enrolment(&[&self.kit.extra_patient(number)]).entries.remove(0)
    }

    fn judge(&self, rules: RuleSet, bad: &Bad) -> Result<(), Violation> {
        let (params, chain) = (&self.kit.params, &self.kit.chain);
        match bad {
            Bad::Next(block) => TestChain { rules, ..self.chain.clone() }.connect(block.clone()),
            Bad::AfterGenesis(block) => {
                rules.check_pow(&block.header, &block.id())?;
                rules.check_header(&HeaderContext {
                    params,
                    header: &block.header,
                    parent: &HeaderNode::genesis(params),
                })
            }
            Bad::Alone(block) => CheckedBlock::check(&rules, params, chain, block.clone()).map(drop),
        }
    }

    /// The sentence of every test here.
    #[track_caller]
    fn broken_only(&self, rule: RuleId, bad: &Bad) {
        match self.judge(RuleSet::standard(), bad) {
            Ok(()) => panic!("accepted, though {rule} is broken"),
            Err(violation) => assert_eq!(violation.rule, rule, "{violation}"),
        }
        if let Err(violation) = self.judge(RuleSet::standard().without(rule), bad) {
            panic!("not only {rule} is broken, but also {violation}");
        }
    }

    /// The control: the same thing unspoiled.
    #[track_caller]
    fn accepted(&self, good: &Bad) {
        self.judge(RuleSet::standard(), good).unwrap();
    }
}

/// Something spoiled, and how far it is taken.
enum Bad {
    /// The next block of the fixture's chain: every check.
    Next(Block),
    /// A header whose parent is genesis: what a tree checks.
    AfterGenesis(Block),
    /// A block on its own: what needs no chain.
    Alone(Block),
}
