//! `--tamper`: the patient's node plays false in four ways, and the daughter's node says which.

use super::group::{Household, parse, text};
use super::records::{self, Sealed};
use super::summary::TamperLine;
use super::{DAUGHTER, Demo, DemoError, PATIENT, STEP_WITHIN};
use crate::procs::{group_path, until};
use serde_json::{Value, json};

/// One source as a cheat hands it to its node.
fn source(sealed: &Sealed) -> Value {
    let (r, signature) = (hex::encode(sealed.r.expose()), sealed.record.signature);
    json!({ "record_id": sealed.id, "r": r, "signature": signature.to_string() })
}

impl Demo<'_> {
    /// An altered, a missing and a foreign source, and a stale aggregate; each must show as such.
    pub(super) fn tamper(&mut self, household: &Household, sealed: &[Sealed]) -> Result<Vec<TamperLine>, DemoError> {
        self.say("the patient's node plays false: four aggregates that must not pass");
        let own: Vec<_> = sealed.iter().filter(|s| s.patient == household.patient).collect();
        let honest: Vec<Value> = own.iter().map(|s| source(s)).collect();
        let with = |edit: &dyn Fn(&mut Value)| {
            let mut sources = honest.clone();
            sources.first_mut().map(edit);
            sources
        };
        let other_r = own.get(1).map(|s| hex::encode(s.r.expose())).unwrap_or_default();
        let nowhere = hex::encode([0xab; 32]);
        let stranger = records::foreign(self.testnet, &self.inputs)?;
        self.testnet.client(PATIENT)?.submit(&stranger.record)?;
        let depth = u64::from(self.testnet.genesis()?.params.confirmations);
        self.testnet.wait_record(DAUGHTER, &stranger.id, depth, STEP_WITHIN)?;
        let cheats = [
            ("a source whose secret was exchanged", "altered", with(&|s| s["r"] = other_r.clone().into())),
            ("a source that no block holds", "missing", with(&|s| s["record_id"] = nowhere.clone().into())),
            ("a source that is another patient's", "not-this-patient", with(&|s| *s = source(&stranger))),
        ];
        let mut lines = Vec::new();
        for (what, verdict, sources) in cheats {
            let wish = json!({ "group": household.group, "sources": sources });
            let made: Value = self.testnet.client(PATIENT)?.post("/v1/testnet/aggregate", &wish)?;
            let report = self.awaited(household, &text(&made["record_id"]), |report| {
                report["sources"].as_array().is_some_and(|s| s.iter().any(|s| s["verdict"].as_str() == Some(verdict)))
            })?;
            if report["passed"] == true {
                return Err(DemoError::Broken(format!("an aggregate with {what} passed")));
            }
            lines.push(TamperLine { what: what.into(), verdict: verdict.into() });
        }
        lines.push(self.stale(household)?);
        Ok(lines)
    }

    /// A newer PHR makes the aggregate before it stale.
    fn stale(&mut self, household: &Household) -> Result<TamperLine, DemoError> {
        let owner = self.testnet.client(household.node)?;
        let made: Value = owner.post(&group_path(&household.group, "/aggregate"), &json!({}))?;
        let id = text(&made["record_id"]);
        self.awaited(household, &id, |report| report["passed"] == true && report["stale"] == false)?;
        let window = self.inputs.vitals.windows(1).into_iter().next();
        let window = window.ok_or_else(|| DemoError::Seal("the recording is empty".into()))?;
        self.publish_vitals(household, &window)?;
        self.awaited(household, &id, |report| report["stale"] == true)?;
        Ok(TamperLine { what: "an aggregate that leaves out a newer PHR".into(), verdict: "stale".into() })
    }

    /// The daughter's report of one aggregate, once it is mined and says what is expected of it.
    fn awaited(&self, household: &Household, id: &str, expected: impl Fn(&Value) -> bool) -> Result<Value, DemoError> {
        self.testnet.wait_record(DAUGHTER, &parse(id)?, 1, STEP_WITHIN)?;
        let (client, path) =
            (self.testnet.client(DAUGHTER)?, group_path(&household.group, &format!("/report?record={id}")));
        Ok(until(&format!("the daughter's report of {id}"), STEP_WITHIN, || {
            let report: Value = client.get(&path).map_err(|e| e.to_string())?;
            if expected(&report) { Ok(report) } else { Err(report.to_string()) }
        })?)
    }
}
