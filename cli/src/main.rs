//! The medring command.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod context;
mod failure;
mod input;
mod output;
mod passphrase;
mod progress;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let context = context::Context::new(&cli.globals);
    match commands::run(cli.command, &context) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            context.output.failure(&failure);
            failure.exit.into()
        }
    }
}
