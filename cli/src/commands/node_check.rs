//! `medring node check`: what would keep a node from starting or from finding others.

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style, printable};
use medring_node::config::Config;
use medring_node::driver::{self, Finding, Standing};
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
struct CheckReport {
    ok: bool,
    findings: Vec<Finding>,
}

impl Report for CheckReport {
    fn text(&self, style: Style) -> String {
        let mut out = String::new();
        for finding in &self.findings {
            let mark = match finding.standing {
                Standing::Good => style.good("ok    "),
                Standing::Note => style.strong("note  "),
                Standing::Bad => style.bad("FAILED"),
            };
            // Nodes elsewhere have a hand in what is said of them. Writing to a String cannot fail.
            let _ = writeln!(out, "{mark}  {:<9}  {}", finding.what, printable(&finding.detail));
            if !finding.next.is_empty() {
                let _ = writeln!(out, "                   {}", finding.next);
            }
        }
        out
    }
}

/// Looks at everything a node with this configuration needs.
pub(super) fn check(config: &Config, context: &Context) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Failure::new(Exit::Io, format!("the system gave no thread: {e}")))?;
    let findings = runtime.block_on(driver::check(config));
    let ok = findings.iter().all(|finding| finding.standing != Standing::Bad);
    context.output.report(&CheckReport { ok, findings });
    Ok(if ok { Exit::Ok } else { Exit::NotSo })
}
