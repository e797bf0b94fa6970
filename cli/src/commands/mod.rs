//! The commands. Each module is one group: its arguments, what it does, and how it reports.

mod aggregate;
mod authority;
mod chain;
mod completions;
mod genesis;
mod group;
mod key;
mod node;
mod node_check;
mod peers;
mod phr;
mod record;
mod scan;
mod submit;
mod testnet;
mod token;

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
    /// Seal, submit, read and verify records
    #[command(subcommand)]
    Record(record::RecordCommand),
    /// A group of people who read one patient's records: ring, members, epochs
    #[command(subcommand)]
    Group(group::GroupCommand),
    /// Live vital signs: feed them to the group, show them
    #[command(subcommand)]
    Phr(phr::PhrCommand),
    /// Seal to the group what your records say together; or say when to, or show it
    Aggregate(aggregate::AggregateArgs),
    /// Look at the chain, export it, and verify it offline
    #[command(subcommand)]
    Chain(chain::ChainCommand),
    /// Links to other nodes
    #[command(subcommand)]
    Peers(peers::PeersCommand),
    /// Tokens of the node's API: for pages, monitors and devices
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Several nodes on this machine to try things out, and the demonstration
    #[command(subcommand)]
    Testnet(testnet::TestnetCommand),
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
        Command::Record(command) => record::run(command, context),
        Command::Group(command) => group::run(command, context),
        Command::Phr(command) => phr::run(command, context),
        Command::Aggregate(args) => aggregate::run(&args, context),
        Command::Chain(command) => chain::run(command, context),
        Command::Peers(command) => peers::run(command, context),
        Command::Token(command) => token::run(command, context),
        Command::Testnet(command) => testnet::run(command, context),
        Command::Completions(args) => completions::run(&args, context),
    }
}
