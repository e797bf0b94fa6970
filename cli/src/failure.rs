//! Failures: the exit code says whose turn it is, the message says what was wrong and what to do next (docs/cli.md).

use medring_node::wallet::challenge::ChallengeError;
use medring_node::wallet::{DraftError, FileError, KeystoreError, PassphraseError, ProduceError};
use medring_protocol::fhir::FhirError;
use medring_protocol::params::GenesisError;
use medring_protocol::vitals::VitalsError;
use medring_testnet::client::ClientError;
use std::io::ErrorKind;
use std::process::ExitCode;

/// How the command ends; the numbers from 64 on are those of sysexits.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// The thing asked for is not so: not found, or a verification failed.
    NotSo = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Input data is wrong.
    Data = 65,
    /// An input file is not there.
    NoInput = 66,
    /// No node answers.
    Unreachable = 69,
    /// A file or folder cannot be made, or is in use.
    CannotCreate = 73,
    /// The disk failed or is full.
    Io = 74,
    /// A node or file of another network or version.
    Protocol = 76,
    /// Wrong passphrase, or no permission.
    Denied = 77,
    /// The configuration is wrong.
    Config = 78,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    /// From a number; what is none of ours counts as a failure of the disk or system.
    pub(crate) fn from_code(code: u8) -> Self {
        let all = [
            Self::Ok,
            Self::NotSo,
            Self::Usage,
            Self::Data,
            Self::NoInput,
            Self::Unreachable,
            Self::CannotCreate,
            Self::Io,
            Self::Protocol,
            Self::Denied,
            Self::Config,
        ];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Io)
    }

    /// The name in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotSo => "not-so",
            Self::Usage => "usage",
            Self::Data => "bad-input",
            Self::NoInput => "no-input",
            Self::Unreachable => "unreachable",
            Self::CannotCreate => "cannot-create",
            Self::Io => "io",
            Self::Protocol => "protocol",
            Self::Denied => "denied",
            Self::Config => "config",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A command that could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// How the command ends.
    pub(crate) exit: Exit,
    /// For people: what, and what to do next. Never holds a secret.
    pub(crate) message: String,
}

impl Failure {
    /// A failure of this kind.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// The same, with the file or thing it is about in front.
    pub(crate) fn about(self, what: impl std::fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }
}

/// What every command returns.
pub(crate) type Outcome<T = Exit> = Result<T, Failure>;

fn of_file(error: &FileError) -> Exit {
    match (error.error.kind(), error.writing) {
        (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, _) => Exit::Io,
        (ErrorKind::NotFound, false) => Exit::NoInput,
        (ErrorKind::PermissionDenied, false) => Exit::Denied,
        (ErrorKind::FileTooLarge, false) => Exit::Data,
        (_, false) => Exit::Io,
        (_, true) => Exit::CannotCreate,
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::new(of_file(&error), error.to_string())
    }
}

fn of_passphrase(error: &PassphraseError) -> Exit {
    match error {
        PassphraseError::File(file) => of_file(file),
        PassphraseError::Exposed { .. } => Exit::Denied,
        PassphraseError::Empty | PassphraseError::TooLong | PassphraseError::TooShort { .. } => Exit::Data,
    }
}

impl From<PassphraseError> for Failure {
    fn from(error: PassphraseError) -> Self {
        Self::new(of_passphrase(&error), error.to_string())
    }
}

impl From<KeystoreError> for Failure {
    fn from(error: KeystoreError) -> Self {
        let exit = match &error {
            KeystoreError::Exists(_) => Exit::CannotCreate,
            KeystoreError::File(file) => of_file(file),
            KeystoreError::Passphrase(passphrase) => of_passphrase(passphrase),
            KeystoreError::WrongPassphrase(_) => Exit::Denied,
            KeystoreError::Damaged { .. } | KeystoreError::Cost { .. } | KeystoreError::Secret { .. } => Exit::Data,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::NoNode { .. } | ClientError::Unreachable { .. } => Exit::Unreachable,
            ClientError::Malformed { .. } => Exit::Protocol,
            ClientError::Refused(problem) => match problem.status {
                404 => Exit::NotSo,
                401 | 403 => Exit::Denied,
                400 | 409 | 413 | 415 | 422 => Exit::Data,
                507 => Exit::Io,
                _ => Exit::Unreachable,
            },
        };
        Self::new(exit, error.to_string())
    }
}

/// Errors that always mean bad input data.
macro_rules! bad_input {
    ($($error:ty),*) => { $(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(Exit::Data, error.to_string())
            }
        }
    )* };
}
bad_input!(ChallengeError, DraftError, ProduceError, FhirError, VitalsError, GenesisError);
