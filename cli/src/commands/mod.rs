//! The commands. Each module is one group: its arguments, what it does, and how it reports.

mod authority;
mod completions;
mod genesis;
mod key;
mod node;
mod submit;

use crate::context::Context;
use crate::failure::Outcome;
use clap::Subcommand;

/// All commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Make, show, back up and restore the keys of a participant
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Enrol and revoke participants
    #[command(subcommand)]
    Authority(authority::AuthorityCommand),
    /// Make, show and check the file that founds a network
    #[command(subcommand)]
    Genesis(genesis::GenesisCommand),
    /// Run a node on this machine
    #[command(subcommand)]
    Node(node::NodeCommand),
    /// Print a script that completes commands in a shell
    Completions(completions::CompletionsArgs),
}

/// Runs one command.
pub(crate) fn run(command: Command, context: &Context) -> Outcome {
    match command {
        Command::Key(command) => key::run(command, context),
        Command::Authority(command) => authority::run(command, context),
        Command::Genesis(command) => genesis::run(command, context),
        Command::Node(command) => node::run(command, context),
        Command::Completions(args) => completions::run(&args, context),
    }
}
