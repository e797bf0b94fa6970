//! Rules on one record alone: what can be judged without keys and without a chain.

use super::{ShapeRule, Verdict};
use crate::codec::CodecError;
use crate::hash::Commitment;
use crate::identity::{Enrolment, Revocation};
use crate::limits;
use crate::params::Params;
use crate::record::{AuthProof, EpochCommit, Kind, Receiver, Record};

/// One record.
#[derive(Debug)]
pub struct ShapeContext<'a> {
    /// The chain's parameters.
    pub params: &'a Params,
    /// The record.
    pub record: &'a Record,
}

pub(crate) const RULES: &[ShapeRule] = &[
    ("R-RECORD-SIZE", size),
    ("R-KIND", kind),
    ("R-RECEIVER", receiver),
    ("R-SEALED", sealed),
    ("R-PAYLOAD", payload),
    ("R-ENROL", enrol),
    ("R-AUTH-SCHEME", auth_scheme),
    ("R-STAMP-STEP", stamp_step),
];

/// R-RECORD-SIZE: at most 128 KiB in the codec, of which the public part at most 64 KiB.
fn size(c: &ShapeContext<'_>) -> Verdict {
    let (whole, public) = (c.record.encoded_len(), c.record.content.public.len());
    if whole > limits::RECORD_BYTES_MAX {
        return Err(format!("{whole} bytes, at most {} are allowed", limits::RECORD_BYTES_MAX).into());
    }
    if public > limits::PUBLIC_BYTES_MAX {
        return Err(format!("public part of {public} bytes, at most {} are allowed", limits::PUBLIC_BYTES_MAX).into());
    }
    Ok(())
}

/// R-KIND: AuthorityUpdate is reserved.
fn kind(c: &ShapeContext<'_>) -> Verdict {
    match c.record.content.kind {
        Kind::AuthorityUpdate => Err("authority-update is reserved and not allowed yet".into()),
        _ => Ok(()),
    }
}

/// R-RECEIVER: EHR and EMR go to a one-time address; PHR to one, to its owner under a group id, or to a group; APHR to a
/// group; records without a sealed part to nobody.
fn receiver(c: &ShapeContext<'_>) -> Verdict {
    let content = &c.record.content;
    let fits = match content.kind {
        Kind::Ehr | Kind::Emr => matches!(content.receiver, Receiver::Tag(_)),
        Kind::Phr => !matches!(content.receiver, Receiver::None),
        Kind::Aphr => matches!(content.receiver, Receiver::Group(_)),
        Kind::EpochCommit | Kind::Enrol | Kind::Revoke | Kind::AuthorityUpdate => content.receiver == Receiver::None,
    };
    if fits { Ok(()) } else { Err(format!("{} may not have this type of receiver", content.kind).into()) }
}

/// R-SEALED: the sealed part has the length and suite of its type of receiver, padded to a power of two, and E < p;
/// it and the commitment are empty where nothing is sealed. (Membership of E is the receiver's check, not consensus.)
fn sealed(c: &ShapeContext<'_>) -> Verdict {
    let content = &c.record.content;
    match content.receiver {
        Receiver::None if content.sealed.is_empty() && content.commitment == Commitment::ZERO => Ok(()),
        Receiver::None => Err("nothing is sealed here, yet s or c is not empty".into()),
        _ if content.commitment == Commitment::ZERO => Err("the commitment is zero".into()),
        _ => crate::seal::check_shape(&content.receiver, &content.sealed, c.params.pad_min_bytes as usize)
            .map_err(|e| e.to_string().into()),
    }
}

/// R-PAYLOAD: the public part of Enrol, Revoke and EpochCommit is exactly one value of its type.
fn payload(c: &ShapeContext<'_>) -> Verdict {
    let public = &c.record.content.public;
    let told = |e: CodecError| format!("payload: {e}").into();
    match c.record.content.kind {
        Kind::Enrol => Enrolment::decode(public).map(drop).map_err(told),
        Kind::Revoke => Revocation::decode(public).map(drop).map_err(told),
        Kind::EpochCommit => EpochCommit::decode(public).map(drop).map_err(told),
        Kind::Ehr | Kind::Emr | Kind::Phr | Kind::Aphr | Kind::AuthorityUpdate => Ok(()),
    }
}

/// R-ENROL: 1 to 128 entries, strictly ascending by id; each key canonical, of prime order, and in its group; the validity
/// not empty.
fn enrol(c: &ShapeContext<'_>) -> Verdict {
    if c.record.content.kind != Kind::Enrol {
        return Ok(());
    }
    // R-PAYLOAD has read it already.
    let Ok(Enrolment { entries }) = Enrolment::decode(&c.record.content.public) else { return Ok(()) };
    if entries.is_empty() || entries.len() > limits::ENROL_ENTRIES_MAX {
        return Err(format!("{} entries, 1 to {} are allowed", entries.len(), limits::ENROL_ENTRIES_MAX).into());
    }
    let ids: Vec<_> = entries.iter().map(|e| e.keys.id()).collect();
    if ids.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err("entries are not strictly ascending by participant id".into());
    }
    for (entry, id) in entries.iter().zip(&ids) {
        if entry.valid_from > entry.valid_until {
            return Err(format!("{id} would be valid from {} to {}", entry.valid_from, entry.valid_until).into());
        }
        entry.keys.validate().map_err(|problem| format!("{id}: {problem}"))?;
    }
    Ok(())
}

/// R-AUTH-SCHEME: the proof is of scheme 1 and 64 bytes.
fn auth_scheme(c: &ShapeContext<'_>) -> Verdict {
    let auth = &c.record.envelope.auth;
    if auth.scheme != AuthProof::ED25519 {
        return Err(format!("auth scheme {} is not known", auth.scheme).into());
    }
    if auth.proof.len() != 64 {
        return Err(format!("a proof of {} bytes; an Ed25519 signature has 64", auth.proof.len()).into());
    }
    Ok(())
}

/// R-STAMP-STEP: T is a multiple of the chain's granularity.
fn stamp_step(c: &ShapeContext<'_>) -> Verdict {
    let (stamp, step) = (c.record.envelope.stamp_ms, c.params.stamp_granularity_ms);
    if stamp % step == 0 { Ok(()) } else { Err(format!("stamp {stamp} is not a multiple of {step} ms").into()) }
}
