//! The demo's second half: each patient's group agrees on a key, reads the aggregate, takes someone in and puts someone out.

use super::summary::{EpochLine, GroupLine, Reader};
use super::{CARER, CAST, DAUGHTER, DOCTOR, Demo, DemoError, NURSE, OUTSIDER, STEP_WITHIN, patient_name};
use crate::client::{Client, ClientError};
use crate::procs::{group_path, until};
use medring_protocol::vitals::Recording;
use serde_json::{Value, json};

/// Minutes of the recording that travel as one live PHR.
const LIVE_MINUTES: u32 = 1;

/// One patient's group.
pub(super) struct Household {
    /// Index of the patient, from 0.
    pub(super) patient: usize,
    /// Its node.
    pub(super) node: usize,
    /// The group.
    pub(super) group: String,
    /// Nodes of its members in ring order.
    pub(super) members: Vec<usize>,
}

/// A node of the cast or a later patient's, by what people call it.
pub(super) fn node_name(node: usize) -> String {
    CAST.get(node).map_or_else(|| patient_name(node + 1 - CAST.len()), |(name, _)| (*name).to_string())
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

impl Household {
    fn names(&self) -> Vec<String> {
        self.members.iter().map(|node| node_name(*node)).collect()
    }
}

impl Demo<'_> {
    /// Plays the groups of these patients side by side: every step for all of them, then the wait for all of them.
    pub(super) fn groups(
        &mut self,
        patients: &[(usize, usize)],
    ) -> Result<(Vec<Household>, Vec<GroupLine>), DemoError> {
        self.say("groups are made; doctor, daughter and carer are invited and accept");
        let mut households = Vec::new();
        for (patient, node) in patients {
            let group = self.testnet.group_create(*node, "family")?;
            households.push(Household { patient: *patient, node: *node, group, members: vec![*node] });
        }
        for household in &mut households {
            self.admit(household, &[DOCTOR, DAUGHTER, CARER])?;
        }
        self.say("the rings pair, agree on a key and commit it to the chain");
        let mut lines: Vec<GroupLine> = households.iter().map(|h| GroupLine::new(h.patient)).collect();
        self.epoch(&households, 0, "set up", &mut lines)?;

        self.say("each patient's records are aggregated for the group; members read and verify on their own nodes");
        for household in &households {
            let _made: Value =
                self.testnet.client(household.node)?.post(&group_path(&household.group, "/aggregate"), &json!({}))?;
        }
        self.read(&households, &mut lines)?;
        self.live(&households, &mut lines)?;

        self.say("the nurse joins");
        for household in &mut households {
            self.admit(household, &[NURSE])?;
        }
        self.epoch(&households, 1, "the nurse joined", &mut lines)?;
        self.read(&households, &mut lines)?;

        self.say("the carer is removed");
        for household in &mut households {
            self.testnet.group_change(household.node, &household.group, &[("remove", CARER)])?;
            household.members.retain(|node| *node != CARER);
        }
        self.epoch(&households, 2, "the carer was removed", &mut lines)?;
        self.read(&households, &mut lines)?;
        for (household, line) in households.iter().zip(&mut lines) {
            self.shut_out(household, line)?;
        }
        Ok((households, lines))
    }

    /// Invites, has each invited node accept, and asks for one epoch with all of them.
    fn admit(&mut self, household: &mut Household, nodes: &[usize]) -> Result<(), DemoError> {
        self.testnet.group_invite(household.node, &household.group, nodes, STEP_WITHIN)?;
        let joins: Vec<_> = nodes.iter().map(|node| ("join", *node)).collect();
        self.testnet.group_change(household.node, &household.group, &joins)?;
        household.members.extend(nodes);
        Ok(())
    }

    /// Waits until every member of every group is in this epoch, with one fingerprint, and it is final.
    fn epoch(
        &self,
        households: &[Household],
        epoch: u64,
        what: &str,
        lines: &mut [GroupLine],
    ) -> Result<(), DemoError> {
        for (household, line) in households.iter().zip(lines) {
            let seen = self.testnet.group_epoch(&household.group, epoch, &household.members, STEP_WITHIN)?;
            line.epochs.push(EpochLine {
                epoch,
                what: what.into(),
                gid: seen.gid,
                ring: household.names(),
                fingerprint: seen.fingerprint,
                height: seen.height,
                aggregate: String::new(),
                sources: 0,
                readers: Vec::new(),
            });
        }
        Ok(())
    }

    /// Every member but the owner fetches the newest aggregate, opens it and verifies each source, on its own node.
    fn read(&self, households: &[Household], lines: &mut [GroupLine]) -> Result<(), DemoError> {
        for (household, line) in households.iter().zip(lines) {
            let Some(epoch) = line.epochs.last_mut() else { continue };
            for node in household.members.iter().filter(|node| **node != household.node) {
                let report = self.report(household, *node, &epoch.gid)?;
                let sources = report["sources"].as_array().cloned().unwrap_or_default();
                let verified = sources.iter().filter(|s| s["verdict"] == "verified").count();
                (epoch.aggregate, epoch.sources) = (text(&report["record_id"]), sources.len());
                epoch.readers.push(Reader { name: node_name(*node), verified });
            }
        }
        Ok(())
    }

    /// A member's own report of the newest aggregate of an epoch; waits until there is one and it passes.
    fn report(&self, household: &Household, node: usize, gid: &str) -> Result<Value, DemoError> {
        let client = self.testnet.client(node)?;
        let what = format!("{} to verify the aggregate of {}", node_name(node), patient_name(household.patient));
        Ok(until(&what, STEP_WITHIN, || {
            let report: Value = client.get(&group_path(&household.group, "/report")).map_err(|e| e.to_string())?;
            let whole = report["passed"] == true && report["gid"].as_str() == Some(gid);
            if whole { Ok(report) } else { Err(short(&report)) }
        })?)
    }

    /// A few seconds of vital signs, sealed to the group as they come, opened by the daughter.
    fn live(&mut self, households: &[Household], lines: &mut [GroupLine]) -> Result<(), DemoError> {
        self.say("vital signs, sealed to the group as they come");
        let window = self.inputs.vitals.windows(LIVE_MINUTES).into_iter().next();
        let window = window.ok_or_else(|| DemoError::Seal("the recording is empty".into()))?;
        for (household, line) in households.iter().zip(lines) {
            let (bundle, id) = self.publish_vitals(household, &window)?;
            let daughter = self.testnet.client(DAUGHTER)?;
            let opened = opens(&daughter, household, &id, "the daughter to open the live PHR")?;
            if opened["content"] != bundle {
                return Err(DemoError::Broken(format!("the live PHR {id} opened to other content")));
            }
            line.live = id;
        }
        Ok(())
    }

    /// Has the owner's node seal a recording to its group; what was sealed, and the record's id.
    pub(super) fn publish_vitals(
        &self,
        household: &Household,
        window: &Recording,
    ) -> Result<(Value, String), DemoError> {
        let subject = format!("Patient/{}", self.testnet.node(household.node)?.participant);
        let bytes = window.to_fhir(&subject).to_bytes();
        let bundle: Value = serde_json::from_slice(&bytes).map_err(|e| DemoError::Seal(e.to_string()))?;
        let path = format!("/v1/fhir/Bundle?kind=phr&group={}", household.group);
        let made: Value = self.testnet.client(household.node)?.post_fhir(&path, &bytes)?;
        Ok((bundle, text(&made["record_ids"][0])))
    }

    /// Who is outside reads nothing of the new epoch, though it holds every byte of the chain.
    fn shut_out(&self, household: &Household, line: &mut GroupLine) -> Result<(), DemoError> {
        let Some(epoch) = line.epochs.last() else { return Ok(()) };
        for node in [CARER, OUTSIDER] {
            let (client, name) = (self.testnet.client(node)?, node_name(node));
            self.testnet.wait_record(node, &parse(&epoch.aggregate)?, 1, STEP_WITHIN)?;
            let inside: Result<Value, ClientError> =
                client.get(&group_path(&household.group, &format!("/records/{}", epoch.aggregate)));
            if inside.is_ok() {
                return Err(DemoError::Broken(format!("{name} opened the aggregate of epoch {}", epoch.epoch)));
            }
            line.shut_out.push(name);
        }
        let carer: Value = self.testnet.client(CARER)?.get(&group_path(&household.group, ""))?;
        if carer["active"]["gid"].as_str() == Some(&epoch.gid) {
            return Err(DemoError::Broken("the carer is in the epoch it was removed from".into()));
        }
        Ok(())
    }
}

/// Opens a record of a group at a member's node; waits until it is there.
pub(super) fn opens(client: &Client, household: &Household, id: &str, what: &str) -> Result<Value, DemoError> {
    let path = group_path(&household.group, &format!("/records/{id}"));
    Ok(until(what, STEP_WITHIN, || client.get(&path).map_err(|e| e.to_string()))?)
}

pub(super) fn parse(id: &str) -> Result<medring_protocol::RecordId, DemoError> {
    id.parse().map_err(|_| DemoError::Broken(format!("{id:?} is no record id")))
}

/// A report in a line, for what is awaited.
fn short(report: &Value) -> String {
    let sources = report["sources"].as_array().cloned().unwrap_or_default();
    let verdicts: Vec<_> = sources.iter().map(|s| text(&s["verdict"])).collect();
    format!(
        "epoch {}, passed {}, stale {}, sources {}",
        report["epoch"],
        report["passed"],
        report["stale"],
        verdicts.join(" ")
    )
}
