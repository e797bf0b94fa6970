//! The last events, for everybody who listens: one bounded buffer, in which each listener has a place of its own. So a slow
//! listener costs nothing, and whoever comes back goes on where it was.

use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Events kept.
const EVENTS_MAX: usize = 1024;
/// Their texts, bytes.
const BYTES_MAX: usize = 1024 * 1024;
/// Listeners at one time.
const LISTENERS_MAX: usize = 16;
/// Events given to a listener at once.
const BATCH_MAX: usize = 64;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// The best chain.
    Blocks,
    /// The pool.
    Records,
    /// The participant's groups: for readers and operators.
    Groups,
}

impl Topic {
    /// Every topic.
    pub(crate) const ALL: [Self; 3] = [Self::Blocks, Self::Records, Self::Groups];

    /// As in `topics=`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Records => "records",
            Self::Groups => "groups",
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Happened {
    /// `None`: for every listener.
    pub(super) topic: Option<Topic>,
    /// As in `event:`.
    pub(super) name: &'static str,
    /// JSON, one line.
    pub(super) data: String,
}

#[derive(Debug, Default)]
struct Buffer {
    events: VecDeque<Arc<Happened>>,
    bytes: usize,
    /// Number of the next event; the last one in `events` has one less.
    next: u64,
}

impl Buffer {
    /// Number of the first one that is kept.
    fn first(&self) -> u64 {
        self.next - u64::try_from(self.events.len()).unwrap_or(0)
    }
}

/// What there is after a listener's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// These, each with its number; perhaps none yet.
    Events(Vec<(u64, Arc<Happened>)>),
    /// The next one is gone: the listener is too far behind.
    Gone,
}

/// The buffer, and the places of those who listen. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Tells one run of the node from another: numbers begin anew.
    run: u64,
    buffer: Mutex<Buffer>,
    latest: watch::Sender<u64>,
    places: Arc<Semaphore>,
}

impl Hub {
    /// An empty one, of a run that is told from others by this number.
    pub(crate) fn new(run: u64) -> Self {
        let (latest, _) = watch::channel(0);
        let places = Arc::new(Semaphore::new(LISTENERS_MAX));
        Self(Arc::new(Inner { run, buffer: Mutex::default(), latest, places }))
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.0.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all who listen to the topic.
    pub(crate) fn publish(&self, topic: impl Into<Option<Topic>>, name: &'static str, data: &impl Serialize) {
        // Only maps with other than text keys can fail, and there are none.
        let data = serde_json::to_string(data).unwrap_or_default();
        let mut buffer = self.buffer();
        buffer.bytes += data.len();
        buffer.events.push_back(Arc::new(Happened { topic: topic.into(), name, data }));
        buffer.next += 1;
        while buffer.events.len() > EVENTS_MAX || buffer.bytes > BYTES_MAX {
            let Some(gone) = buffer.events.pop_front() else { break };
            buffer.bytes -= gone.data.len();
        }
        let next = buffer.next;
        drop(buffer);
        self.0.latest.send_replace(next);
    }

    /// What came at and after this number.
    pub(super) fn after(&self, next: u64) -> After {
        let buffer = self.buffer();
        let Some(skip) = next.checked_sub(buffer.first()) else { return After::Gone };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        After::Events((next..).zip(buffer.events.iter().skip(skip).take(BATCH_MAX).cloned()).collect())
    }

    /// The number that the next event will have.
    pub(super) fn next(&self) -> u64 {
        self.buffer().next
    }

    /// As in `id:`.
    pub(super) fn id(&self, number: u64) -> String {
        format!("{:x}-{number}", self.0.run)
    }

    /// The number to go on with after this `Last-Event-ID`; `None` if it is of another run, or too long ago.
    pub(super) fn resume(&self, id: &str) -> Option<u64> {
        let (run, number) = id.split_once('-')?;
        let number: u64 = number.parse().ok()?;
        let buffer = self.buffer();
        let next = number.checked_add(1).filter(|next| (buffer.first()..=buffer.next).contains(next));
        next.filter(|_| u64::from_str_radix(run, 16) == Ok(self.0.run))
    }

    /// Changes with each event.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.0.latest.subscribe()
    }

    /// A place to listen from; `None`: all are taken.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.0.places.clone().try_acquire_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(after: After) -> Vec<u64> {
        match after {
            After::Events(events) => events.into_iter().map(|(number, _)| number).collect(),
            After::Gone => panic!("they are there still"),
        }
    }

    #[test]
    fn events_are_numbered_and_the_oldest_make_room() {
        let hub = Hub::new(7);
        assert_eq!(hub.after(0), After::Events(vec![]));
        for n in 0..EVENTS_MAX + 10 {
            hub.publish(Topic::Blocks, "tip", &n);
        }
        assert_eq!(hub.after(9), After::Gone);
        assert_eq!(numbers(hub.after(10)), (10..10 + 64).collect::<Vec<_>>(), "so many at once");
        let last = u64::try_from(EVENTS_MAX).unwrap() + 9;
        assert_eq!(numbers(hub.after(last)), [last]);
        assert_eq!(hub.after(last + 1), After::Events(vec![]));
        hub.publish(Topic::Blocks, "tip", &"x".repeat(BYTES_MAX - 100));
        assert_eq!(hub.after(last - 200), After::Gone, "large ones make more room");
        assert_eq!(numbers(hub.after(last + 1)), [last + 1]);
    }

    #[test]
    fn whoever_comes_back_goes_on_where_it_was_unless_that_is_gone_or_of_another_run() {
        let hub = Hub::new(0xabc);
        assert_eq!(hub.resume("abc-0"), None, "nothing has that number yet");
        for n in 0..3 {
            hub.publish(Topic::Records, "pooled", &n);
        }
        assert_eq!(hub.id(1), "abc-1");
        assert_eq!((hub.resume("abc-1"), hub.resume("abc-2")), (Some(2), Some(3)));
        for wrong in ["abc-3", "abd-1", "abc", "", "abc-x", "abc-18446744073709551615", "-1"] {
            assert_eq!(hub.resume(wrong), None, "{wrong}");
        }
        for n in 0..EVENTS_MAX {
            hub.publish(None, "missed", &n);
        }
        assert_eq!((hub.resume("abc-1"), hub.resume("abc-2")), (None, Some(3)));
    }

    #[test]
    fn so_many_may_listen_at_one_time() {
        let hub = Hub::new(1);
        let places: Vec<_> = (0..LISTENERS_MAX).map(|_| hub.place().unwrap()).collect();
        assert!(hub.place().is_none());
        drop(places);
        assert!(hub.place().is_some());
    }
}
