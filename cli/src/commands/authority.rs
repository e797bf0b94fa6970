//! `medring authority`: enrolling and revoking participants, with the off-chain challenge before.

use super::key::{self, KeystoreArgs};
use super::submit::{self, Anchor};
use crate::context::{Context, os_random};
use crate::failure::{Exit, Outcome};
use crate::input;
use crate::output::{Report, Style};
use crate::passphrase::PassphraseArgs;
use clap::{Args, Subcommand};
use medring_node::wallet::challenge::{self, Challenge, Request};
use medring_node::wallet::{enrol_record, revoke_record};
use medring_protocol::identity::Role;
use medring_protocol::{ChainId, ParticipantId};
use serde::Serialize;
use std::path::PathBuf;

/// `medring authority …`.
#[derive(Subcommand, Debug)]
pub(crate) enum AuthorityCommand {
    /// Draw the keys of an authority, for `medring genesis new --authority`
    New(NewArgs),
    /// Challenge the owner of a card to show that it knows its secret
    Challenge(ChallengeArgs),
    /// Answer a challenge, and so consent to be enrolled (run by the one who was challenged)
    Answer(AnswerArgs),
    /// Enrol those who answered, in one record
    Enrol(EnrolArgs),
    /// Revoke a participant
    Revoke(RevokeArgs),
}

/// `medring authority new`.
#[derive(Args, Debug)]
pub(crate) struct NewArgs {
    #[command(flatten)]
    keystore: KeystoreArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// The chain.
#[derive(Args, Debug)]
pub(crate) struct GenesisArgs {
    /// The network's genesis file [default: genesis.json in the data folder, or what the node there says]
    #[arg(long, value_name = "FILE", env = "MEDRING_GENESIS")]
    pub(crate) genesis: Option<PathBuf>,
}

/// `medring authority challenge`.
#[derive(Args, Debug)]
pub(crate) struct ChallengeArgs {
    #[command(flatten)]
    keystore: KeystoreArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    genesis: GenesisArgs,
    /// The card of whoever asks to be enrolled
    #[arg(long, value_name = "FILE")]
    card: PathBuf,
    /// healthcare-center, doctor, patient or caregiver
    #[arg(long)]
    role: Role,
    /// Where to write the challenge
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `medring authority answer`.
#[derive(Args, Debug)]
pub(crate) struct AnswerArgs {
    #[command(flatten)]
    keystore: KeystoreArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    genesis: GenesisArgs,
    /// The challenge
    #[arg(long, value_name = "FILE")]
    challenge: PathBuf,
    /// Where to write the enrolment request
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `medring authority enrol`.
#[derive(Args, Debug)]
pub(crate) struct EnrolArgs {
    #[command(flatten)]
    keystore: KeystoreArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    anchor: Anchor,
    /// Enrolment requests; several travel in one record, and their order tells nothing
    #[arg(required = true, value_name = "REQUEST")]
    requests: Vec<PathBuf>,
    /// Heights the enrolment is valid for, from the next one on
    #[arg(long, value_name = "HEIGHTS", default_value_t = 525_600)]
    valid_for: u64,
}

/// `medring authority revoke`.
#[derive(Args, Debug)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    keystore: KeystoreArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    anchor: Anchor,
    /// Whom
    participant: ParticipantId,
    /// Height from which reports show its records as by a revoked signer [default: the next height]
    #[arg(long, value_name = "HEIGHT")]
    invalid_from: Option<u64>,
}

#[derive(Serialize)]
struct FileReport {
    file: PathBuf,
    chain_id: ChainId,
    authority: ParticipantId,
    subject: ParticipantId,
    role: Role,
    #[serde(skip)]
    next: String,
}

impl Report for FileReport {
    fn text(&self, style: Style) -> String {
        let rows = [
            ("file", self.file.display().to_string()),
            ("chain", self.chain_id.to_string()),
            ("authority", self.authority.to_string()),
            ("subject", self.subject.to_string()),
            ("role", self.role.to_string()),
        ];
        format!("{}\nNext: {}\n", style.fields(&rows), self.next)
    }
}

pub(super) fn run(command: AuthorityCommand, context: &Context) -> Outcome {
    match command {
        AuthorityCommand::New(args) => {
            let card = context.command(&format!("key show{} --card CARD", args.keystore.hint()));
            let next = format!("{card}, then `medring genesis new --name NAME --authority CARD`");
            key::create(&args.keystore.new_path(context), &args.passphrase, &next, context)
        }
        AuthorityCommand::Challenge(args) => challenge(&args, context),
        AuthorityCommand::Answer(args) => answer(&args, context),
        AuthorityCommand::Enrol(args) => enrol(&args, context),
        AuthorityCommand::Revoke(args) => revoke(&args, context),
    }
}

fn challenge(args: &ChallengeArgs, context: &Context) -> Outcome {
    let params = context.params(args.genesis.genesis.as_ref())?;
    let card = input::card(&args.card)?;
    let authority = args.keystore.open(context, &args.passphrase)?;
    submit::require_authority(&params, authority.participant())?;
    let chain_id = params.chain_id();
    let challenge = Challenge::new(&authority, &chain_id, &card, args.role, &mut os_random())?;
    input::write_new(&args.out, challenge.to_json().as_bytes())?;
    context.output.report(&FileReport {
        file: args.out.clone(),
        chain_id,
        authority: challenge.authority,
        subject: challenge.subject,
        role: challenge.role,
        next: "send it to the subject, with the genesis file; it runs \
               `medring authority answer --genesis FILE --challenge FILE --out REQUEST`"
            .into(),
    });
    Ok(Exit::Ok)
}

fn answer(args: &AnswerArgs, context: &Context) -> Outcome {
    let params = context.params(args.genesis.genesis.as_ref())?;
    let challenge = input::parse(&args.challenge, challenge::BYTES_MAX, Challenge::parse)?;
    submit::require_authority(&params, challenge.authority)?;
    let subject = args.keystore.open(context, &args.passphrase)?;
    let request = challenge.answer(&params.chain_id(), subject.identity())?;
    input::write_new(&args.out, request.to_json().as_bytes())?;
    context.output.report(&FileReport {
        file: args.out.clone(),
        chain_id: request.chain_id,
        authority: request.authority,
        subject: request.keys.id(),
        role: request.role,
        next: "send it back to the authority, which runs `medring authority enrol REQUEST`".into(),
    });
    Ok(Exit::Ok)
}

fn enrol(args: &EnrolArgs, context: &Context) -> Outcome {
    let (params, at) = args.anchor.resolve(context)?;
    let requests: Vec<Request> = (args.requests.iter())
        .map(|path| input::parse(path, challenge::BYTES_MAX, Request::parse))
        .collect::<Outcome<_>>()?;
    let authority = args.keystore.open(context, &args.passphrase)?;
    submit::require_authority(&params, authority.participant())?;
    let (chain, from) = (params.chain_id(), at.tip_height + 1);
    let until = from.saturating_add(args.valid_for.saturating_sub(1));
    let mut entries = Vec::new();
    for (request, path) in requests.iter().zip(&args.requests) {
        let entry = request.accept(&authority, &chain, from, until);
        entries.push(entry.map_err(|e| crate::failure::Failure::from(e).about(path.display()))?);
    }
    let record = enrol_record(&params, authority.identity(), entries, at)?;
    args.anchor.deliver(context, &params, vec![record])
}

fn revoke(args: &RevokeArgs, context: &Context) -> Outcome {
    let (params, at) = args.anchor.resolve(context)?;
    let authority = args.keystore.open(context, &args.passphrase)?;
    submit::require_authority(&params, authority.participant())?;
    let invalid_from = args.invalid_from.unwrap_or(at.tip_height + 1);
    let record = revoke_record(&params, authority.identity(), args.participant, invalid_from, at)?;
    args.anchor.deliver(context, &params, vec![record])
}
