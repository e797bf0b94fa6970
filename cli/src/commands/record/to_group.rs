//! `medring record submit --to group`: PHR that the patient's own node seals to the group, all at once or window by window.

use super::{SourceArgs, SubmitArgs, make::Source, wait};
use crate::commands::group::{GroupArgs, Target};
use crate::commands::submit::{Anchor, Delivered};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::progress;
use medring_node::api::types::{BundleResponse, RecordSummary, SealedTo};
use medring_protocol::RecordId;
use medring_protocol::deid::{PAPER_WARNING, Policy};
use medring_protocol::fhir::{self, Bundle};
use medring_protocol::record::Kind;
use medring_testnet::client::ClientError;
use std::time::{Duration, Instant};

/// How long one window waits for a group that cannot be sealed to while its members change.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two tries.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// A group as `--to` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Addressee {
    group: Option<String>,
    to: SealedTo,
}

/// `group`, `group:NAME`, `group-owner` or `group-owner:NAME`; anything else is no group. A card of such a name is `./group`.
pub(super) fn addressee(to: &str) -> Option<Addressee> {
    let (word, name) = to.split_once(':').map_or((to, None), |(word, name)| (word, Some(name.to_owned())));
    let to = match word {
        "group" => SealedTo::Group,
        "group-owner" => SealedTo::Owner,
        _ => return None,
    };
    Some(Addressee { group: name, to })
}

/// Refuses what no group takes, before anything is read.
pub(super) fn refuse_seal(source: &SourceArgs) -> Outcome<()> {
    if source.to.as_deref().and_then(addressee).is_none() {
        return Ok(());
    }
    let what = "the group's key never leaves the node, so a record for it cannot be sealed into a file";
    Err(Failure::new(Exit::Usage, format!("{what}; use `medring record submit --to group`")))
}

/// Seals and submits through the node, and waits if that is wished.
pub(super) fn submit(args: &SubmitArgs, to: Addressee, context: &Context) -> Outcome {
    let source = Source::read(&args.source)?;
    if source.kind() != Kind::Phr {
        let kind = source.kind();
        let what = format!(
            "--to group is for PHR; an {} goes to its patient, who aggregates it for the group",
            kind.name().to_uppercase()
        );
        return Err(Failure::new(Exit::Usage, what));
    }
    if args.live.live.is_some() && !matches!(source, Source::Vitals(_)) {
        return Err(Failure::new(Exit::Usage, "--live feeds a recording: name it with --vitals FILE"));
    }
    let target = GroupArgs { group: to.group.clone() }.find(context)?;
    target.require_owner("seal records to it")?;
    if args.source.public == Policy::Paper {
        context.output.note(PAPER_WARNING);
    }
    let bundles = bundles(&source, args, &target)?;
    let delivered = match args.live.live {
        None => feed(&bundles, to.to, args, &target, Duration::ZERO)?,
        Some(seconds) => feed(&bundles, to.to, args, &target, Duration::from_secs(seconds))?,
    };
    let anchor = Anchor { genesis: args.genesis.clone(), out: None, tip_height: None };
    let params = context.params(args.genesis.as_ref())?;
    let verifications = wait::run(&args.wait, &delivered, context, &params)?;
    anchor.report(context, delivered, verifications)
}

/// What goes to the node: the PHR part of a bundle, or the windows of a recording.
fn bundles(source: &Source, args: &SubmitArgs, target: &Target) -> Outcome<Vec<Bundle>> {
    match source {
        Source::Bundle(_, bundle) => {
            let part = fhir::split(bundle).phr.ok_or_else(|| {
                let what = "nothing in the bundle belongs into a PHR by Table 1; see docs/spec/mapping.md";
                Failure::new(Exit::Data, what)
            })?;
            Ok(vec![part])
        }
        Source::Vitals(recording) => {
            let subject = format!("Patient/{}", target.info.status.owner);
            let windows = match args.live.live {
                None => vec![recording.clone()],
                Some(_) => recording.windows(args.live.window),
            };
            Ok(windows.iter().map(|window| window.to_fhir(&subject)).collect())
        }
    }
}

/// Gives one bundle after the other to the node, with a pause between two.
fn feed(
    bundles: &[Bundle],
    to: SealedTo,
    args: &SubmitArgs,
    target: &Target,
    pause: Duration,
) -> Outcome<Vec<Delivered>> {
    let bar = progress::bar(u64::try_from(bundles.len()).ok().filter(|n| *n > 1), "sealing");
    let mut delivered: Vec<Delivered> = Vec::new();
    for (number, bundle) in bundles.iter().enumerate() {
        if number > 0 {
            std::thread::sleep(pause);
        }
        let told = |failure: Failure| match number {
            0 => failure,
            _ => failure.about(format!("{number} of {} windows are submitted, and then", bundles.len())),
        };
        let ids = seal(bundle, to, args, target, &bar).map_err(told)?;
        for id in ids {
            delivered.push(look(&id, target).map_err(told)?);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(delivered)
}

/// One bundle. A live feed waits while the group changes; anything else is told at once.
fn seal(
    bundle: &Bundle,
    to: SealedTo,
    args: &SubmitArgs,
    target: &Target,
    bar: &indicatif::ProgressBar,
) -> Outcome<Vec<RecordId>> {
    let to = match to {
        SealedTo::Group => "group",
        SealedTo::Owner => "owner",
    };
    // A policy is of letters, digits, `_`, `:` and `,`.
    let (group, public) = (target.info.status.group, &args.source.public);
    let path = format!("/v1/fhir/Bundle?kind=phr&group={group}&to={to}&public={public}");
    let bytes = bundle.to_bytes();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer: Result<BundleResponse, ClientError> = target.client.post_fhir(&path, &bytes);
        match answer {
            Ok(sealed) => return Ok(sealed.record_ids),
            Err(ClientError::Refused(problem))
                if problem.status == 409 && args.live.live.is_some() && Instant::now() < deadline =>
            {
                bar.set_message(problem.detail);
                std::thread::sleep(TRY_EVERY);
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// What the node says of a record it has just sealed.
fn look(id: &RecordId, target: &Target) -> Outcome<Delivered> {
    let found: RecordSummary = target.client.get(&format!("/v1/records/{id}"))?;
    Ok(Delivered {
        record_id: found.record_id,
        wire_id: found.wire_id,
        kind: found.kind,
        bytes: found.bytes,
        expiry_height: found.expiry_height,
        file: None,
        renewed: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_by_a_word_and_anything_else_is_a_card_or_an_id() {
        let group = |name: Option<&str>, to| Some(Addressee { group: name.map(Into::into), to });
        assert_eq!(addressee("group"), group(None, SealedTo::Group));
        assert_eq!(addressee("group:my family"), group(Some("my family"), SealedTo::Group));
        assert_eq!(addressee("group-owner:x"), group(Some("x"), SealedTo::Owner));
        for other in ["./group", "groups", "group.card", "Group", ""] {
            assert_eq!(addressee(other), None, "{other}");
        }
    }
}
