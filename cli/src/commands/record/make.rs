//! Making records from bundles and recordings.

use super::{SealArgs, SourceArgs, SubmitArgs, renew, to_group, wait};
use crate::commands::submit::Anchor;
use crate::context::{Context, now_ms, os_random};
use crate::failure::{Exit, Failure, Outcome};
use crate::input;
use medring_node::api::types::ParticipantResponse;
use medring_node::wallet::{Draft, Keystore, Moment, seal_record};
use medring_protocol::fhir::{BUNDLE_BYTES_MAX, Bundle};
use medring_protocol::identity::PublicKeys;
use medring_protocol::params::Params;
use medring_protocol::record::{Kind, Record};
use medring_protocol::vitals::{CSV_BYTES_MAX, Recording};
use medring_protocol::{ParticipantId, limits};
use std::path::Path;

/// `medring record seal`.
pub(super) fn seal(args: &SealArgs, context: &Context) -> Outcome {
    if args.anchor.out.is_none() {
        return Err(Failure::new(
            Exit::Usage,
            "name the file to write with --out FILE, or use `medring record submit`",
        ));
    }
    to_group::refuse_seal(&args.source)?;
    let source = Source::read(&args.source)?;
    let (params, at) = args.anchor.resolve(context)?;
    let records = make(&source, &args.source, context, &params, at)?;
    args.anchor.deliver(context, &params, records)
}

/// `medring record submit`.
pub(super) fn submit(args: &SubmitArgs, context: &Context) -> Outcome {
    let group = args.source.to.as_deref().and_then(to_group::addressee).filter(|_| args.files.is_empty());
    if let Some(group) = group {
        return to_group::submit(args, group, context);
    }
    if args.live.live.is_some() {
        return Err(Failure::new(Exit::Usage, "--live feeds a group: give --to group as well"));
    }
    let anchor = Anchor { genesis: args.genesis.clone(), out: None, tip_height: None };
    let (params, records) = if args.files.is_empty() {
        let source = Source::read(&args.source)?;
        let (params, at) = anchor.resolve(context)?;
        let made = make(&source, &args.source, context, &params, at)?;
        (params, made.into_iter().map(|record| (record, false)).collect())
    } else {
        let records = args.files.iter().map(|path| sealed(path)).collect::<Outcome<Vec<_>>>()?;
        let (params, at) = anchor.resolve(context)?;
        let records = renew::where_needed(records, &args.files, &args.source, context, &params, at)?;
        (params, records)
    };
    let (records, renewed): (Vec<Record>, Vec<bool>) = records.into_iter().unzip();
    let mut delivered = anchor.place(context, &params, records)?;
    delivered.iter_mut().zip(renewed).for_each(|(record, renewed)| record.renewed = renewed);
    let verifications = wait::run(&args.wait, &delivered, context, &params)?;
    anchor.report(context, delivered, verifications)
}

fn sealed(path: &Path) -> Outcome<Record> {
    // One byte more than the limit, so that the decoder says what is wrong.
    input::parse(path, limits::RECORD_BYTES_MAX + 1, |bytes| {
        let what = |e| format!("this is no record that `medring record seal` wrote: {e}");
        Record::decode(bytes).map_err(|e| Failure::new(Exit::Data, what(e)))
    })
}

/// What was read, before anyone is asked for a passphrase.
pub(super) enum Source {
    Bundle(Kind, Bundle),
    Vitals(Recording),
}

impl Source {
    pub(super) fn read(args: &SourceArgs) -> Outcome<Self> {
        if let (Some(path), Some(kind)) = (&args.bundle, args.kind) {
            if !matches!(kind, Kind::Ehr | Kind::Emr | Kind::Phr) {
                return Err(Failure::new(Exit::Usage, format!("--as {kind}: a bundle becomes ehr, emr or phr")));
            }
            return Ok(Self::Bundle(kind, input::parse(path, BUNDLE_BYTES_MAX + 1, Bundle::parse)?));
        }
        let Some(path) = &args.vitals else {
            let what = "name what to seal: --bundle FILE --as ehr|emr|phr, or --vitals FILE";
            return Err(Failure::new(Exit::Usage, what));
        };
        let csv = input::read(path, CSV_BYTES_MAX + 1)?;
        let read =
            |start| Recording::from_csv(&csv, &args.columns, start).map_err(|e| Failure::from(e).about(path.display()));
        let Some(start) = args.start else {
            // It ends now: its length is known once it is read. Whole minutes, since nobody knows better.
            let recording = read(0)?;
            let start = now_ms()?.saturating_sub(recording.time_ms(recording.rows()));
            return Ok(Self::Vitals(read(start - start % 60_000)?));
        };
        Ok(Self::Vitals(read(start)?))
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Bundle(kind, _) => *kind,
            Self::Vitals(_) => Kind::Phr,
        }
    }
}

fn make(source: &Source, args: &SourceArgs, context: &Context, params: &Params, at: Moment) -> Outcome<Vec<Record>> {
    let given = args.to.as_deref().map(|to| recipient(to, context)).transpose()?;
    let keystore = args.keystore.open(context, &args.passphrase)?;
    let to = addressee(source.kind(), given, &keystore)?;
    let drafts = match source {
        Source::Bundle(kind, bundle) => Draft::from_bundle(*kind, bundle, &args.public, params, &to)?,
        Source::Vitals(recording) => Draft::from_vitals(recording, &args.public, params, &to)?,
    };
    if let Some(warning) = drafts.iter().find_map(|draft| draft.warning) {
        context.output.note(warning);
    }
    if drafts.len() > 1 {
        context.output.note(&format!("Too large for one record; it becomes {} in order.", drafts.len()));
    }
    let (uploader, mut rng) = (keystore.identity(), os_random());
    let seal = |draft| Ok(seal_record(params, uploader, &to, draft, at, &mut rng)?.record);
    drafts.iter().map(seal).collect()
}

/// A patient's PHR is for itself; EHR and EMR are for whom they say.
fn addressee(kind: Kind, given: Option<PublicKeys>, keystore: &Keystore) -> Outcome<PublicKeys> {
    let own = keystore.identity().public();
    match (kind, given) {
        (Kind::Phr, Some(keys)) if keys != own => {
            let what = "a PHR is sealed to its own maker; leave --to out, or give --to group";
            Err(Failure::new(Exit::Usage, what))
        }
        (_, Some(keys)) => Ok(keys),
        (Kind::Phr, None) => Ok(own),
        (kind, None) => {
            let what = format!("say whose {kind} it is: --to with the patient's card or participant id");
            Err(Failure::new(Exit::Usage, what))
        }
    }
}

/// Keys from a card, or those the node knows of a participant.
fn recipient(to: &str, context: &Context) -> Outcome<PublicKeys> {
    let path = Path::new(to);
    if path.exists() {
        return Ok(input::card(path)?.keys);
    }
    let Ok(id) = to.parse::<ParticipantId>() else {
        let what = format!("--to {to:?} is neither a card's file nor a participant id of 64 hex digits");
        return Err(Failure::new(Exit::NoInput, what));
    };
    let known: Option<ParticipantResponse> = context.client()?.find(&format!("/v1/participants/{id}"))?;
    match known {
        // The id commits to the keys: the node's word is not needed.
        Some(known) if known.keys.id() == id => Ok(known.keys),
        Some(_) => Err(Failure::new(Exit::Protocol, format!("the node gave other keys than those of {id}"))),
        None => {
            let what = format!("{id} is not enrolled as far as this node knows; give its card with --to FILE");
            Err(Failure::new(Exit::NotSo, what))
        }
    }
}
