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

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match args::Cli::from_command_line() {
        Ok(cli) => cli,
        Err(failure) => {
            output::Output::new(true).failure(&failure);
            return failure.exit.into();
        }
    };
    let context = context::Context::new(&cli.globals);
    match commands::run(cli.command, &context) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            context.output.failure(&failure);
            failure.exit.into()
        }
    }
}
