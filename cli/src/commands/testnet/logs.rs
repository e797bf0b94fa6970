//! `medring testnet logs`: what the nodes print, one or all of them, once or as it comes.

use super::{FolderArgs, signals};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;
use clap::Args;
use medring_testnet::procs::{NodeEntry, interrupted};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::time::Duration;

/// `medring testnet logs`.
#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    /// One node's number, from 0; all of them if absent
    #[arg(value_name = "I")]
    node: Option<usize>,
    /// Go on printing what comes, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// How many of each node's last lines to begin with
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    lines: usize,
    #[command(flatten)]
    folder: FolderArgs,
}

/// Most bytes of a log looked at for its last lines.
const TAIL_BYTES: u64 = 1 << 20;
/// Between two looks at a log that grows.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One node's log, read as it grows.
struct Tail {
    name: String,
    file: File,
    /// A line that has no end yet.
    rest: Vec<u8>,
}

impl Tail {
    fn open(node: &NodeEntry) -> std::io::Result<Option<Self>> {
        match File::open(node.log()) {
            Ok(mut file) => {
                let end = file.seek(SeekFrom::End(0))?;
                file.seek(SeekFrom::Start(end.saturating_sub(TAIL_BYTES)))?;
                Ok(Some(Self { name: node.name.clone(), file, rest: Vec::new() }))
            }
            // It has never been started.
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The whole lines that came since the last look.
    fn lines(&mut self) -> std::io::Result<Vec<String>> {
        self.file.read_to_end(&mut self.rest)?;
        let Some(end) = self.rest.iter().rposition(|b| *b == b'\n') else { return Ok(Vec::new()) };
        let after = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, after);
        Ok(String::from_utf8_lossy(&whole).lines().map(str::to_string).collect())
    }
}

fn print(output: Output, name: &str, alone: bool, line: &str) {
    let text = match (output.is_json(), alone) {
        (true, _) => serde_json::json!({ "node": name, "line": line }).to_string(),
        (false, true) => line.to_owned(),
        (false, false) => format!("{name:<13} {line}"),
    };
    output.raw(format!("{text}\n").as_bytes());
}

/// `medring testnet logs`.
pub(super) fn run(args: &LogsArgs, context: &Context) -> Outcome {
    let testnet = args.folder.open()?;
    let nodes = match args.node {
        Some(i) => vec![testnet.node(i)?],
        None => testnet.state().nodes.iter().collect(),
    };
    let alone = nodes.len() == 1;
    let failed = |e: std::io::Error| Failure::new(Exit::Io, format!("a log cannot be read: {e}"));
    let tails: Result<Vec<_>, _> = nodes.into_iter().map(Tail::open).collect();
    let mut tails: Vec<_> = tails.map_err(failed)?.into_iter().flatten().collect();
    for tail in &mut tails {
        let lines = tail.lines().map_err(failed)?;
        lines[lines.len().saturating_sub(args.lines)..]
            .iter()
            .for_each(|l| print(context.output, &tail.name, alone, l));
    }
    if args.follow {
        signals::catch();
    }
    while args.follow && !interrupted() {
        std::thread::park_timeout(LOOK_EVERY);
        for tail in &mut tails {
            tail.lines().map_err(failed)?.iter().for_each(|l| print(context.output, &tail.name, alone, l));
        }
    }
    Ok(Exit::Ok)
}
