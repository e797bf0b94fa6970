//! The command line. Its help text is its specification; docs/cli.md adds exit codes and JSON schemas.

use crate::commands::Command;
use crate::failure::{Exit, Failure, Outcome};
use clap::{Args, Parser};
use std::path::PathBuf;

/// Sealed health records on a chain that real processes share
#[derive(Parser, Debug)]
#[command(
    name = "medring",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 done, 1 not so (not found, verification failed), 2 usage, 65 bad input, 66 no such input, \
                  69 no node answers, 73 cannot create or in use, 74 disk, 76 other network or version, 77 wrong \
                  passphrase or no permission, 78 configuration. See docs/cli.md."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Args, Debug)]
pub(crate) struct Globals {
    /// Print results, and failures, as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The node's data folder, where it keeps its chain and is found [default: ~/.medring]
    #[arg(long, global = true, value_name = "DIR", env = "MEDRING_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

impl Cli {
    /// What this process was called with. Help, the version and, for people, what is wrong with the line are printed here and
    /// end the process; `Err`: the line is wrong and asks for JSON.
    pub(crate) fn from_command_line() -> Outcome<Self> {
        Self::try_parse().or_else(|error| {
            if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
                let text = error.to_string();
                let message = text.trim().trim_start_matches("error: ").split("\n\nUsage:").next().unwrap_or_default();
                return Err(Failure::new(Exit::Usage, format!("{message}; see --help")));
            }
            error.exit()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
