//! Progress on standard error: a line that moves on a terminal, plain lines elsewhere.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressStyle};
use medring_testnet::procs::Progress;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Tells each step as it begins, and on a terminal how long it has been going on.
pub(super) struct Steps {
    output: Output,
    start: Instant,
    bar: Option<ProgressBar>,
    /// The step under way, and when it began.
    now: Option<(String, Instant)>,
}

impl Steps {
    pub(super) fn new(output: Output) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { output, start: Instant::now(), bar, now: None }
    }

    pub(super) fn tell(&mut self, progress: Progress) {
        match (progress, &self.bar) {
            (Progress::Step(what), Some(bar)) => {
                finished(bar, self.now.take());
                bar.reset_elapsed();
                bar.set_message(what.clone());
                self.now = Some((what, Instant::now()));
            }
            (Progress::Step(what), None) => {
                self.output.note(&format!("{:6.1} s  {what}", self.start.elapsed().as_secs_f64()));
            }
            (Progress::Ready { name, address, api }, bar) => {
                let line = format!("          {name:<13} {:<22} {api}", host_and_port(&address));
                match bar {
                    Some(bar) => bar.println(line),
                    None => self.output.note(&line),
                }
            }
        }
    }

    /// The last step is done.
    pub(super) fn finish(mut self) {
        if let Some(bar) = self.bar.take() {
            finished(&bar, self.now.take());
            bar.finish_and_clear();
        }
    }
}

fn finished(bar: &ProgressBar, step: Option<(String, Instant)>) {
    if let Some((what, since)) = step {
        bar.println(format!("{:6.1} s  {what}", since.elapsed().as_secs_f64()));
    }
}

/// `127.0.1.1:4000` of `/ip4/127.0.1.1/tcp/4000/p2p/…`; the whole text where it is no such address.
pub(super) fn host_and_port(address: &str) -> String {
    match address.split('/').collect::<Vec<_>>()[..] {
        ["", "ip4", host, "tcp", port, ..] => format!("{host}:{port}"),
        _ => address.to_owned(),
    }
}
