//! Records of the test kit: of valid shape with random content, or really sealed.

use super::{Actor, Kit, bytes, bytes32};
use crate::chebyshev::{PublicKey, PublicKeyBytes};
use crate::hash::{Commitment, Gid};
use crate::identity::{Enrolment, EnrolmentEntry, Revocation, Role};
use crate::kdf::Suite;
use crate::record::{Content, EpochCommit, Kind, Receiver, Record};
use crate::seal::{self, PlainKind, SealContext, SensitivePlain, To};
use rand::SeedableRng;

impl Kit {
    /// A record of this kind, valid in a block at `height` and, until it expires, after. `number` tells records apart. What
    /// stands in place of a sealed part is random bytes of the least size; an Enrol record enrols a patient of its own
    /// (`number` names it) and a Revoke record revokes the caregiver.
    pub fn record(&self, kind: Kind, number: u64, height: u64) -> Record {
        self.sign(self.content(kind, number, self.params.pad_min_bytes as usize), height)
    }

    /// As [`Self::record`], with `padded` bytes sealed (a power of two).
    pub fn record_of(&self, kind: Kind, number: u64, height: u64, padded: usize) -> Record {
        self.sign(self.content(kind, number, padded), height)
    }

    /// Content of this kind; see [`Self::record`].
    pub fn content(&self, kind: Kind, number: u64, padded: usize) -> Content {
        let gid = Gid(bytes32(self.seed, "gid", 0));
        let receiver = match kind {
            Kind::Ehr | Kind::Emr | Kind::Phr => {
                let mut tag = [0; 16];
                tag.copy_from_slice(&bytes(self.seed, "tag", number, 16));
                Receiver::Tag(tag)
            }
            Kind::Aphr => Receiver::Group(gid),
            Kind::EpochCommit | Kind::Enrol | Kind::Revoke | Kind::AuthorityUpdate => Receiver::None,
        };
        let public = match kind {
            Kind::Enrol => self.enrolment(&[&self.extra_patient(number)]).encode(),
            Kind::Revoke => Revocation { subject: self.caregiver.id, invalid_from: number }.encode(),
            Kind::EpochCommit => {
                let [transcript, confirms] = ["th", "confirms"].map(|label| bytes32(self.seed, label, number));
                EpochCommit { gid, transcript, confirms }.encode()
            }
            Kind::Ehr | Kind::Emr | Kind::Phr | Kind::Aphr | Kind::AuthorityUpdate => Vec::new(),
        };
        let mut content = Content {
            kind,
            uploader: self.uploader(kind).id,
            receiver,
            commitment: Commitment::ZERO,
            public,
            sealed: Vec::new(),
        };
        if kind.is_health() {
            content.commitment = Commitment(bytes32(self.seed, "commitment", number));
            content.sealed = self.random_seal(&receiver, number, padded);
        }
        content
    }

    /// Random bytes in the shape of a sealed part.
    pub fn random_seal(&self, receiver: &Receiver, number: u64, padded: usize) -> Vec<u8> {
        let to_group = matches!(receiver, Receiver::Group(_));
        let ephemeral = if to_group { 0 } else { PublicKeyBytes::LEN };
        let mut sealed = bytes(self.seed, "sealed", number, 1 + ephemeral + 48 + padded + 16);
        sealed[0] = Suite::T2Aes.id();
        sealed[1] &= 0x7f; // E < p, whose first bit is 1
        sealed
    }

    /// Signs `content` by the kit's uploader of its kind; stamped with the genesis time, and expiring W heights after
    /// `height`.
    pub fn sign(&self, content: Content, height: u64) -> Record {
        let signer = self.uploader(content.kind);
        self.sign_as(signer, content, height)
    }

    /// As [`Self::sign`], by anyone.
    pub fn sign_as(&self, signer: &Actor, content: Content, height: u64) -> Record {
        let step = self.params.stamp_granularity_ms;
        let stamp_ms = self.params.genesis_time_ms / step * step;
        let expiry = height.saturating_add(self.params.expiry_window_heights);
        Record::sign(&self.chain, content, stamp_ms, expiry, &signer.secret)
    }

    /// A record really sealed for `recipient`: EHR, EMR or PHR of receiver type 1.
    pub fn sealed_record(&self, kind: Kind, text: &str, recipient: &Actor, number: u64, height: u64) -> Record {
        let uploader = self.uploader(kind);
        let mut rng = rand::rngs::StdRng::from_seed(bytes32(self.seed, "seal", number));
        let context = SealContext { chain: &self.chain, kind, uploader: &uploader.id, public: &[] };
        let plain = SensitivePlain::new(recipient.id, PlainKind::FhirBundle, text.as_bytes().to_vec());
        let key = PublicKey::validate(&recipient.keys.chebyshev).expect("the kit's keys are good");
        let pad_min = self.params.pad_min_bytes as usize;
        let sealed = seal::seal(&context, To::Participant(&key), &plain, pad_min, &mut rng)
            .expect("test texts fit into a record");
        self.sign_as(uploader, sealed.content, height)
    }

    /// Entries for `subjects`, valid from the first height to the last.
    pub fn enrolment(&self, subjects: &[&Actor]) -> Enrolment {
        let entry = |subject: &&Actor| {
            let role = subject.role.unwrap_or(Role::Patient);
            EnrolmentEntry::new(&self.chain, &subject.secret, role, 0, u64::MAX)
        };
        Enrolment::new(subjects.iter().map(entry).collect())
    }

    /// An Enrol record for `subjects`.
    pub fn enrol(&self, subjects: &[&Actor], height: u64) -> Record {
        self.enrol_with(&self.enrolment(subjects), height)
    }

    /// An Enrol record with these entries as they are.
    pub fn enrol_with(&self, enrolment: &Enrolment, height: u64) -> Record {
        let content = Content {
            kind: Kind::Enrol,
            uploader: self.authority.id,
            receiver: Receiver::None,
            commitment: Commitment::ZERO,
            public: enrolment.encode(),
            sealed: Vec::new(),
        };
        self.sign(content, height)
    }

    /// An Enrol record for the kit's healthcare center, doctor, patient and caregiver.
    pub fn enrol_all(&self, height: u64) -> Record {
        self.enrol(&[&self.healthcare_center, &self.doctor, &self.patient, &self.caregiver], height)
    }

    /// One more patient. Costs a ladder.
    pub fn extra_patient(&self, number: u64) -> Actor {
        Actor::new(self.seed, &format!("patient {number}"), Some(Role::Patient))
    }
}
