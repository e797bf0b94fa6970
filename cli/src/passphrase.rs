//! Asking for passphrases: a private file, a descriptor, or the terminal. Never an argument or a variable's value.

use crate::failure::{Exit, Failure, Outcome};
use clap::Args;
use medring_node::wallet::Passphrase;
use std::io::IsTerminal;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Where the passphrase of a keystore comes from; without either, the terminal asks.
#[derive(Args, Debug, Default)]
pub(crate) struct PassphraseArgs {
    /// File whose one line is the passphrase; only its owner may read it (chmod 600)
    #[arg(long, value_name = "FILE", env = "MEDRING_WALLET_PASSPHRASE_FILE", conflicts_with = "passphrase_fd")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Open file descriptor to read the passphrase from, for example 3 with `3< <(pass show medring)`
    #[arg(long, value_name = "FD")]
    pub(crate) passphrase_fd: Option<u32>,
}

/// Where a second passphrase comes from.
#[derive(Args, Debug, Default)]
pub(crate) struct NewPassphraseArgs {
    /// File whose one line is the new passphrase
    #[arg(long, value_name = "FILE", conflicts_with = "new_passphrase_fd")]
    pub(crate) new_passphrase_file: Option<PathBuf>,
    /// Open file descriptor to read the new passphrase from
    #[arg(long, value_name = "FD")]
    pub(crate) new_passphrase_fd: Option<u32>,
}

impl PassphraseArgs {
    /// The passphrase of something that exists.
    pub(crate) fn existing(&self, what: &str) -> Outcome<Passphrase> {
        self.existing_or(what, None)
    }

    /// The same, from this file if none is given.
    pub(crate) fn existing_or(&self, what: &str, file: Option<PathBuf>) -> Outcome<Passphrase> {
        let file = file.filter(|_| self.passphrase_fd.is_none());
        match given(self.passphrase_file.as_ref().or(file.as_ref()), self.passphrase_fd)? {
            Some(passphrase) => Ok(passphrase),
            None => ask(&format!("Passphrase of {what}: "), "--passphrase-file FILE or --passphrase-fd FD"),
        }
    }

    /// The passphrase of something new: asked twice, and not too short.
    pub(crate) fn fresh(&self, what: &str) -> Outcome<Passphrase> {
        let options = "--passphrase-file FILE or --passphrase-fd FD";
        fresh(self.passphrase_file.as_ref(), self.passphrase_fd, what, options)
    }
}

impl NewPassphraseArgs {
    /// Whether one is named on the command line.
    pub(crate) fn is_given(&self) -> bool {
        self.new_passphrase_file.is_some() || self.new_passphrase_fd.is_some()
    }

    /// The new passphrase: asked twice, and not too short.
    pub(crate) fn fresh(&self, what: &str) -> Outcome<Passphrase> {
        let options = "--new-passphrase-file FILE or --new-passphrase-fd FD";
        fresh(self.new_passphrase_file.as_ref(), self.new_passphrase_fd, what, options)
    }
}

fn given(file: Option<&PathBuf>, fd: Option<u32>) -> Outcome<Option<Passphrase>> {
    Ok(match (file, fd) {
        (Some(path), _) => Some(Passphrase::from_file(path)?),
        (None, Some(fd)) => Some(Passphrase::from_fd(fd)?),
        (None, None) => None,
    })
}

fn fresh(file: Option<&PathBuf>, fd: Option<u32>, what: &str, options: &str) -> Outcome<Passphrase> {
    let passphrase = match given(file, fd)? {
        Some(passphrase) => passphrase,
        None => {
            let first = ask_text(&format!("New passphrase of {what}: "), options)?;
            if *first != *ask_text("The same again: ", options)? {
                return Err(Failure::new(Exit::Data, "the two passphrases differ; nothing was changed, try again"));
            }
            Passphrase::new(first.as_bytes())?
        }
    };
    passphrase.check_strength()?;
    Ok(passphrase)
}

fn ask(prompt: &str, options: &str) -> Outcome<Passphrase> {
    Ok(Passphrase::new(ask_text(prompt, options)?.as_bytes())?)
}

fn ask_text(prompt: &str, options: &str) -> Outcome<Zeroizing<String>> {
    if !std::io::stdin().is_terminal() {
        let what = format!("a passphrase is needed and there is no terminal to ask at; give {options}");
        return Err(Failure::new(Exit::Usage, what));
    }
    let told = |e| Failure::new(Exit::Io, format!("cannot ask for the passphrase: {e}; give {options}"));
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(told)
}
