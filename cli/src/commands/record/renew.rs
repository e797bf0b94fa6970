//! Records sealed a while ago: their envelope is renewed before they are submitted; what they say, and RecordId, stay.

use super::SourceArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{span, utc};
use medring_node::wallet::{Keystore, Moment, renew};
use medring_protocol::params::Params;
use medring_protocol::record::Record;
use std::path::{Path, PathBuf};

/// Why no node would take the record as it is; `None` if one would.
fn outdated(record: &Record, params: &Params, at: Moment) -> Option<String> {
    let (next, envelope) = (at.tip_height + 1, &record.envelope);
    let (expiry, most) = (envelope.expiry_height, next.saturating_add(params.expiry_window_heights));
    let off_ms = envelope.stamp_ms.abs_diff(at.now_ms);
    if expiry < next {
        Some(format!("it could be mined up to height {expiry}, and the next block is {next}"))
    } else if expiry > most {
        Some(format!("it expires at height {expiry}, and the next block takes at most {most}"))
    } else if off_ms > params.stamp_window_ms {
        let (stamp, window) = (utc(envelope.stamp_ms), span(params.stamp_window_ms));
        Some(format!("its stamp {stamp} is {} from this clock, and nodes take {window}", span(off_ms)))
    } else {
        None
    }
}

/// Renews those that need it; says so, and tells which. The keystore is opened only then.
pub(super) fn where_needed(
    records: Vec<Record>,
    files: &[PathBuf],
    args: &SourceArgs,
    context: &Context,
    params: &Params,
    at: Moment,
) -> Outcome<Vec<(Record, bool)>> {
    let mut keystore = None;
    let mut out = Vec::new();
    for (record, file) in records.into_iter().zip(files) {
        let Some(why) = outdated(&record, params, at) else {
            out.push((record, false));
            continue;
        };
        let why = format!("{}: {why}", file.display());
        let unlocked = match keystore.take() {
            Some(keystore) => keystore,
            None => {
                args.keystore.open(context, &args.passphrase).map_err(|e| e.about(format!("{why}; to renew it")))?
            }
        };
        out.push((renewed(record, &why, &unlocked, args.keystore.path(context).as_path(), params, at)?, true));
        context.output.note(&format!("{why}. Its envelope is renewed; its record id stays."));
        keystore = Some(unlocked);
    }
    Ok(out)
}

fn renewed(
    record: Record,
    why: &str,
    keystore: &Keystore,
    path: &Path,
    params: &Params,
    at: Moment,
) -> Outcome<Record> {
    let (uploader, own) = (record.content.uploader, keystore.participant());
    if uploader == own {
        return Ok(renew(params, record, keystore.identity(), at));
    }
    let whose = format!("only its uploader {uploader} can renew it, and {} is of {own}", path.display());
    Err(Failure::new(Exit::Data, format!("{why}; {whose}. Name the uploader's keystore with --keystore FILE")))
}
