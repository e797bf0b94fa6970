//! Every bound and every interval of the core, with its unit last in the name.

/// Blocks that wait for an ancestor and came unasked, by gossip.
pub const ORPHANS_MAX: usize = 32;
/// Their bytes.
pub const ORPHAN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A branch whose work is that of so many blocks below our tip's is not stored, headers neither: one with more work is told
/// of by status, and asked for.
pub const WORK_SLACK_BLOCKS: u64 = 144;
/// Blocks that were asked for and wait for an ancestor.
pub const SYNC_HELD_BLOCKS_MAX: usize = SYNC_WINDOW_BLOCKS;
/// Bytes of blocks that were asked for and are not stored yet, what may still be on its way included.
pub const SYNC_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Blocks stamped beyond the future limit, kept until their time comes.
pub const FUTURE_BLOCKS_MAX: usize = 16;
/// Signature jobs under way: records and blocks together.
pub const JOBS_MAX: usize = 1024;
/// Headers off the branch with most work. Each costs about 400 bytes; an honest network has few. Above this, only a branch
/// with more work than all others is stored.
pub const SIDE_HEADERS_MAX: usize = 100_000;
/// How far ahead of the lowest missing body others are asked for.
pub const SYNC_WINDOW_BLOCKS: usize = 1024;
/// Bodies one peer is asked for at a time …
pub const SYNC_BLOCKS_PER_PEER_MAX: usize = 16;
/// … in requests of this many, so that one is under way while the answer to another is looked at.
pub const SYNC_BLOCKS_PER_REQUEST: usize = 8;
/// Peers asked for bodies at the same time; another one takes the slot of one that lets us wait.
pub const SYNC_PEERS_MAX: usize = 8;
/// Peers asked for headers at the same time: one at first, see [`HEADERS_PATIENCE_MS`].
pub const HEADER_PEERS_MAX: usize = 4;
/// Who gave us blocks that are not connected yet, to know whom to blame.
pub const SOURCES_MAX: usize = 2 * SYNC_WINDOW_BLOCKS;
/// Compact blocks that lack records, all told.
pub const RELAY_BLOCKS_MAX: usize = 8;
/// Peers remembered as givers of one of them.
pub const RELAY_GIVERS_MAX: usize = 4;
/// Records that left the pool lately, kept to put rival blocks together …
pub const RECENT_RECORDS_MAX: usize = 8192;
/// … and their bytes.
pub const RECENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Peers held at once; the network layer keeps far fewer.
pub const PEERS_MAX: usize = 256;
/// Templates whose nonce is still accepted.
pub const TEMPLATES_MAX: usize = 8;
/// Wire ids of records refused lately and not asked for again until the next block.
pub const REFUSED_RECORDS_MAX: usize = 8192;
/// Wire ids one peer still owes us, at most one inventory.
pub const WANTED_RECORDS_MAX: usize = medring_protocol::wire::Request::POOL_IDS_MAX;
/// Blocks connected in one batch where nothing is disconnected.
pub const CONNECT_BATCH_BLOCKS: usize = 64;
/// Blocks disconnected and connected in one batch of a reorganisation; a deeper one takes several.
pub const REORG_STEP_BLOCKS: usize = 100;
/// Left branches whose records wait for room in the pool.
pub const LEFTOVERS_MAX: usize = 64;
/// Bytes of records that return to the pool in one batch.
pub const RETURN_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Reports of reorganisations kept.
pub const REORG_REPORTS_MAX: u64 = 256;
/// Records submitted here whose fate is kept.
pub const WATCHED_RECORDS_MAX: usize = 10_000;
/// Blocks the operator may hold invalid at one time.
pub const MARKS_MAX: usize = 256;
/// Blocks in one list for the operator.
pub const TREE_BLOCKS_MAX: usize = 2_000;
/// Heights in one tree for the operator.
pub const TREE_HEIGHTS_MAX: u64 = 1_000;
/// Side blocks forgotten in one batch.
pub const FORGET_BATCH_BLOCKS: usize = 1_024;
/// Records offered again in one go.
pub const REOFFERED_RECORDS_MAX: usize = 64;
/// Requests of one peer answered within [`SERVE_WINDOW_MS`]; those above it get an empty answer.
pub const SERVED_PER_WINDOW_MAX: u32 = 256;

/// Over which [`SERVED_PER_WINDOW_MAX`] counts.
pub const SERVE_WINDOW_MS: u64 = 1_000;
/// A peer that has not said where it stands by then is dropped.
pub const STATUS_TIMEOUT_MS: u64 = 15_000;
/// How often every peer is told where we stand.
pub const STATUS_INTERVAL_MS: u64 = 10_000;
/// Least time between two such rounds when the tip moves fast.
pub const STATUS_INTERVAL_MIN_MS: u64 = 500;
/// A peer that has given headers for this long without coming to an end gets company: the next one is asked too.
pub const HEADERS_PATIENCE_MS: u64 = 10_000;
/// A peer that has not come to an end by then, and 1 ms for each header that is likely to be missing, is left.
pub const HEADERS_TIME_MS: u64 = 120_000;
/// How long bodies wait for a peer that says it has more work and has not shown its headers yet.
pub const HEADERS_FIRST_MS: u64 = 5_000;
/// A peer that holds all others up for this long loses its slot. Doubled each time that happens …
pub const STALL_MS: u64 = 2_000;
/// … up to this; what arrives brings it down again.
pub const STALL_MAX_MS: u64 = 64_000;
/// A peer that has had less work than we, and no new tip, for this long is dropped.
pub const LAG_MS: u64 = 20 * 60_000;
/// An answer that has not come by then will not come.
pub const REQUEST_TIMEOUT_MS: u64 = 20_000;
/// The missing records of a compact block come by then, or another giver is asked …
pub const RELAY_RECORDS_TIMEOUT_MS: u64 = 2_000;
/// … as is one that does not give the whole block by then.
pub const RELAY_BLOCK_TIMEOUT_MS: u64 = 4_000;
/// Nobody is asked any more after this: gossip forgets the message soon, and sync fetches the block.
pub const RELAY_TIMEOUT_MS: u64 = 4_000;
/// A record that came this lately may not be in other pools yet: a block that has it carries it along, if it is small.
pub const RELAY_YOUNG_MS: u64 = 1_000;
/// A peer's tip at most so many blocks above ours is on its way by gossip …
pub const GOSSIP_AHEAD_BLOCKS: u64 = 2;
/// … and asked for only after this, so that its records do not travel twice.
pub const GOSSIP_GRACE_MS: u64 = 1_000;
/// After a failure a peer is not asked for this long, doubled for each further one …
pub const BACKOFF_MS: u64 = 500;
/// … up to this.
pub const BACKOFF_MAX_MS: u64 = 60_000;
/// A failure to answer in time counts as so many failures at once.
pub const TIMEOUT_FAILURES: u32 = 5;
/// How often each peer is asked what waits in its pool.
pub const POOL_INTERVAL_MS: u64 = 15_000;
/// A record not mined for this long is gossiped again.
pub const REOFFER_MS: u64 = 60_000;
/// How often that is looked after.
pub const REOFFER_INTERVAL_MS: u64 = 10_000;
/// A new template at most this often while the tip stays.
pub const TEMPLATE_INTERVAL_MIN_MS: u64 = 250;
/// A new template at least this often, so that its time moves.
pub const TEMPLATE_INTERVAL_MS: u64 = 3_000;
/// Clocks further apart than this are warned of.
pub const CLOCK_SKEW_WARN_MS: u64 = 10_000;
/// A clock that went back by more than this takes all deadlines with it.
pub const CLOCK_STEP_MS: u64 = 1_000;
/// While this many blocks behind, commits are buffered …
pub const CATCHING_UP_BLOCKS: u64 = 32;
/// … and every so many blocks one is synced.
pub const SYNC_EVERY_BLOCKS: u64 = 256;

const _: () = assert!(GOSSIP_GRACE_MS < STATUS_INTERVAL_MS && RELAY_BLOCK_TIMEOUT_MS < REQUEST_TIMEOUT_MS);
const _: () = assert!(SYNC_BLOCKS_PER_REQUEST <= medring_protocol::limits::BLOCKS_PER_REQUEST_MAX);
const _: () =
    assert!(SYNC_BLOCKS_PER_PEER_MAX <= SYNC_WINDOW_BLOCKS && SYNC_BLOCKS_PER_REQUEST <= SYNC_BLOCKS_PER_PEER_MAX);
const _: () = assert!(medring_protocol::limits::RESPONSE_BYTES_MAX <= SYNC_BYTES_MAX);
const _: () = assert!(STALL_MS < REQUEST_TIMEOUT_MS && HEADERS_PATIENCE_MS < HEADERS_TIME_MS);
const _: () = assert!(STATUS_INTERVAL_MIN_MS < STATUS_INTERVAL_MS && STATUS_INTERVAL_MS < STATUS_TIMEOUT_MS);
