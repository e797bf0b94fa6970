//! Opened windows put together: every sample once, in order of time, gaps kept; what is missing is told.

use super::open::{Opened, What};
use medring_protocol::RecordId;
use medring_protocol::vitals::{Channel, Decimal, Track};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One sample of the timeline. Ordered by time, then channel, then where it came from.
#[derive(Clone, PartialEq, Eq)]
pub struct Point {
    /// ms since 1970.
    pub time_ms: u64,
    /// Place of its channel in [`Timeline::channels`].
    pub channel: usize,
    /// As it was measured.
    pub value: Decimal,
    /// Place of its record in [`Timeline::records`].
    pub record: usize,
}

/// How much of a stream is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// The stream.
    pub stream: String,
    /// Windows of it.
    pub windows: usize,
    /// The number after its last sample here.
    pub next: u64,
    /// Numbers below that which are in no window that opens here: `from` … `to`.
    pub missing: Vec<(u64, u64)>,
}

/// All that opened.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    /// What is measured, by code.
    pub channels: Vec<Channel>,
    /// The records it is from, and whether a block holds each; `None`: on this, the patient's own node only.
    pub records: Vec<(Option<RecordId>, bool)>,
    /// Every sample once.
    pub points: Vec<Point>,
    /// By stream.
    pub streams: Vec<Cover>,
    /// Records that do not count, and why.
    pub refused: Vec<(RecordId, Arc<str>)>,
}

// Health data stays out of logs.
impl std::fmt::Debug for Timeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Timeline({} samples of {} channels, {:?})", self.points.len(), self.channels.len(), self.streams)
    }
}

/// Where samples are from: a window of a stream, or a recording that stands alone.
struct Part<'a> {
    record: usize,
    tracks: &'a [Track],
}

impl Timeline {
    /// Puts together what opened, in any order: the outcome is the same.
    pub(super) fn assemble(opened: &[Opened]) -> Self {
        let mut timeline = Self::default();
        let mut windows: BTreeMap<(&str, u64, u64, bool, Option<RecordId>), &Opened> = BTreeMap::new();
        let mut recordings: BTreeMap<Option<RecordId>, &Opened> = BTreeMap::new();
        for one in opened {
            match &one.what {
                // A record goes before what waits to become one.
                What::Window(w) => {
                    let key = (w.stream(), w.from(), u64::MAX - w.to(), one.record.is_none(), one.record);
                    windows.insert(key, one);
                }
                What::Recording(_) => drop(recordings.insert(one.record, one)),
                What::Refused(why) => timeline.refuse(one.record, why.clone()),
            }
        }
        let mut parts = Vec::new();
        for one in windows.values() {
            let What::Window(window) = &one.what else { continue };
            if let Err(why) = timeline.cover(window.stream(), window.from(), window.to()) {
                // A window sealed twice is no news; one that only overlaps is.
                if let Some(why) = why {
                    timeline.refuse(one.record, why.into());
                }
                continue;
            }
            timeline.records.push((one.record, one.mined));
            parts.push(Part { record: timeline.records.len() - 1, tracks: window.tracks() });
        }
        for one in recordings.values() {
            let What::Recording(tracks) = &one.what else { continue };
            timeline.records.push((one.record, one.mined));
            parts.push(Part { record: timeline.records.len() - 1, tracks: tracks.as_slice() });
        }
        timeline.refused.sort_by_key(|(id, _)| *id);
        let alone_from = timeline.records.len() - recordings.len();
        timeline.place(&parts, alone_from);
        timeline
    }

    fn refuse(&mut self, record: Option<RecordId>, why: Arc<str>) {
        self.refused.extend(record.map(|record| (record, why)));
    }

    /// Counts a window in. `Err(None)`: its samples are here already. Windows come by their beginning, the longest first.
    fn cover(&mut self, stream: &str, from: u64, to: u64) -> Result<(), Option<&'static str>> {
        if self.streams.last().is_none_or(|cover| cover.stream != stream) {
            self.streams.push(Cover { stream: stream.to_owned(), windows: 0, next: 0, missing: Vec::new() });
        }
        let Some(cover) = self.streams.last_mut() else { return Ok(()) };
        if to <= cover.next {
            return Err(None);
        }
        if from < cover.next {
            return Err(Some("it overlaps another window of its stream"));
        }
        if from > cover.next {
            cover.missing.push((cover.next, from));
        }
        cover.next = to;
        cover.windows += 1;
        Ok(())
    }

    /// Sorts every sample into its place. Recordings from `alone_from` on have no numbers: what is there already, at that time,
    /// of that channel and value, is the same sample.
    fn place(&mut self, parts: &[Part<'_>], alone_from: usize) {
        let mut channels: Vec<&Channel> = parts.iter().flat_map(|p| p.tracks).map(|t| &t.channel).collect();
        channels.sort_by_key(|c| (&c.code, &c.system, &c.unit, &c.name));
        channels.dedup();
        self.channels = channels.into_iter().cloned().collect();
        let mut here = BTreeSet::new();
        for part in parts {
            for track in part.tracks {
                let Some(channel) = self.channels.iter().position(|c| *c == track.channel) else { continue };
                let new = track.samples.iter().filter(|(time_ms, value)| {
                    part.record < alone_from || !here.contains(&(*time_ms, channel, *value))
                });
                let record = part.record;
                let point = |&(time_ms, value): &(u64, Decimal)| Point { time_ms, channel, value, record };
                self.points.extend(new.map(point));
            }
            let numbered = part.tracks.iter().flat_map(|track| {
                let channel = self.channels.iter().position(|c| *c == track.channel);
                track.samples.iter().filter_map(move |(time_ms, value)| Some((*time_ms, channel?, *value)))
            });
            if alone_from < self.records.len() {
                here.extend(numbered);
            }
        }
        // Stable: what was measured at one time keeps the order in which it came.
        self.points.sort_by_key(|p| (p.time_ms, p.channel));
    }

    /// Samples of the `wanted` ones of [`Self::channels`] in [from, to), without the first `skip`.
    pub fn range<'a>(&'a self, wanted: &'a [bool], from: u64, to: u64, skip: usize) -> impl Iterator<Item = &'a Point> {
        let start = self.points.partition_point(|p| p.time_ms < from);
        let end = self.points.partition_point(|p| p.time_ms < to);
        let within = self.points.get(start..end.max(start)).unwrap_or_default().iter();
        within.filter(move |p| wanted.get(p.channel) == Some(&true)).skip(skip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medring_protocol::vitals::Window;
    use proptest::prelude::*;

    fn heart() -> Channel {
        Channel::loinc("heart", "8867-4", "/min")
    }

    fn decimal(n: u64) -> Decimal {
        Decimal::new(i64::try_from(n).unwrap(), 1).unwrap()
    }

    fn window(id: u8, stream: &str, from: u64, to: u64) -> Opened {
        let heart = heart();
        let samples = (from..to).map(|seq| (&heart, seq * 60_000, decimal(seq)));
        let window = Window::new(stream, from, samples).unwrap();
        Opened { record: Some(RecordId([id; 32])), mined: true, what: What::Window(Arc::new(window)) }
    }

    fn values(timeline: &Timeline) -> Vec<String> {
        timeline.points.iter().map(|p| p.value.to_string()).collect()
    }

    proptest! {
        /// Windows in any order, some of them twice under other records, give every sample once and in order.
        #[test]
        fn any_order_and_any_doubles_give_every_sample_once(
            cuts in prop::collection::vec(1..6_u64, 1..12),
            twice in prop::collection::vec(any::<bool>(), 12),
            order in any::<u64>(),
        ) {
            use rand::{SeedableRng, seq::SliceRandom};
            let (mut opened, mut from) = (Vec::new(), 0);
            for (i, length) in (0_u8..).zip(&cuts) {
                opened.push(window(i, "a", from, from + length));
                if twice[usize::from(i)] {
                    opened.push(window(100 + i, "a", from, from + length));
                }
                from += length;
            }
            let straight = Timeline::assemble(&opened);
            opened.shuffle(&mut rand_chacha::ChaCha20Rng::seed_from_u64(order));
            prop_assert_eq!(&Timeline::assemble(&opened), &straight);
            let expected: Vec<String> = (0..from).map(|seq| decimal(seq).to_string()).collect();
            prop_assert_eq!(values(&straight), expected);
            prop_assert!(straight.streams[0].missing.is_empty() && straight.refused.is_empty());
            prop_assert_eq!(straight.streams[0].next, from);
        }
    }

    #[test]
    fn a_window_that_is_missing_is_told_and_nothing_stands_in_its_place() {
        let timeline = Timeline::assemble(&[window(1, "a", 0, 3), window(3, "a", 5, 6), window(4, "b", 2, 3)]);
        assert_eq!(timeline.streams[0].missing, [(3, 5)]);
        assert_eq!(timeline.streams[1].missing, [(0, 2)]);
        assert_eq!(values(&timeline), ["0.0", "0.1", "0.2", "0.2", "0.5"]);
    }

    #[test]
    fn a_window_that_overlaps_another_is_refused() {
        let timeline = Timeline::assemble(&[window(1, "a", 0, 4), window(2, "a", 2, 6), window(3, "a", 1, 3)]);
        assert_eq!(values(&timeline), ["0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(timeline.refused.len(), 1);
        assert_eq!(timeline.refused[0].0, RecordId([2; 32]));
    }

    #[test]
    fn recordings_without_numbers_do_not_double_what_is_there() {
        let tracks = vec![Track { channel: heart(), samples: vec![(60_000, decimal(1)), (90_000, decimal(9))] }];
        let alone = |id| Opened {
            record: Some(RecordId([id; 32])),
            mined: true,
            what: What::Recording(Arc::new(tracks.clone())),
        };
        let timeline = Timeline::assemble(&[alone(8), window(1, "a", 0, 3), alone(9)]);
        assert_eq!(values(&timeline), ["0.0", "0.1", "0.9", "0.2"]);
    }

    #[test]
    fn what_waits_on_the_patients_own_node_is_told_until_its_record_is_there() {
        let waiting = |from, to| Opened { record: None, mined: false, ..window(0, "a", from, to) };
        let timeline = Timeline::assemble(&[window(1, "a", 0, 3), waiting(3, 5)]);
        assert_eq!(values(&timeline), ["0.0", "0.1", "0.2", "0.3", "0.4"]);
        assert_eq!(timeline.records, [(Some(RecordId([1; 32])), true), (None, false)]);
        let timeline = Timeline::assemble(&[waiting(3, 5), window(1, "a", 0, 3), window(2, "a", 3, 5)]);
        assert_eq!(timeline.points.len(), 5);
        assert_eq!(timeline.records, [(Some(RecordId([1; 32])), true), (Some(RecordId([2; 32])), true)]);
    }

    #[test]
    fn a_range_is_cut_by_time_and_channel() {
        let timeline = Timeline::assemble(&[window(1, "a", 0, 6)]);
        let told =
            |from, to, skip| timeline.range(&[true], from, to, skip).map(|p| p.time_ms / 60_000).collect::<Vec<_>>();
        assert_eq!(told(60_000, 240_000, 0), [1, 2, 3]);
        assert_eq!(told(60_000, 240_000, 1), [2, 3]);
        assert!(told(240_000, 60_000, 0).is_empty());
        assert_eq!(timeline.range(&[false], 0, u64::MAX, 0).count(), 0);
    }
}
