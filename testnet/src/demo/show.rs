//! The demo's summary for people: at most 100 columns wide.

use super::summary::{RecordLine, Summary};
use std::fmt::{self, Display, Formatter};

/// So many records stand side by side; more are told by patient, a line each.
const SIDE_BY_SIDE_MAX: usize = 5;
/// Columns of the widest line.
const WIDTH: usize = 78;

fn size(bytes: usize) -> String {
    let tenths = (bytes * 10 + 512) / 1024;
    if bytes < 1024 { format!("{bytes} B") } else { format!("{}.{} KiB", tenths / 10, tenths % 10) }
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("{count} {what}") } else { format!("{count} {what}s") }
}

impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let line = "─".repeat(WIDTH);
        let (records, patients) = (plural(self.records.len(), "record"), plural(self.patients, "patient"));
        writeln!(f, "{line}\n{records} found, opened and verified by {patients}; an outsider opened none")?;
        let (epochs, reads) = self.group_figures();
        writeln!(f, "{epochs} agreed in rings; aggregates read and verified {reads} times by members")?;
        writeln!(f, "{line}\n  bundles      {}\n  vital signs  {}\n", self.bundles, self.vitals)?;
        if self.records.len() <= SIDE_BY_SIDE_MAX {
            self.side_by_side(f)?
        } else {
            self.by_patient(f)?
        }
        self.groups(f)?;
        self.tampered(f)?;
        self.outside(f)?;
        self.mined(f)?;
        self.time(f)?;
        self.next(f)
    }
}

impl Summary {
    /// A column per record, a row per check.
    fn side_by_side(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let row = |f: &mut Formatter<'_>, name: &str, cell: &dyn Fn(&RecordLine) -> String| {
            let cells: String = self.records.iter().map(|r| format!("{:>14}", cell(r))).collect();
            writeln!(f, "  {name:<26}{cells}")
        };
        writeln!(f, "What the patient's own node made of the chain")?;
        row(f, "", &|r| r.kind.name().to_uppercase())?;
        row(f, "record", &|r| r.record_id.chars().take(10).collect())?;
        row(f, "sealed and signed by", &|r| r.by.clone())?;
        row(f, "FHIR bundle inside", &|r| size(r.plain_bytes))?;
        row(f, "bytes on the chain", &|r| size(r.record_bytes))?;
        row(f, "in block", &|r| r.height.to_string())?;
        row(f, "blocks deep", &|r| r.confirmations.to_string())?;
        for check in self.records.first().into_iter().flat_map(|r| &r.checks) {
            let held = |r: &RecordLine| if r.checks.contains(check) { "✓" } else { "–" }.to_string();
            row(f, &check.replace('_', " "), &held)?;
        }
        row(f, "Merkle path, recomputed", &|_| "✓".into())?;
        row(f, "content as it was sealed", &|_| "✓".into())
    }

    /// A row per patient.
    fn by_patient(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "What each patient's own node made of the chain")?;
        let head = ["patient", "records", "FHIR inside", "on the chain", "blocks", "checks that held"];
        writeln!(f, "  {:<8}{:>8}{:>14}{:>14}{:>10}   {}", head[0], head[1], head[2], head[3], head[4], head[5])?;
        for patient in 1..=self.patients {
            let own: Vec<_> = self.records.iter().filter(|r| r.patient == patient).collect();
            let sum = |of: fn(&RecordLine) -> usize| size(own.iter().map(|r| of(r)).sum());
            let heights = own.iter().map(|r| r.height);
            let blocks = match (heights.clone().min(), heights.max()) {
                (Some(low), Some(high)) if low != high => format!("{low}–{high}"),
                (low, _) => low.unwrap_or_default().to_string(),
            };
            // With the Merkle path and the content, which the demo itself compares.
            let checks: usize = own.iter().map(|r| r.checks.len() + 2).sum();
            writeln!(
                f,
                "  {patient:<8}{:>8}{:>14}{:>14}{blocks:>10}   ✓ all {checks}",
                own.len(),
                sum(|r| r.plain_bytes),
                sum(|r| r.record_bytes)
            )?;
        }
        let checks = self.records.first().map(|r| r.checks.join(", ").replace('_', " ")).unwrap_or_default();
        writeln!(f, "  each record: {checks},\n  Merkle path recomputed, content as it was sealed")
    }

    /// Epochs in words, and readers in all of them.
    fn group_figures(&self) -> (String, usize) {
        let epochs = self.groups.iter().flat_map(|g| &g.epochs);
        (plural(epochs.clone().count(), "epoch"), epochs.map(|e| e.readers.len()).sum())
    }

    /// The first patient's group with its rings drawn; the others' in a line each.
    fn groups(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.groups.split_first() else { return Ok(()) };
        writeln!(f, "\nThe patient's group")?;
        for epoch in &first.epochs {
            writeln!(f, "  epoch {}: {}, committed in block {}", epoch.epoch, epoch.what, epoch.height)?;
            let place = |(i, name): (usize, &String)| {
                let owner = if i == 0 { " ★" } else { "" };
                crate::ring::Place { words: format!("{name}{owner}"), dot: "●".into() }
            };
            let places: Vec<_> = epoch.ring.iter().enumerate().map(place).collect();
            for line in crate::ring::draw(&places).lines() {
                writeln!(f, "      {line}")?;
            }
            let key: Vec<_> = epoch.fingerprint.as_bytes().chunks(4).take(8).map(String::from_utf8_lossy).collect();
            writeln!(f, "      key     {} at every member", key.join(" "))?;
            let readers: Vec<_> =
                epoch.readers.iter().map(|r| format!("{} {}", r.name, "✓".repeat(r.verified))).collect();
            let (id, sources) = (epoch.aggregate.get(..10).unwrap_or_default(), plural(epoch.sources, "source"));
            writeln!(f, "      APHR    {id} of {sources}, verified by {}", readers.join(", "))?;
        }
        writeln!(f, "  live PHR {} opened by the daughter as it came", first.live.get(..10).unwrap_or_default())?;
        writeln!(f, "  of the last epoch {} opened nothing", first.shut_out.join(" and "))?;
        for group in rest {
            let sizes: Vec<_> = group.epochs.iter().map(|e| e.ring.len().to_string()).collect();
            let (epochs, reads): (usize, usize) =
                (group.epochs.len(), group.epochs.iter().map(|e| e.readers.len()).sum());
            let (patient, out) = (group.patient, group.shut_out.join(" and "));
            let sizes = sizes.join(", ");
            writeln!(
                f,
                "  patient {patient}: {epochs} epochs of {sizes} members, {reads} times verified; {out} shut out"
            )?;
        }
        Ok(())
    }

    /// What a cheating patient did, and what a member saw.
    fn tampered(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.tampered.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nWhen the patient's node cheats, the daughter's report says")?;
        self.tampered.iter().try_for_each(|line| writeln!(f, "  {:<44}{}", line.what, line.verdict))
    }

    fn outside(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nWhat everyone else sees")?;
        if let Some(first) = self.records.first() {
            writeln!(f, "  public part of the {}: {}", first.kind.name().to_uppercase(), first.public)?;
        }
        let (tried, blocks) = (plural(self.outsider.tried, "record"), self.chain.height);
        writeln!(f, "  the outsider holds all {blocks} blocks, tried its key on {tried} and opened none")
    }

    fn mined(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let bytes = usize::try_from(self.chain.bytes).unwrap_or(usize::MAX);
        let (blocks, records) = (self.chain.height, self.chain.records);
        writeln!(f, "\nWho mined what: {blocks} blocks, {records} records, {}", size(bytes))?;
        writeln!(f, "  {:<13}{:>8}{:>9}", "node", "blocks", "records")?;
        let most = self.chain.mined.iter().map(|m| m.blocks).max().unwrap_or(1).max(1);
        for miner in &self.chain.mined {
            let bar = "█".repeat(usize::try_from(miner.blocks * 24 / most).unwrap_or(24));
            let line = format!("  {:<13}{:>8}{:>9}  {bar}", miner.node, miner.blocks, miner.records);
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn time(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nTime")?;
        for phase in &self.phases {
            writeln!(f, "  {:>6.1} s  {}", phase.seconds, phase.what)?;
        }
        writeln!(f, "  {:>6.1} s  in all", self.seconds)
    }

    fn next(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (dir, seed) = (self.folder.display(), self.seed);
        writeln!(f, "\nEverything lies in {dir}")?;
        writeln!(f, "  a folder per node: config.toml, node.log, data/ (the chain)")?;
        writeln!(f, "  all keys come from seed {seed}, which is no secret")?;
        writeln!(f, "\nTry next")?;
        if let (true, Some(first)) = (self.running, self.records.first()) {
            let id = &first.record_id;
            writeln!(
                f,
                "  medring record open {id} \\\n    --data-dir {dir}/patient/data       # and then with outsider/data"
            )?;
            writeln!(f, "  medring testnet status --dir {dir}")?;
            return writeln!(f, "  medring testnet down --remove --dir {dir}");
        }
        writeln!(
            f,
            "  medring testnet demo --bundle YOUR.json --vitals YOUR.csv    your own data, on this machine only"
        )?;
        writeln!(f, "  medring testnet demo --keep                                  leaves the seven nodes running")?;
        writeln!(f, "  medring testnet up --nodes 5 --block-time 2s                 a testnet to play with")
    }
}
