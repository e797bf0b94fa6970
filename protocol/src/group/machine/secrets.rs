//! Secrets of one epoch or attempt: in memory by type, stored as bytes under a key of their own, wiped together.

use crate::group::pair::{Initiator, Pair, Responder};
use crate::group::ring::EpochKeys;
use zeroize::Zeroizing;

/// What one epoch or attempt must keep secret. Its parts come and go with the phases.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// Pairing: r_i of the pair after.
    pub(super) initiator: Option<Initiator>,
    /// Pairing: the pair before, not given out before M3.
    pub(super) responder: Option<Responder>,
    pub(super) before: Option<Pair>,
    pub(super) after: Option<Pair>,
    /// B_(i−1) ‖ B_i: from Sharing on; all that a dead attempt keeps.
    pub(super) bs: Option<Zeroizing<[u8; 64]>>,
    /// From Confirming on.
    pub(super) keys: Option<EpochKeys>,
    /// All that an archived epoch keeps.
    pub(super) archived: Option<Zeroizing<[u8; 32]>>,
}

/// Stored secrets that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl Secrets {
    /// k_rec, if it is held in any form.
    pub(super) fn k_rec(&self) -> Option<&Zeroizing<[u8; 32]>> {
        self.keys.as_ref().map(|k| &k.k_rec).or(self.archived.as_ref())
    }

    /// B_(i−1) and B_i.
    pub(super) fn b_values(&self) -> Option<(&[u8; 32], &[u8; 32])> {
        let (before, after) = self.bs.as_ref()?.split_first_chunk::<32>()?;
        Some((before, after.first_chunk::<32>()?))
    }

    /// What an epoch in force needs: nothing of how it came about.
    pub(super) fn settle(&mut self) {
        self.initiator = None;
        self.responder = None;
    }

    /// What a dead attempt may still be asked for; `false` if that is nothing.
    pub(super) fn bury(&mut self) -> bool {
        *self = Self { bs: self.bs.take(), ..Self::default() };
        self.bs.is_some()
    }

    /// What an epoch keeps whose ring is of no use any more: k_rec; `false` if that is nothing.
    pub(super) fn archive(&mut self) -> bool {
        *self = Self { archived: self.k_rec().cloned(), ..Self::default() };
        self.archived.is_some()
    }

    /// Seven parts, each u32 length ‖ bytes, absent ones of length 0. One allocation, wiped on drop.
    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let (initiator, responder) =
            (self.initiator.as_ref().map(Initiator::to_bytes), self.responder.as_ref().map(Responder::to_bytes));
        let (before, after) = (self.before.as_ref().map(Pair::to_bytes), self.after.as_ref().map(Pair::to_bytes));
        let keys = self.keys.as_ref().map(EpochKeys::to_bytes);
        let parts: [Option<&[u8]>; 7] = [
            initiator.as_ref().map(|b| b.as_slice()),
            responder.as_ref().map(|b| b.as_slice()),
            before.as_ref().map(|b| b.as_slice()),
            after.as_ref().map(|b| b.as_slice()),
            self.bs.as_ref().map(|b| b.as_slice()),
            keys.as_ref().map(|b| b.as_slice()),
            self.archived.as_ref().map(|b| b.as_slice()),
        ];
        let len = parts.iter().map(|p| 4 + p.map_or(0, <[u8]>::len)).sum();
        let mut out = Zeroizing::new(Vec::with_capacity(len));
        for part in parts.map(Option::unwrap_or_default) {
            out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    /// From the stored form.
    pub(super) fn from_bytes(mut bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut next = || -> Result<Option<&[u8]>, Unreadable> {
            let (len, rest) = bytes.split_first_chunk::<4>().ok_or(Unreadable)?;
            let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| Unreadable)?;
            let (part, rest) = rest.split_at_checked(len).ok_or(Unreadable)?;
            bytes = rest;
            Ok(Some(part).filter(|p| !p.is_empty()))
        };
        let secrets = Self {
            initiator: next()?.map(Initiator::from_bytes).transpose().map_err(|_| Unreadable)?,
            responder: next()?.map(Responder::from_bytes).transpose().map_err(|_| Unreadable)?,
            before: next()?.map(Pair::from_bytes).transpose().map_err(|_| Unreadable)?,
            after: next()?.map(Pair::from_bytes).transpose().map_err(|_| Unreadable)?,
            bs: next()?.map(exactly::<64>).transpose()?,
            keys: next()?.map(EpochKeys::from_bytes).transpose().map_err(|_| Unreadable)?,
            archived: next()?.map(exactly::<32>).transpose()?,
        };
        if bytes.is_empty() { Ok(secrets) } else { Err(Unreadable) }
    }
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<Zeroizing<[u8; N]>, Unreadable> {
    <[u8; N]>::try_from(bytes).map(Zeroizing::new).map_err(|_| Unreadable)
}
