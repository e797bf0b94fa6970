//! The engine on disk, and the only place that names RocksDB (docs/adr/0004-rocksdb-0.21.md).

use crate::engine::{Batch, Durability, Engine, Visit};
use crate::values::damaged;
use crate::{Column, StorageError};
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Direction, ErrorKind,
    IteratorMode, LogLevel, Options, WriteBatch, WriteOptions, properties,
};
use std::ffi::CStr;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Uncompressed blocks, index and filter blocks of all columns together, bytes.
const BLOCK_CACHE_BYTES: usize = 16 << 20;
/// What is not yet in a file, of one column, bytes.
const COLUMN_BUFFER_BYTES: usize = 4 << 20;
/// The same, of all columns together, bytes.
const BUFFERS_BYTES: usize = 16 << 20;
/// Logs that are kept until what they hold is in files, bytes: bounds the time to open after a crash.
const LOG_BYTES: u64 = 32 << 20;
/// Files open at once.
const OPEN_FILES: i32 = 128;
/// Entries that are not yet in a file, and deletions among them.
const IN_MEMORY: [&CStr; 4] = [
    properties::NUM_ENTRIES_ACTIVE_MEM_TABLE,
    properties::NUM_ENTRIES_IMM_MEM_TABLES,
    properties::NUM_DELETES_ACTIVE_MEM_TABLE,
    properties::NUM_DELETES_IMM_MEM_TABLES,
];
/// Left free on the disk, bytes: enough for RocksDB to finish what it has begun. A write that meets a full disk leaves it in
/// a state which it tries to mend in the background, and where its assertions are on (Debian's) that aborts the process.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// Held while the folder is open. RocksDB has a lock of its own; this one tells "in use" from other troubles. It is empty
/// until something was written.
const LOCK_FILE: &str = "medring.lock";

/// RocksDB in one folder. Clones share it; the folder is free again when the last is dropped. After a write that
/// failed every further one fails, and reads go on, until it is opened anew.
#[derive(Clone)]
pub struct RocksEngine {
    shared: Arc<Shared>,
    free_bytes_min: u64,
}

struct Shared {
    // Fields are dropped in this order: the lock goes last.
    db: DB,
    lock: Mutex<File>,
    /// Whether the lock file says that a store was made.
    made: AtomicBool,
    /// What the first failed write said. RocksDB aborts the process when a log that failed is synced, so nothing is written
    /// after it: the store has to be opened anew.
    failed: OnceLock<String>,
    /// Whether the disk is to be taken for a full one.
    filled: AtomicBool,
}

impl std::fmt::Debug for RocksEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocksEngine").field("folder", &self.shared.db.path()).finish()
    }
}

impl RocksEngine {
    /// Opens a folder, or makes it. After a crash the log is read back up to its last whole batch.
    ///
    /// # Errors
    /// [`StorageError::InUse`], [`StorageError::Folder`], [`StorageError::NewerFormat`] if there is a column this version
    /// does not know, [`StorageError::Unusable`], [`StorageError::Full`], [`StorageError::Io`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StorageError> {
        let folder = folder.as_ref();
        let lock = lock(folder)?;
        refuse_full_disk(folder, FREE_BYTES_MIN)?;
        let trouble = |e: std::io::Error| folder_error(folder, &e);
        let made = is_made(&lock).map_err(trouble)?;
        if made {
            refuse_missing_files(folder)?;
            refuse_unknown_columns(folder)?;
        }
        let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
        let columns = Column::ALL.map(|column| ColumnFamilyDescriptor::new(column.name(), column_options(&cache)));
        let db = DB::open_cf_descriptors(&options(), folder, columns).map_err(|e| open_error(folder, &e))?;
        let shared = Shared {
            db,
            lock: Mutex::new(lock),
            made: AtomicBool::new(made),
            failed: OnceLock::new(),
            filled: AtomicBool::new(false),
        };
        let engine = Self { shared: Arc::new(shared), free_bytes_min: FREE_BYTES_MIN };
        if made && engine.is_empty()? {
            // Damage may make RocksDB take an old store for a new one.
            let problem = "nothing of what was written is in it".into();
            return Err(StorageError::Unusable { folder: folder.to_owned(), problem });
        }
        Ok(engine)
    }

    fn is_empty(&self) -> Result<bool, StorageError> {
        let mut empty = true;
        for column in Column::ALL {
            self.scan(column, &[], &mut |_, _| {
                empty = false;
                ControlFlow::Break(())
            })?;
        }
        Ok(empty)
    }

    /// Notes, once something is written, that this folder is no new one any more.
    fn mark_made(&self) -> Result<(), StorageError> {
        if self.shared.made.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut lock = self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = |lock: &mut File| {
            if !is_made(lock)? {
                lock.write_all(b"This folder holds a medring store.\n")?;
            }
            Ok(())
        };
        mark(&mut lock).map_err(|e| folder_error(self.shared.db.path(), &e))?;
        self.shared.made.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The same store, refusing to write where less than `bytes` would be left free on the disk; 64 MiB unless told.
    #[must_use]
    pub fn keeping_free(self, bytes: u64) -> Self {
        Self { free_bytes_min: bytes, ..self }
    }

    /// Takes the disk for a full one, for all clones, or (`false`) no longer: what a test network tries with its nodes.
    pub fn fill(&self, full: bool) {
        self.shared.filled.store(full, Ordering::Relaxed);
    }

    fn unless_failed(&self, write: impl FnOnce(&DB) -> Result<(), rocksdb::Error>) -> Result<(), StorageError> {
        if let Some(earlier) = self.shared.failed.get() {
            return Err(StorageError::Io { problem: format!("an earlier write failed: {earlier}") });
        }
        write(&self.shared.db).map_err(|e| {
            let _ = self.shared.failed.set(e.to_string());
            io_error(&e)
        })
    }

    fn column(&self, column: Column) -> Result<&rocksdb::ColumnFamily, StorageError> {
        // `open` opened every column.
        let missing = || StorageError::Bug(format!("column {column} is not open"));
        self.shared.db.cf_handle(column.name()).ok_or_else(missing)
    }
}

fn folder_error(folder: &Path, error: &std::io::Error) -> StorageError {
    let problem = error.to_string();
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StorageError::Full { problem },
        _ => StorageError::Folder { folder: folder.to_owned(), problem },
    }
}

fn lock(folder: &Path) -> Result<File, StorageError> {
    let trouble = |e: std::io::Error| folder_error(folder, &e);
    std::fs::create_dir_all(folder).map_err(trouble)?;
    let file = File::options().create(true).append(true).open(folder.join(LOCK_FILE)).map_err(trouble)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StorageError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(e)) => Err(trouble(e)),
    }
}

/// A column we do not know was made by a later version, whose batches we could not read back.
fn refuse_unknown_columns(folder: &Path) -> Result<(), StorageError> {
    let names = DB::list_cf(&options(), folder).map_err(|e| open_error(folder, &e))?;
    let known = |name: &str| name == "default" || Column::ALL.iter().any(|column| column.name() == name);
    match names.iter().find(|name| !known(name)) {
        None => Ok(()),
        Some(name) => Err(StorageError::NewerFormat {
            found: format!("with column {name:?}"),
            known: crate::schema::FORMAT_VERSION,
        }),
    }
}

fn refuse_full_disk(folder: &Path, free_bytes_min: u64) -> Result<(), StorageError> {
    // A file system that does not tell is taken to have room.
    let Ok(disk) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= free_bytes_min {
        return Ok(());
    }
    let [free, least] = [free, free_bytes_min].map(|bytes| bytes >> 20);
    Err(StorageError::Full { problem: format!("{free} MiB are left, {least} MiB are kept free") })
}

/// Whether the lock file says that a store was made here before.
fn is_made(lock: &File) -> std::io::Result<bool> {
    Ok(lock.metadata()?.len() > 0)
}

/// Without its file CURRENT, RocksDB would begin a new store over the files of the old one; without a log, of which there
/// is always one, it would open as if nothing had been in it.
fn refuse_missing_files(folder: &Path) -> Result<(), StorageError> {
    let unusable = |problem: String| StorageError::Unusable { folder: folder.to_owned(), problem };
    let (mut current, mut log) = (false, false);
    for entry in std::fs::read_dir(folder).map_err(|e| unusable(e.to_string()))? {
        let name = entry.map_err(|e| unusable(e.to_string()))?.file_name();
        current |= name == "CURRENT";
        log |= Path::new(&name).extension().is_some_and(|extension| extension == "log");
    }
    match (current, log) {
        (true, true) => Ok(()),
        (false, _) => Err(unusable("its file CURRENT is missing".into())),
        (true, false) => Err(unusable("its log is missing".into())),
    }
}

fn options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_db_write_buffer_size(BUFFERS_BYTES);
    options.set_max_total_wal_size(LOG_BYTES);
    options.set_max_open_files(OPEN_FILES);
    options.set_max_background_jobs(2);
    // After a power cut pages of the log may be missing before its end: up to there the store is whole, and what is lost
    // was not synced.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(1 << 20);
    options.set_stats_dump_period_sec(0);
    options
}

fn column_options(cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.set_write_buffer_size(COLUMN_BUFFER_BYTES);
    options.set_max_write_buffer_number(2);
    options.set_block_based_table_factory(&table);
    // What is big is sealed, and compressed before that.
    options.set_compression_type(DBCompressionType::None);
    options
}

fn is_full(message: &str) -> bool {
    message.contains("No space left on device") || message.contains("Disk quota exceeded")
}

fn open_error(folder: &Path, error: &rocksdb::Error) -> StorageError {
    let (folder, problem) = (folder.to_owned(), error.to_string());
    match error.kind() {
        _ if is_full(&problem) => StorageError::Full { problem },
        ErrorKind::IOError if problem.contains("Permission denied") => StorageError::Folder { folder, problem },
        // A file that is missing, though others name it, is damage and not a trouble of the disk.
        ErrorKind::IOError if !problem.contains("No such file") => StorageError::Io { problem },
        _ => StorageError::Unusable { folder, problem },
    }
}

fn io_error(error: &rocksdb::Error) -> StorageError {
    let problem = error.to_string();
    if is_full(&problem) { StorageError::Full { problem } } else { StorageError::Io { problem } }
}

fn read_error(column: Column, key: &[u8], error: &rocksdb::Error) -> StorageError {
    match error.kind() {
        ErrorKind::Corruption => damaged(column, key, error),
        _ => io_error(error),
    }
}

impl Engine for RocksEngine {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.shared.db.get_cf(self.column(column)?, key).map_err(|e| read_error(column, key, &e))
    }

    fn holds(&self, column: Column, key: &[u8]) -> Result<bool, StorageError> {
        let found = self.shared.db.get_pinned_cf(self.column(column)?, key).map_err(|e| read_error(column, key, &e))?;
        Ok(found.is_some())
    }

    fn at_most(&self, column: Column) -> Result<u64, StorageError> {
        let (db, family) = (&self.shared.db, self.column(column)?);
        // What is not in files yet comes first: what moves to one meanwhile counts twice then, and is not missed.
        let mut memory = [0; 4];
        for (place, name) in memory.iter_mut().zip(IN_MEMORY) {
            *place = db.property_int_value_cf(family, name).map_err(|e| io_error(&e))?.unwrap_or(0);
        }
        let [active, waiting, active_deletions, waiting_deletions] = memory;
        let told = db.property_value_cf(family, properties::AGGREGATED_TABLE_PROPERTIES);
        let told = told.map_err(|e| io_error(&e))?.unwrap_or_default();
        // "# data blocks=1; # entries=7; # deletions=2; …"; deletions are entries too.
        let figure = |name: &str| {
            let figure = told.split(';').find_map(|part| part.trim().strip_prefix(name));
            let missing = || StorageError::Bug(format!("RocksDB does not say {name:?} of its files: {told:?}"));
            figure.and_then(|figure| figure.parse::<u64>().ok()).ok_or_else(missing)
        };
        let entries = figure("# entries=")? + active + waiting;
        Ok(entries.saturating_sub(figure("# deletions=")? + active_deletions + waiting_deletions))
    }

    fn scan(&self, column: Column, from: &[u8], visit: Visit<'_>) -> Result<(), StorageError> {
        let mode = IteratorMode::From(from, Direction::Forward);
        let mut last = from.to_vec();
        for item in self.shared.db.iterator_cf(self.column(column)?, mode) {
            let (key, value) = item.map_err(|e| read_error(column, &last, &e))?;
            if visit(&key, &value).is_break() {
                break;
            }
            last = key.into_vec();
        }
        Ok(())
    }

    fn write(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        let mut writes = WriteBatch::default();
        for operation in batch.operations() {
            let column = self.column(operation.column)?;
            match &operation.value {
                Some(value) => writes.put_cf(column, &operation.key, value),
                None => writes.delete_cf(column, &operation.key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Synced);
        // No disk has so much room.
        let least = if self.shared.filled.load(Ordering::Relaxed) { u64::MAX } else { self.free_bytes_min };
        refuse_full_disk(self.shared.db.path(), least)?;
        self.unless_failed(|db| db.write_opt(writes, &options))?;
        self.mark_made()
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.unless_failed(|db| db.flush_wal(true))
    }
}
