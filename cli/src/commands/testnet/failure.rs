//! How a testnet's troubles end the command.

use crate::failure::{Exit, Failure};
use medring_testnet::demo::{DemoError, InputError};
use medring_testnet::procs::{TestnetError, WaitError};
use std::io::{Error, ErrorKind};

fn of_io(error: &Error) -> Exit {
    match error.kind() {
        ErrorKind::NotFound => Exit::NoInput,
        ErrorKind::PermissionDenied => Exit::Denied,
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory | ErrorKind::ReadOnlyFilesystem => Exit::CannotCreate,
        _ => Exit::Io,
    }
}

impl From<WaitError> for Failure {
    fn from(error: WaitError) -> Self {
        Self::new(Exit::NotSo, error.to_string())
    }
}

impl From<TestnetError> for Failure {
    fn from(error: TestnetError) -> Self {
        let exit = match error {
            TestnetError::Keystore(error) => return error.into(),
            TestnetError::Client(error) => return error.into(),
            TestnetError::Exists(_) | TestnetError::NotEmpty(_) => Exit::CannotCreate,
            TestnetError::Missing(_) => Exit::NoInput,
            TestnetError::NoNode { .. } => Exit::Usage,
            TestnetError::Ended { .. } => Exit::Unreachable,
            TestnetError::NodeState(..) | TestnetError::Wait(_) | TestnetError::Other(_) => Exit::NotSo,
            TestnetError::Io(_, ref error) => of_io(error),
        };
        Self::new(exit, error.to_string())
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        let exit = match error {
            DemoError::Testnet(error) => return error.into(),
            DemoError::Client(error) => return error.into(),
            DemoError::Input(InputError::Io(error)) => return error.into(),
            DemoError::Input(InputError::Empty(_)) => Exit::NoInput,
            DemoError::Input(InputError::File { .. }) | DemoError::Seal(_) => Exit::Data,
            DemoError::Wait(_) | DemoError::Broken(_) => Exit::NotSo,
        };
        Self::new(exit, error.to_string())
    }
}
