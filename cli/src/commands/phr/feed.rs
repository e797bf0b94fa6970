//! The way of samples to the node: again and again until it acknowledges them, whether it is away, restarts or is full.

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use indicatif::ProgressBar;
use medring_node::api::types::{SamplesRequest, SamplesResponse, StreamInfo};
use medring_testnet::client::{Client, ClientError};
use std::time::{Duration, Instant};

/// Between two tries.
const TRY_EVERY: Duration = Duration::from_millis(300);

/// A node that may go and come back: found anew by its folder each time, since its address and token change.
pub(super) struct Feed<'a> {
    context: &'a Context,
    client: Option<Client>,
    patience: Duration,
    bar: &'a ProgressBar,
    /// Times the node was away or full.
    pub(super) waits: u64,
}

impl<'a> Feed<'a> {
    pub(super) fn new(context: &'a Context, patience: Duration, bar: &'a ProgressBar) -> Self {
        Self { context, client: None, patience, bar, waits: 0 }
    }

    /// Sends a batch until it is acknowledged.
    pub(super) fn send(&mut self, request: &SamplesRequest) -> Outcome<SamplesResponse> {
        self.patiently("the node to take samples", |client| {
            client.post::<SamplesResponse>("/v1/vitals/samples", request).map(Some)
        })
    }

    /// Shows how far it is.
    pub(super) fn progress(&self, seq: u64) {
        self.bar.set_position(seq);
    }

    /// The stream as the node has it.
    pub(super) fn find(&mut self, stream: &str) -> Outcome<Option<StreamInfo>> {
        let path = format!("/v1/vitals/streams/{stream}");
        self.patiently("the node to tell of the stream", |client| client.find(&path).map(Some))
    }

    /// Waits until all of the stream below `seq` lies deep enough on the node's chain.
    pub(super) fn settled(&mut self, stream: &str, seq: u64) -> Outcome<StreamInfo> {
        let path = format!("/v1/vitals/streams/{stream}");
        let bar = self.bar.clone();
        self.patiently("the samples to lie deep enough on the chain", |client| {
            let info: StreamInfo = client.get(&path)?;
            bar.set_position(info.settled_seq);
            Ok((info.settled_seq >= seq).then_some(info))
        })
    }

    /// Asks until there is an answer, within the patience; what is wrong with the question is told at once.
    fn patiently<T>(
        &mut self,
        what: &str,
        mut ask: impl FnMut(&Client) -> Result<Option<T>, ClientError>,
    ) -> Outcome<T> {
        let start = Instant::now();
        let message = self.bar.message();
        let mut waited = false;
        loop {
            let why = match self.call(&mut ask) {
                Ok(Some(answer)) => {
                    self.bar.set_message(message);
                    return Ok(answer);
                }
                Ok(None) => "not yet".to_owned(),
                Err(error) if passes(&error) => {
                    self.client = None;
                    self.waits += u64::from(!waited);
                    waited = true;
                    error.to_string()
                }
                Err(error) => return Err(error.into()),
            };
            if start.elapsed() >= self.patience {
                let seconds = self.patience.as_secs();
                let next = "run the same command again: it goes on where the node has it";
                return Err(Failure::new(Exit::Unreachable, format!("waited {seconds} s for {what}: {why}; {next}")));
            }
            self.bar.set_message(format!("waiting: {}", why.chars().take(60).collect::<String>()));
            std::thread::sleep(TRY_EVERY);
        }
    }

    fn call<T>(
        &mut self,
        ask: &mut impl FnMut(&Client) -> Result<Option<T>, ClientError>,
    ) -> Result<Option<T>, ClientError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => Client::from_data_dir(&self.context.data_dir)?,
        };
        let answer = ask(&client);
        self.client = Some(client);
        answer
    }
}

/// Whether waiting helps. A token that is refused is one of a node that has been started again since.
fn passes(error: &ClientError) -> bool {
    match error {
        ClientError::NoNode { .. } | ClientError::Unreachable { .. } => true,
        ClientError::Refused(problem) => matches!(problem.status, 401 | 500..),
        ClientError::Malformed { .. } => false,
    }
}
