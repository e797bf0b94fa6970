//! What people see of a group, and what sealing and reading take.

use super::Machine;
use super::io::{
    AttemptStatus, CandidateStatus, EpochAccess, EpochStatus, Fingerprint, InvitationStatus, MyStanding, PastEpoch,
    Status,
};
use super::state::ids;
use crate::group::ring;
use crate::hash::Gid;

impl Machine {
    /// The group as it stands here.
    pub fn status(&self) -> Status {
        let owning = self.state.owning.as_ref();
        let (group, owner) = (self.state.group, self.state.owner);
        Status {
            group,
            owner,
            mine: self.is_owner(),
            standing: self.state.standing,
            active: self.epoch_status(),
            attempt: self.attempt_status(),
            pending: self.pending(),
            waiting_for: self.waiting_for.clone(),
            invitations: owning
                .iter()
                .flat_map(|o| o.invitations.iter().filter(|i| i.used_by.is_none()))
                .map(|i| InvitationStatus { name: i.name.clone(), expires_ms: i.expires_ms })
                .collect(),
            candidates: owning
                .iter()
                .flat_map(|o| &o.candidates)
                .map(|(id, c)| CandidateStatus { member: *id, name: c.name.clone(), code: c.code.clone() })
                .collect(),
            suspended: owning.iter().flat_map(|o| o.suspended.keys().copied()).collect(),
            names: owning.iter().flat_map(|o| &o.names).map(|(id, name)| (*id, name.clone())).collect(),
            history: self.history(),
            stopped: self.stopped(),
        }
    }

    fn stopped(&self) -> Option<String> {
        if let Some(stop) = &self.state.stopped {
            return Some(stop.why.clone());
        }
        let owning = self.state.owning.as_ref().filter(|o| o.stalled)?;
        Some(format!("{} attempts failed; see who is missing, then try again", owning.attempts_made))
    }

    fn epoch_status(&self) -> Option<EpochStatus> {
        let epoch = self.state.current.as_ref()?;
        let keys = self.secrets.get(&epoch.gid).and_then(|s| s.keys.as_ref());
        Some(EpochStatus {
            gid: epoch.gid,
            epoch: epoch.ed().epoch,
            ring: ids(epoch.ed()),
            fingerprint: keys.map_or(Fingerprint::ZERO, ring::fingerprint),
            commit: epoch.record,
            height: epoch.height,
            is_final: epoch.is_final,
            uploader: epoch.ed().uploader,
            sealing: self.sealing().is_some(),
        })
    }

    fn attempt_status(&self) -> Option<AttemptStatus> {
        let attempt = self.state.attempt.as_ref()?;
        Some(AttemptStatus {
            gid: attempt.gid,
            epoch: attempt.ed().epoch,
            attempt: attempt.ed().attempt,
            phase: attempt.phase,
            ring: ids(attempt.ed()),
            missing: self.missing().into_iter().filter_map(|at| self.id_at(at)).collect(),
        })
    }

    fn history(&self) -> Vec<PastEpoch> {
        let readable = |gid: &Gid| self.secrets.get(gid).is_some_and(|s| s.k_rec().is_some());
        let seen = self.state.past.iter().map(|p| PastEpoch { readable: readable(&p.epoch.gid), ..p.epoch.clone() });
        seen.collect()
    }

    /// The epoch in force, as far as this participant is in it. For the owner: the epoch it may seal under, which is none once
    /// somebody is to leave it, and none while a reorganisation has taken its EpochCommit away.
    pub fn sealing(&self) -> Option<EpochAccess> {
        let epoch = self.state.current.as_ref().filter(|e| e.height.is_some())?;
        if self.state.standing != MyStanding::Member || self.takes_somebody_out() || self.state.stopped.is_some() {
            return None;
        }
        self.reading(&epoch.gid)
    }

    /// A committed epoch whose k_rec is still held here.
    pub fn reading(&self, gid: &Gid) -> Option<EpochAccess> {
        let past = self.state.past.iter().rev().find(|p| p.epoch.gid == *gid)?;
        let k_rec = self.secrets.get(gid)?.k_rec()?.clone();
        Some(EpochAccess {
            gid: *gid,
            epoch: past.epoch.epoch,
            k_rec,
            uploader: past.uploader,
            patient_ids: past.patient_ids.clone(),
        })
    }
}
