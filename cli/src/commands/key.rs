//! `medring key`: a participant's keys.

use crate::context::{Context, os_random};
use crate::failure::{Exit, Failure, Outcome};
use crate::input;
use crate::output::{Report, Style, quoted};
use crate::passphrase::{NewPassphraseArgs, PassphraseArgs};
use clap::{Args, Subcommand};
use medring_node::wallet::challenge::Card;
use medring_node::wallet::{self, KdfCost, Keystore, KeystoreInfo, Passphrase};
use medring_protocol::identity::{IdentitySecret, PublicKeys};
use medring_protocol::{ChainId, ParticipantId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// `medring key …`.
#[derive(Subcommand, Debug)]
pub(crate) enum KeyCommand {
    /// Draw new keys and store them under a passphrase
    New(NewArgs),
    /// Show the public keys; needs no passphrase
    Show(ShowArgs),
    /// Copy keys and wallet birthday into one encrypted file
    Backup(BackupArgs),
    /// Make a keystore anew from a backup
    Restore(RestoreArgs),
    /// Change the passphrase
    Passwd(PasswdArgs),
}

/// Which keystore.
#[derive(Args, Debug, Default)]
pub(crate) struct KeystoreArgs {
    /// The keystore [default: keystore in the data folder; to read, else the one the node there is configured with]
    #[arg(long, value_name = "FILE", env = "MEDRING_WALLET_KEYSTORE")]
    pub(crate) keystore: Option<PathBuf>,
}

impl KeystoreArgs {
    /// How to name it again, in a command to suggest: nothing where it is found by itself.
    pub(crate) fn hint(&self) -> String {
        let from_variable = std::env::var_os("MEDRING_WALLET_KEYSTORE");
        let given = self.keystore.as_ref().filter(|path| from_variable.as_deref() != Some(path.as_os_str()));
        given.map(|path| format!(" --keystore {}", quoted(&path.display().to_string()))).unwrap_or_default()
    }

    /// Where a new one goes.
    pub(crate) fn new_path(&self, context: &Context) -> PathBuf {
        context.path_or(self.keystore.as_ref(), "keystore")
    }

    /// The path of one that exists: as given, in the data folder, or as the node there is configured.
    pub(crate) fn path(&self, context: &Context) -> PathBuf {
        let path = self.new_path(context);
        if self.keystore.is_some() || path.symlink_metadata().is_ok() {
            return path;
        }
        context.configured_wallet().keystore.unwrap_or(path)
    }

    /// What it shows to everyone.
    fn inspect(&self, context: &Context) -> Outcome<KeystoreInfo> {
        let path = self.path(context);
        Keystore::inspect(&path).map_err(|e| {
            let failure = Failure::from(e);
            if self.keystore.is_some() || failure.exit != Exit::NoInput {
                return failure;
            }
            let new = context.command("key new");
            let what = format!("there is no keystore {}; make keys with {new}, or name", path.display());
            Failure::new(Exit::NoInput, format!("{what} a keystore with --keystore FILE"))
        })
    }

    /// Opens it.
    pub(crate) fn open(&self, context: &Context, passphrase: &PassphraseArgs) -> Outcome<Keystore> {
        let path = self.path(context);
        // What is damaged or absent is told before anyone is asked for a passphrase.
        self.inspect(context)?;
        let passphrase = self.passphrase(context, passphrase, &path.display().to_string())?;
        Ok(Keystore::open(&path, &passphrase)?)
    }

    /// Its passphrase: as given, from the file the node is configured with if that node's wallet is this very keystore, or
    /// asked for.
    fn passphrase(&self, context: &Context, given: &PassphraseArgs, what: &str) -> Outcome<Passphrase> {
        let node = context.configured_wallet();
        let path = self.path(context);
        let same = node.keystore.is_some_and(|keystore| match (keystore.canonicalize(), path.canonicalize()) {
            (Ok(configured), Ok(this)) => configured == this,
            _ => false,
        });
        given.existing_or(what, node.passphrase_file.filter(|_| same))
    }
}

/// `medring key new`.
#[derive(Args, Debug)]
pub(crate) struct NewArgs {
    #[command(flatten)]
    keystore: KeystoreArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// `medring key show`.
#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    keystore: KeystoreArgs,
    /// Also write a card: the public keys, to be passed around
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
}

/// `medring key backup`.
#[derive(Args, Debug)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    keystore: KeystoreArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The backup; its passphrase is the keystore's unless a new one is given
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    new_passphrase: NewPassphraseArgs,
    /// Height from which the wallet is to be scanned after a restore, with the chain it belongs to
    #[arg(long, value_name = "HEIGHT", requires = "chain")]
    birthday: Option<u64>,
    /// The chain of --birthday
    #[arg(long, value_name = "CHAIN_ID")]
    chain: Option<ChainId>,
}

/// `medring key restore`.
#[derive(Args, Debug)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    keystore: KeystoreArgs,
    /// The passphrase of the backup; the restored keystore gets the same
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The backup
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

/// `medring key passwd`.
#[derive(Args, Debug)]
pub(crate) struct PasswdArgs {
    #[command(flatten)]
    keystore: KeystoreArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    new_passphrase: NewPassphraseArgs,
}

#[derive(Serialize)]
struct KeyReport {
    participant: ParticipantId,
    keys: PublicKeys,
    keystore: PathBuf,
    kdf: KdfCost,
    card: Option<PathBuf>,
    birthdays: BTreeMap<ChainId, u64>,
    #[serde(skip)]
    done: String,
    next: Option<String>,
}

impl Report for KeyReport {
    fn text(&self, style: Style) -> String {
        let mut out = if self.done.is_empty() { String::new() } else { format!("{}\n\n", style.strong(&self.done)) };
        out += &style.fields(&[
            ("participant", self.participant.to_string()),
            ("signing key", self.keys.signing.to_string()),
            ("Chebyshev key", format!("{}… (256 bytes; --json shows all)", self.keys.chebyshev.short())),
            ("keystore", self.keystore.display().to_string()),
            ("Argon2id", format!("{} MiB, {} passes", self.kdf.memory_kib / 1024, self.kdf.passes)),
        ]);
        for (chain, height) in &self.birthdays {
            out += &format!("on chain {chain} the wallet begins at height {height}\n");
        }
        if let Some(card) = &self.card {
            out += &format!("card           {}\n", card.display());
        }
        self.next.iter().for_each(|next| out += &format!("\nNext: {next}\n"));
        out
    }
}

fn report(path: &Path, done: impl Into<String>, next: Option<String>) -> Outcome<KeyReport> {
    let info = Keystore::inspect(path)?;
    Ok(KeyReport {
        participant: info.participant,
        keys: info.keys,
        keystore: path.to_owned(),
        kdf: info.kdf,
        card: None,
        birthdays: BTreeMap::new(),
        done: done.into(),
        next,
    })
}

/// Makes a keystore at `path`; also behind `medring authority new`.
pub(super) fn create(path: &Path, passphrase: &PassphraseArgs, next: &str, context: &Context) -> Outcome {
    if path.symlink_metadata().is_ok() {
        let what = format!("{} exists already and is not overwritten; choose another path", path.display());
        return Err(Failure::new(Exit::CannotCreate, what));
    }
    let passphrase = passphrase.fresh(&path.display().to_string())?;
    let mut rng = os_random();
    Keystore::create(path, &passphrase, IdentitySecret::generate(&mut rng), KdfCost::STANDARD, &mut rng)?;
    context.output.report(&report(path, "New keys", Some(next.to_owned()))?);
    Ok(Exit::Ok)
}

pub(super) fn run(command: KeyCommand, context: &Context) -> Outcome {
    let report = match command {
        KeyCommand::New(args) => {
            let keystore = args.keystore.hint();
            let show = context.command(&format!("key show{keystore} --card my.card"));
            let backup = context.command(&format!("key backup{keystore} --out FILE"));
            let next = format!("{show}, and give the card to an authority; keep a copy with {backup}");
            return create(&args.keystore.new_path(context), &args.passphrase, &next, context);
        }
        KeyCommand::Show(args) => show(&args, context)?,
        KeyCommand::Backup(args) => backup(&args, context)?,
        KeyCommand::Restore(args) => restore(&args, context)?,
        KeyCommand::Passwd(args) => passwd(&args, context)?,
    };
    context.output.report(&report);
    Ok(Exit::Ok)
}

fn show(args: &ShowArgs, context: &Context) -> Outcome<KeyReport> {
    args.keystore.inspect(context)?;
    let mut report = report(&args.keystore.path(context), "", None)?;
    if let Some(card) = &args.card {
        input::write_new(card, Card::new(report.keys.clone()).to_json().as_bytes())?;
        report.card = Some(card.clone());
        report.next = Some("give the card to an authority, and compare the participant id by another way".into());
    }
    Ok(report)
}

fn backup(args: &BackupArgs, context: &Context) -> Outcome<KeyReport> {
    let keystore = args.keystore.open(context, &args.passphrase)?;
    let passphrase = if args.new_passphrase.is_given() {
        args.new_passphrase.fresh("the backup")?
    } else {
        args.keystore.passphrase(context, &args.passphrase, "the backup (the keystore's own is fine)")?
    };
    let birthdays: BTreeMap<_, _> = args.chain.zip(args.birthday).into_iter().collect();
    wallet::backup(&keystore, &birthdays, &args.out, &passphrase, KdfCost::STANDARD, &mut os_random())?;
    let next = "keep the backup where this machine's end does not reach it, and its passphrase elsewhere";
    let done = format!("Backup in {}", args.out.display());
    Ok(KeyReport { birthdays, ..report(keystore.path(), done, Some(next.into()))? })
}

fn restore(args: &RestoreArgs, context: &Context) -> Outcome<KeyReport> {
    let path = args.keystore.new_path(context);
    let passphrase = args.passphrase.existing(&args.from.display().to_string())?;
    let (_, birthdays) = wallet::restore(&args.from, &passphrase, &path, KdfCost::STANDARD, &mut os_random())?;
    let next = "set wallet.birthday_height in the node's config.toml, and start the node: it finds the records again";
    Ok(KeyReport { birthdays, ..report(&path, "Keys restored", Some(next.into()))? })
}

fn passwd(args: &PasswdArgs, context: &Context) -> Outcome<KeyReport> {
    let keystore = args.keystore.open(context, &args.passphrase)?;
    let new = args.new_passphrase.fresh(&keystore.path().display().to_string())?;
    keystore.change_passphrase(&new, KdfCost::STANDARD, &mut os_random())?;
    let next = "make a new backup: the old passphrase still opens every older copy of this file";
    report(keystore.path(), "Passphrase changed", Some(next.into()))
}
