//! `medring phr stream`: a recording fed as a device would, at a speed.

use super::StreamArgs;
use super::feed::Feed;
use crate::context::{Context, now_ms};
use crate::failure::{Exit, Failure, Outcome};
use crate::input;
use crate::output::{Report, Style, span, utc};
use crate::progress;
use medring_node::api::types::{SampleIn, SamplesRequest, ValueIn};
use medring_protocol::kdf::{Suite, kdf};
use medring_protocol::vitals::{CSV_BYTES_MAX, MDC, Recording};
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// Samples of one request.
const BATCH: usize = 1000;
/// Shortest pause between two requests: what is due meanwhile goes together.
const BEAT: Duration = Duration::from_millis(50);

/// What was done.
#[derive(Serialize)]
struct StreamReport {
    stream: String,
    group: String,
    /// Samples of the recording.
    samples: u64,
    /// Those that this run brought to the node.
    accepted: u64,
    /// Those that were there already.
    already: u64,
    /// The number that a further sample would have.
    next_seq: u64,
    /// Time of the first sample.
    first_ms: u64,
    /// Below it everything lies deep enough on the chain; only with --wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_seq: Option<u64>,
    /// Times the node was away or full.
    waits: u64,
    /// Why samples wait on the node's disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_because: Option<String>,
    took_ms: u64,
    #[serde(skip)]
    next: String,
}

impl Report for StreamReport {
    fn text(&self, style: Style) -> String {
        let mut rows = vec![
            ("stream", self.stream.clone()),
            ("samples", format!("{} acknowledged, {} of them by this run", self.next_seq, self.accepted)),
            ("began", utc(self.first_ms)),
            ("took", span(self.took_ms)),
        ];
        if let Some(seq) = self.settled_seq {
            rows.push(("settled", format!("{seq} samples")));
        }
        if let Some(why) = &self.waiting_because {
            rows.push(("waiting", why.clone()));
        }
        style.fields(&rows) + &format!("\nNext, on a member's node: {}\n", self.next)
    }
}

/// A recording as samples in the order in which the stream counts them.
struct Plan {
    recording: Recording,
    /// (row, signal) of each sample that is no gap.
    samples: Vec<(usize, usize)>,
}

impl Plan {
    fn new(recording: Recording) -> Self {
        let signals = recording.signals();
        let rows = 0..recording.rows();
        let of_row = |row: usize| (0..signals.len()).map(move |signal| (row, signal));
        let samples = rows
            .flat_map(of_row)
            .filter(|(row, s)| signals[*s].samples.get(*row).is_some_and(Option::is_some))
            .collect();
        Self { recording, samples }
    }

    fn len(&self) -> u64 {
        u64::try_from(self.samples.len()).unwrap_or(u64::MAX)
    }

    /// ms from the recording's start to sample `seq`.
    fn offset_ms(&self, seq: u64) -> u64 {
        let place = usize::try_from(seq).ok().and_then(|seq| self.samples.get(seq));
        place.map_or(0, |(row, _)| self.recording.time_ms(*row) - self.recording.start_ms())
    }

    fn sample(&self, at: (usize, usize), start_ms: u64) -> Option<SampleIn> {
        let signal = self.recording.signals().get(at.1)?;
        let value = (*signal.samples.get(at.0)?)?;
        let channel = &signal.channel;
        let code = if channel.system == MDC { format!("mdc:{}", channel.code) } else { channel.code.clone() };
        Some(SampleIn {
            time_ms: start_ms + self.recording.time_ms(at.0) - self.recording.start_ms(),
            channel: code,
            name: channel.name.clone(),
            value: ValueIn::Text(value.to_string()),
            unit: channel.unit.clone(),
        })
    }
}

/// `medring phr stream`.
pub(super) fn run(args: &StreamArgs, context: &Context) -> Outcome {
    let began = Instant::now();
    let (plan, digest) = read(args)?;
    let target = args.group.find(context)?;
    target.require_owner("feed vital signs to it")?;
    let group = target.info.status.group;
    let stream = args.stream.clone().unwrap_or_else(|| format!("csv-{digest}"));
    let bar = progress::bar(Some(plan.len()), "feeding");
    let mut feed = Feed::new(context, Duration::from_secs(args.patience), &bar);
    let known = feed.find(&stream)?;
    let first_seq = known.as_ref().map_or(0, |info| info.next_seq);
    let known_start = known.and_then(|info| info.first_ms).map(|first| first.saturating_sub(plan.offset_ms(0)));
    let start_ms = start(args, &plan, known_start)?;
    if first_seq > plan.len() {
        let what = format!("stream {stream:?} has {first_seq} samples at the node and the recording {}", plan.len());
        return Err(Failure::new(Exit::Data, format!("{what}: it is another recording; name another --stream")));
    }
    let mut request = SamplesRequest {
        stream: stream.clone(),
        group,
        first_seq,
        samples: Vec::new(),
        window_minutes: args.window,
        end: false,
    };
    let mut report = StreamReport {
        stream: stream.clone(),
        group: group.to_string(),
        samples: plan.len(),
        accepted: 0,
        already: first_seq,
        next_seq: first_seq,
        first_ms: start_ms + plan.offset_ms(0),
        settled_seq: None,
        waits: 0,
        waiting_because: None,
        took_ms: 0,
        next: format!("`medring phr show --group {}`", target.info.name),
    };
    let speed = if args.as_live { 1 } else { args.speed };
    feed_all(&plan, &mut request, &mut feed, &mut report, (speed, start_ms))?;
    if args.wait {
        bar.set_message("settling");
        report.settled_seq = Some(feed.settled(&stream, report.next_seq)?.settled_seq);
    }
    report.waits = feed.waits;
    bar.finish_and_clear();
    report.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    context.output.report(&report);
    Ok(Exit::Ok)
}

/// Feeds what the node has not got, each sample when it is due.
fn feed_all(
    plan: &Plan,
    request: &mut SamplesRequest,
    feed: &mut Feed<'_>,
    report: &mut StreamReport,
    (speed, start_ms): (u32, u64),
) -> Outcome<()> {
    let (began, base_ms) = (Instant::now(), plan.offset_ms(request.first_seq));
    loop {
        let seq = request.first_seq;
        let elapsed = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_mul(u64::from(speed));
        let from = usize::try_from(seq).unwrap_or(usize::MAX);
        let rest = plan.samples.get(from..).unwrap_or_default();
        let due = (seq..).zip(rest).take_while(|(seq, _)| plan.offset_ms(*seq) - base_ms <= elapsed).take(BATCH);
        request.samples = due.filter_map(|(_, at)| plan.sample(*at, start_ms)).collect();
        request.end = request.samples.len() == rest.len();
        if request.samples.is_empty() && !request.end {
            let ahead = (plan.offset_ms(seq) - base_ms).saturating_sub(elapsed) / u64::from(speed);
            std::thread::sleep(Duration::from_millis(ahead).max(BEAT));
            continue;
        }
        let answer = feed.send(request)?;
        let sent_to = seq + u64::try_from(request.samples.len()).unwrap_or(u64::MAX);
        if answer.next_seq < sent_to {
            let what = format!("the node acknowledged {sent_to} samples and then knew of {}", answer.next_seq);
            return Err(Failure::new(Exit::Protocol, format!("{what}: its journal was taken away; see its log")));
        }
        report.accepted += answer.accepted;
        report.next_seq = answer.next_seq;
        report.waiting_because = answer.waiting_because;
        request.first_seq = sent_to;
        feed.progress(sent_to);
        if request.end {
            return Ok(());
        }
        std::thread::sleep(BEAT);
    }
}

/// The recording, and what names it.
fn read(args: &StreamArgs) -> Outcome<(Plan, String)> {
    let stdin = Path::new("/dev/stdin");
    let path = if args.csv.as_os_str() == "-" { stdin } else { args.csv.as_path() };
    let csv = input::read(path, CSV_BYTES_MAX + 1)?;
    let wrong = |e| Failure::from(e).about(path.display());
    let mut recording = Recording::from_csv(&csv, &args.columns, 0).map_err(wrong)?;
    if args.as_live {
        let period_ns = (recording.period_ns() / u64::from(args.speed)).max(1_000_000);
        recording = Recording::new(0, period_ns, recording.signals().to_vec()).map_err(wrong)?;
    }
    let channels: Vec<u8> = recording.signals().iter().flat_map(|s| s.channel.code.bytes().chain([b' '])).collect();
    let period = recording.period_ns().to_be_bytes();
    // A digest that costs no new dependency: it only has to differ where recordings do.
    let digest = kdf::<8>(Suite::T2Aes, None, &[&csv], "vitals stream name", &[&channels, &period]);
    Ok((Plan::new(recording), hex::encode(digest.as_slice())))
}

/// When the recording begins: as the node has it, as it was said, or so that it ends now.
fn start(args: &StreamArgs, plan: &Plan, known: Option<u64>) -> Outcome<u64> {
    match (known, args.start) {
        (Some(known), Some(said)) if known != said => {
            let what = format!("this stream began at {} at the node", utc(known));
            Err(Failure::new(Exit::Usage, format!("{what}; leave --start out, or name another --stream")))
        }
        (Some(known), _) => Ok(known),
        (None, Some(said)) => Ok(said),
        (None, None) if args.as_live => now_ms(),
        (None, None) => {
            let length = plan.recording.time_ms(plan.recording.rows()) - plan.recording.start_ms();
            let start = now_ms()?.saturating_sub(length);
            // Whole minutes, since nobody knows better.
            Ok(start - start % 60_000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medring_protocol::vitals::Layout;

    #[test]
    fn gaps_are_no_samples_and_rows_go_in_order() {
        let csv = b"minute,heart_rate_bpm,spo2_percent\n0,60,97\n1,,96\n3,61.50,\n";
        let plan = Plan::new(Recording::from_csv(csv, &Layout::default(), 0).unwrap());
        let told: Vec<(u64, String, String)> = plan
            .samples
            .iter()
            .filter_map(|at| plan.sample(*at, 1000))
            .map(|s| {
                let ValueIn::Text(value) = s.value else { panic!("a number") };
                (s.time_ms, s.channel, value)
            })
            .collect();
        let told: Vec<(u64, &str, &str)> = told.iter().map(|(at, c, v)| (*at, c.as_str(), v.as_str())).collect();
        let expected =
            [(1000, "8867-4", "60"), (1000, "59408-5", "97"), (61_000, "59408-5", "96"), (181_000, "8867-4", "61.50")];
        assert_eq!(told, expected);
        assert_eq!((plan.len(), plan.offset_ms(3), plan.offset_ms(4)), (4, 180_000, 0));
    }
}
