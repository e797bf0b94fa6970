//! Progress on standard error while something takes long; nothing where nobody looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// A bar of `length` steps, or a spinner where the length is not known. Silent when standard error is no terminal.
pub(crate) fn bar(length: Option<u64>, what: &str) -> ProgressBar {
    let shown = std::io::stderr().is_terminal();
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let template = match length {
        Some(_) => "{msg} {bar:30} {pos}/{len} {per_sec}",
        None => "{spinner} {msg} {pos}",
    };
    let bar = ProgressBar::with_draw_target(length, target).with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    if shown {
        bar.enable_steady_tick(Duration::from_millis(120));
    }
    bar
}

/// A spinner whose message says where it stands. Silent when standard error is no terminal.
pub(crate) fn spinner(what: &str) -> ProgressBar {
    let spinner = bar(None, what);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        spinner.set_style(style);
    }
    spinner
}
