//! How a testnet's participants come onto its chain: the authority's records.

use super::config::identity;
use super::testnet::{Progress, Testnet, TestnetError, now_ms};
use super::wait::until;
use medring_node::wallet::{Moment, enrol_record};
use medring_protocol::RecordId;
use medring_protocol::identity::EnrolmentEntry;
use medring_protocol::limits::ENROL_ENTRIES_MAX;
use medring_protocol::record::Record;
use serde_json::Value;
use std::time::Duration;

/// How long an enrolment may take to be mined everywhere.
const ENROLLED_WITHIN: Duration = Duration::from_secs(240);

impl Testnet {
    /// The authority's records that enrol every participant of the testnet that has a role, each with its own consent.
    pub fn enrolments(&self) -> Result<Vec<Record>, TestnetError> {
        let (state, params) = (self.state(), self.genesis()?.params);
        let authority = identity(state.seed, "authority");
        let consent =
            |name: &str, role| EnrolmentEntry::new(&state.chain_id, &identity(state.seed, name), role, 0, u64::MAX);
        let entries: Vec<_> = state.nodes.iter().filter_map(|n| Some(consent(&n.name, n.role?))).collect();
        let moment = Moment { now_ms: now_ms(), tip_height: 0 };
        let make = |some: &[EnrolmentEntry]| enrol_record(&params, &authority, some.to_vec(), moment);
        let records: Result<Vec<_>, _> = entries.chunks(ENROL_ENTRIES_MAX).map(make).collect();
        records.map_err(|e| TestnetError::Other(e.to_string()))
    }

    /// Enrols every participant that has a role. Returns when that stands on the best chain of every running node; where
    /// nobody mines, a block is mined for it, and where nobody is linked, every node gets the same records.
    pub fn enrol(&self, progress: &mut dyn FnMut(Progress)) -> Result<(), TestnetError> {
        progress(Progress::Step("the authority enrols the participants".into()));
        let running: Vec<_> = (0..self.state().nodes.len()).filter(|i| self.state().nodes[*i].is_alive()).collect();
        let to = if self.state().link { running.get(..1).unwrap_or_default() } else { &running[..] };
        let records = self.enrolments()?;
        for i in to {
            records
                .iter()
                .try_for_each(|record| self.client(*i)?.submit(record).map(drop).map_err(TestnetError::from))?;
            if !self.state().mine {
                self.mine(*i, 1)?;
            }
        }
        for record in &records {
            running
                .iter()
                .try_for_each(|i| self.wait_record(*i, &record.id(&self.state().chain_id), 1, ENROLLED_WITHIN))?;
        }
        Ok(())
    }

    /// Waits until a record stands at least `depth` deep on a node's best chain; in the newest block it is 1 deep.
    pub fn wait_record(&self, i: usize, id: &RecordId, depth: u64, limit: Duration) -> Result<(), TestnetError> {
        let client = self.client(i)?;
        let what = format!("record {} to be {depth} deep at {}", id.short(), self.node(i)?.name);
        until(&what, limit, || {
            let found = client.find::<Value>(&format!("/v1/records/{id}")).map_err(|e| e.to_string())?;
            let Some(found) = found else { return Err("it is unknown there".into()) };
            match found["confirmations"].as_u64().unwrap_or_default() {
                now if now >= depth => Ok(()),
                now => Err(format!("{}, {now} deep", found["state"].as_str().unwrap_or_default())),
            }
        })?;
        Ok(())
    }
}
