//! `medring completions`.

use crate::args::Cli;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{Report, Style};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde::Serialize;

/// `medring completions SHELL`.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell, for example `medring completions bash > /etc/bash_completion.d/medring`
    shell: Shell,
}

#[derive(Serialize)]
struct Script {
    shell: String,
    script: String,
}

impl Report for Script {
    fn text(&self, _: Style) -> String {
        self.script.clone()
    }
}

pub(super) fn run(args: &CompletionsArgs, context: &Context) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "medring", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    context.output.report(&Script { shell: args.shell.to_string(), script });
    Ok(Exit::Ok)
}
