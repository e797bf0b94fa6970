//! Who is who: participants, their keys and roles, enrolment and revocation (PROTOCOL section 2; spec: identities).

mod enrol;
mod keys;

pub use enrol::{Enrolment, EnrolmentEntry, Revocation};
pub use keys::{IdentitySecret, KeyHash, PublicKeys, Signature, SigningPk};

byte_enum_serde!(Role);

/// What an enrolled participant is. Decides which kinds of record it may upload (R-ROLE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// HC: uploads EHR.
    HealthcareCenter = 1,
    /// D: uploads EMR.
    Doctor = 2,
    /// P: uploads PHR, APHR and EpochCommit.
    Patient = 3,
    /// Relatives, friends, carers: read as members of a group, upload nothing.
    Caregiver = 4,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 4] = [Role::HealthcareCenter, Role::Doctor, Role::Patient, Role::Caregiver];

    /// The byte on the wire and in hashes.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// From the byte.
    pub fn from_id(id: u8) -> Option<Role> {
        Role::ALL.into_iter().find(|r| r.id() == id)
    }

    /// As written in commands and files.
    pub const fn name(self) -> &'static str {
        match self {
            Role::HealthcareCenter => "healthcare-center",
            Role::Doctor => "doctor",
            Role::Patient => "patient",
            Role::Caregiver => "caregiver",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Role {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        Role::ALL.into_iter().find(|r| r.name() == s).ok_or_else(|| {
            let names = Role::ALL.map(Role::name).join(", ");
            format!("{s:?} is no role; roles are {names}")
        })
    }
}
