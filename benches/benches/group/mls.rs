//! The other side: an MLS group with X25519 and Ed25519, the choice of who needs no ring and no Chebyshev.

use crate::cost::{Clock, Cost};
use openmls::prelude::tls_codec::Deserialize;
use openmls::prelude::*;
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;

const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

struct Member {
    provider: OpenMlsRustCrypto,
    signer: SignatureKeyPair,
    credential: CredentialWithKey,
    group: Option<MlsGroup>,
}

impl Member {
    fn new(name: usize) -> Self {
        let signer = SignatureKeyPair::new(SUITE.signature_algorithm()).expect("a signing key");
        let credential = CredentialWithKey {
            credential: BasicCredential::new(format!("member {name}").into_bytes()).into(),
            signature_key: signer.to_public_vec().into(),
        };
        Self { provider: OpenMlsRustCrypto::default(), signer, credential, group: None }
    }

    fn group(&mut self) -> &mut MlsGroup {
        self.group.as_mut().expect("a member")
    }

    fn key_package(&self) -> KeyPackage {
        let built = KeyPackage::builder().build(SUITE, &self.provider, &self.signer, self.credential.clone());
        built.expect("a key package").key_package().clone()
    }

    fn create(&mut self) {
        let config = MlsGroupCreateConfig::builder().ciphersuite(SUITE).use_ratchet_tree_extension(true).build();
        let made = MlsGroup::new(&self.provider, &self.signer, &config, self.credential.clone());
        self.group = Some(made.expect("a group"));
    }

    /// The commit and the welcome.
    fn add(&mut self, packages: &[KeyPackage]) -> (MlsMessageOut, MlsMessageOut) {
        let Self { provider, signer, group, .. } = self;
        let group = group.as_mut().expect("a member");
        let (commit, welcome, _) = group.add_members(provider, signer, packages).expect("a commit");
        group.merge_pending_commit(provider).expect("one's own commit");
        (commit, welcome)
    }

    fn remove(&mut self, who: LeafNodeIndex) -> MlsMessageOut {
        let Self { provider, signer, group, .. } = self;
        let group = group.as_mut().expect("a member");
        let (commit, _, _) = group.remove_members(provider, signer, &[who]).expect("a commit");
        group.merge_pending_commit(provider).expect("one's own commit");
        commit
    }

    fn update(&mut self) -> MlsMessageOut {
        let Self { provider, signer, group, .. } = self;
        let group = group.as_mut().expect("a member");
        let update = group.self_update(provider, signer, LeafNodeParameters::default()).expect("a commit");
        group.merge_pending_commit(provider).expect("one's own commit");
        update.into_commit()
    }

    fn join(&mut self, welcome: &[u8]) {
        let message = MlsMessageIn::tls_deserialize_exact(welcome).expect("a message");
        let MlsMessageBodyIn::Welcome(welcome) = message.extract() else { panic!("a welcome") };
        let config = MlsGroupJoinConfig::builder().use_ratchet_tree_extension(true).build();
        let staged = StagedWelcome::new_from_welcome(&self.provider, &config, welcome, None).expect("for us");
        self.group = Some(staged.into_group(&self.provider).expect("a group"));
    }

    fn process(&mut self, commit: &[u8]) {
        let message = MlsMessageIn::tls_deserialize_exact(commit).expect("a message");
        let message = message.try_into_protocol_message().expect("a commit");
        let Self { provider, group, .. } = self;
        let group = group.as_mut().expect("a member");
        let processed = group.process_message(provider, message).expect("a sound commit");
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else { panic!("a commit") };
        group.merge_staged_commit(provider, *staged).expect("merged");
    }
}

/// Members with one state; the first is the owner, who makes all changes.
pub(crate) struct Group {
    members: Vec<Member>,
}

impl Group {
    /// n members, each of whom has updated its path once: the tree has no gaps, which is MLS at its best.
    pub(crate) fn warm(n: usize) -> Self {
        let (mut this, _) = Self::set_up(n);
        (0..n).for_each(|i| this.update(i));
        this
    }

    fn update(&mut self, who: usize) {
        let commit = bytes(&self.members[who].update());
        for (i, member) in self.members.iter_mut().enumerate() {
            if i != who {
                member.process(&commit);
            }
        }
    }

    /// All added in one commit.
    fn set_up(n: usize) -> (Self, Cost) {
        let mut members: Vec<Member> = (0..n).map(Member::new).collect();
        let mut cost = Cost::default();
        let mut clock = Clock::start(n);
        members[0].create();
        clock.mark(0);
        let mut packages = Vec::new();
        for (i, member) in members.iter().enumerate().skip(1) {
            packages.push(member.key_package());
            clock.mark(i);
            cost.messages += 1;
            cost.bytes += package_len(&packages[i - 1]);
            clock.skip();
        }
        if n > 1 {
            let (_, welcome) = members[0].add(&packages);
            let welcome = bytes(&welcome);
            clock.mark(0);
            cost.messages += n - 1;
            cost.bytes += (n - 1) * welcome.len();
            for (i, member) in members.iter_mut().enumerate().skip(1) {
                clock.skip();
                member.join(&welcome);
                clock.mark(i);
            }
        }
        clock.read(&mut cost);
        let group = Self { members };
        group.agree();
        (group, cost)
    }

    fn join(&mut self) -> Cost {
        let n = self.members.len() + 1;
        let mut cost = Cost::default();
        let mut new = Member::new(n);
        let mut clock = Clock::start(n);
        let package = new.key_package();
        clock.mark(n - 1);
        let (commit, welcome) = self.members[0].add(std::slice::from_ref(&package));
        let (commit, welcome) = (bytes(&commit), bytes(&welcome));
        clock.mark(0);
        for (i, member) in self.members.iter_mut().enumerate().skip(1) {
            member.process(&commit);
            clock.mark(i);
        }
        new.join(&welcome);
        clock.mark(n - 1);
        clock.read(&mut cost);
        cost.messages = 2 + (n - 2);
        cost.bytes = package_len(&package) + welcome.len() + (n - 2) * commit.len();
        self.members.push(new);
        self.agree();
        cost
    }

    /// The member that came last goes.
    fn leave(&mut self) -> Cost {
        let n = self.members.len();
        let mut cost = Cost::default();
        let leaf = self.members[n - 1].group().own_leaf_index();
        self.members.pop();
        let mut clock = Clock::start(n);
        let commit = bytes(&self.members[0].remove(leaf));
        clock.mark(0);
        for (i, member) in self.members.iter_mut().enumerate().skip(1) {
            member.process(&commit);
            clock.mark(i);
        }
        clock.read(&mut cost);
        cost.messages = n - 2;
        cost.bytes = (n - 2) * commit.len();
        self.agree();
        cost
    }

    /// All hold one epoch's secrets.
    fn agree(&self) {
        let authenticator = |m: &Member| m.group.as_ref().expect("a member").epoch_authenticator().as_slice().to_vec();
        let first = authenticator(&self.members[0]);
        assert!(self.members.iter().all(|member| authenticator(member) == first));
    }
}

fn bytes(message: &MlsMessageOut) -> Vec<u8> {
    message.to_bytes().expect("a message encodes")
}

fn package_len(package: &KeyPackage) -> usize {
    bytes(&MlsMessageOut::from(package.clone())).len()
}

/// Set-up of n; join of one to the warm group of n − 1; after an update by the new member, its leave.
pub(crate) fn round(n: usize, mut warm: Group) -> ([Cost; 3], Group) {
    let (_, set_up) = Group::set_up(n);
    let join = warm.join();
    warm.update(n - 1);
    let leave = warm.leave();
    ([set_up, join, leave], warm)
}
