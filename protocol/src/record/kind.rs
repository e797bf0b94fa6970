//! The kinds of record and who may upload each.

use crate::codec::{self, CodecError};
use crate::hash::Gid;
use crate::identity::Role;
use crate::limits;
use serde::{Deserialize, Serialize};

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Electronic health record, by a healthcare center, sealed to the patient.
    Ehr = 1,
    /// Electronic medical record, by a doctor, sealed to the patient.
    Emr = 2,
    /// Personal health record, by the patient.
    Phr = 3,
    /// Aggregated personal health record, by the patient, sealed to the group.
    Aphr = 4,
    /// An epoch of a group becomes active, by the patient.
    EpochCommit = 5,
    /// Enrols participants, by an authority.
    Enrol = 16,
    /// Revokes a participant, by an authority.
    Revoke = 17,
    /// Changes the authorities by a quorum of them. Reserved: R-KIND refuses it.
    AuthorityUpdate = 18,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 8] = [
        Kind::Ehr,
        Kind::Emr,
        Kind::Phr,
        Kind::Aphr,
        Kind::EpochCommit,
        Kind::Enrol,
        Kind::Revoke,
        Kind::AuthorityUpdate,
    ];

    /// The byte on the wire and in hashes.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// From the byte.
    pub fn from_id(id: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.id() == id)
    }

    /// As written in commands and files.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Ehr => "ehr",
            Kind::Emr => "emr",
            Kind::Phr => "phr",
            Kind::Aphr => "aphr",
            Kind::EpochCommit => "epoch-commit",
            Kind::Enrol => "enrol",
            Kind::Revoke => "revoke",
            Kind::AuthorityUpdate => "authority-update",
        }
    }

    /// Whether it carries sealed health data (the others carry their payload in the public part).
    pub const fn is_health(self) -> bool {
        matches!(self, Kind::Ehr | Kind::Emr | Kind::Phr | Kind::Aphr)
    }

    /// The role that may upload it (R-ROLE); `None`: authorities only.
    pub const fn uploader_role(self) -> Option<Role> {
        match self {
            Kind::Ehr => Some(Role::HealthcareCenter),
            Kind::Emr => Some(Role::Doctor),
            Kind::Phr | Kind::Aphr | Kind::EpochCommit => Some(Role::Patient),
            Kind::Enrol | Kind::Revoke | Kind::AuthorityUpdate => None,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Kind {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        Kind::ALL.into_iter().find(|k| k.name() == s).ok_or_else(|| {
            let names = Kind::ALL.map(Kind::name).join(", ");
            format!("{s:?} is no kind of record; kinds are {names}")
        })
    }
}

byte_enum_serde!(Kind);

/// The public part of an EpochCommit record: the patient's word that all members confirmed one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochCommit {
    /// The epoch.
    pub gid: Gid,
    /// th_e, the ring transcript.
    pub transcript: [u8; 32],
    /// H("confirms", mac_1 … mac_n).
    pub confirms: [u8; 32],
}

impl EpochCommit {
    /// As the public part m.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// From a public part.
    pub fn decode(public: &[u8]) -> Result<Self, CodecError> {
        codec::decode(public, limits::PUBLIC_BYTES_MAX)
    }
}
