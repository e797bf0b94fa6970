//! Rules on one record at its place on a chain: what needs the parent's state.

use super::{PlacementRule, Verdict};
use crate::chain::{Location, Participant};
use crate::hash::RecordId;
use crate::identity::Role;
use crate::params::Params;
use crate::record::{Kind, Record};

/// What the parent's state says of an uploader, or of the subject of a revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Neither enrolled nor an authority.
    Unknown,
    /// Named in the chain parameters.
    Authority,
    /// Enrolled.
    Enrolled(Box<Participant>),
}

/// One record, where it is to stand, and what the state says of it.
#[derive(Debug)]
pub struct PlacementContext<'a> {
    /// The chain's parameters.
    pub params: &'a Params,
    /// The record.
    pub record: &'a Record,
    /// Its id.
    pub id: RecordId,
    /// Height of the block it is to stand in.
    pub height: u64,
    /// Time stamp of that block, ms.
    pub block_time_ms: u64,
    /// The uploader in the parent's state.
    pub uploader: Standing,
    /// Where the record stands already on this branch, this block included.
    pub placed: Option<Location>,
    /// Bytes of this uploader in the window that ends at `height`, earlier records of this block included.
    pub used_bytes: u64,
    /// For Enrol: whether a key of an entry is an authority's, was enrolled before, or stands in two entries.
    pub key_taken: bool,
    /// For Revoke: the subject in the parent's state, revocations earlier in this block included.
    pub subject: Standing,
}

pub(crate) const RULES: &[PlacementRule] = &[
    ("R-UPLOADER", uploader),
    ("R-ROLE", role),
    ("R-DUP", duplicate),
    ("R-STAMP", stamp),
    ("R-EXPIRY", expiry),
    ("R-QUOTA", quota),
    ("R-KEY-REUSE", key_reuse),
    ("R-REVOKE", revoke),
];

/// R-UPLOADER: in the parent's state the uploader is enrolled, valid at this height and not revoked, or an authority.
fn uploader(c: &PlacementContext<'_>) -> Verdict {
    let who = c.record.content.uploader;
    match &c.uploader {
        Standing::Unknown => Err(format!("{who} is not enrolled").into()),
        Standing::Authority => Ok(()),
        Standing::Enrolled(p) => match p.revoked {
            Some(revoked) => Err(format!("{who} was revoked at height {}", revoked.at).into()),
            None if c.height < p.valid_from || c.height > p.valid_until => {
                Err(format!("{who} is valid from height {} to {}, this is {}", p.valid_from, p.valid_until, c.height)
                    .into())
            }
            None => Ok(()),
        },
    }
}

/// R-ROLE: EHR by a healthcare center, EMR by a doctor, PHR, APHR and EpochCommit by a patient, Enrol and Revoke by an
/// authority.
fn role(c: &PlacementContext<'_>) -> Verdict {
    let kind = c.record.content.kind;
    let fits = match (&c.uploader, kind.uploader_role()) {
        (Standing::Authority, None) => true,
        (Standing::Enrolled(p), Some(role)) => p.role == role,
        (Standing::Authority, Some(_)) | (Standing::Enrolled(_), None) => false,
        (Standing::Unknown, _) => true, // R-UPLOADER's case
    };
    let due = kind.uploader_role().map_or("an authority", Role::name);
    if fits { Ok(()) } else { Err(format!("{kind} is uploaded by {due} only").into()) }
}

/// R-DUP: a RecordId stands on a chain once, in whatever envelope.
fn duplicate(c: &PlacementContext<'_>) -> Verdict {
    match c.placed {
        None => Ok(()),
        Some(at) => Err(format!("record {} stands at height {} already", c.id, at.height).into()),
    }
}

/// R-STAMP: T ≤ block time + ΔT. There is no lower bound: records that return from a fork must not die of age.
fn stamp(c: &PlacementContext<'_>) -> Verdict {
    let (stamp, most) = (c.record.envelope.stamp_ms, c.block_time_ms.saturating_add(c.params.stamp_window_ms));
    if stamp <= most { Ok(()) } else { Err(format!("stamp {stamp} is beyond block time + ΔT = {most}").into()) }
}

/// R-EXPIRY: height ≤ expiry ≤ height + W.
fn expiry(c: &PlacementContext<'_>) -> Verdict {
    let (expiry, most) = (c.record.envelope.expiry_height, c.height.saturating_add(c.params.expiry_window_heights));
    if (c.height..=most).contains(&expiry) {
        Ok(())
    } else {
        Err(format!("expires at height {expiry}; at height {} it may be {} to {most}", c.height, c.height).into())
    }
}

/// R-QUOTA: "per uploader and role at most Q bytes in 144 heights."
fn quota(c: &PlacementContext<'_>) -> Verdict {
    let quotas = &c.params.quota_bytes;
    let most = match &c.uploader {
        Standing::Unknown => return Ok(()), // R-UPLOADER's case
        Standing::Authority => quotas.authority,
        Standing::Enrolled(p) => match p.role {
            Role::HealthcareCenter => quotas.healthcare_center,
            Role::Doctor => quotas.doctor,
            Role::Patient => quotas.patient,
            Role::Caregiver => return Ok(()), // R-ROLE's case
        },
    };
    let sum = c.used_bytes + c.record.encoded_len() as u64;
    if sum <= most { Ok(()) } else { Err(format!("{sum} bytes in 144 heights, at most {most} are allowed").into()) }
}

/// R-KEY-REUSE: "no key in two enrolments", nor twice in one, nor an authority's key in any.
fn key_reuse(c: &PlacementContext<'_>) -> Verdict {
    if c.record.content.kind == Kind::Enrol && c.key_taken {
        return Err("a key of these was enrolled before, stands here twice, or is an authority's".into());
    }
    Ok(())
}

/// R-REVOKE: the subject is enrolled and not revoked yet.
fn revoke(c: &PlacementContext<'_>) -> Verdict {
    if c.record.content.kind != Kind::Revoke {
        return Ok(());
    }
    match &c.subject {
        Standing::Enrolled(p) if p.revoked.is_none() => Ok(()),
        Standing::Enrolled(_) => Err("the subject is revoked already".into()),
        Standing::Unknown | Standing::Authority => Err("the subject is not enrolled".into()),
    }
}
