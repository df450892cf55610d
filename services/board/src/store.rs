//! The board's embedded store: every org-minute of the last weeks, and the daily figures of years, in one SQLite file,
//! fed by the measures topic.
//!
//! Responsible for one transaction a batch (with the positions in the topic, so that a restart neither loses nor
//! repeats), for the merge of writings ([`crate::row`]), and for letting go of minutes that are older than their
//! retention. Which figures are daily is [`crate::history`]'s; reading is in [`crate::read`]; what comes over which topic is
//! [`crate::service`]'s.
//!
//! The minutes are derived from the log: after a power cut the newest transactions may be missing, with their positions,
//! and are read again. A damaged file is said, never mended: minutes are filled anew from the log, and so are daily
//! figures as far as measures are kept there; older ones come from a copy.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use domain::measures::OrgMinute;
use domain::organisations::groups::GroupsError;
use domain::organisations::{Level, Organisations, OrganisationsError};
use domain::time::{LondonDays, Minute};
use rusqlite::{Connection, OptionalExtension, params};

use crate::history::{self, Published};
use crate::read::Reader;
use crate::row::{self, Head, Row, RowError, Shape};

/// The retention of the live store unless the configuration says otherwise (`store.minutes`): 35 days.
pub const DEFAULT_RETENTION_MINUTES: u32 = 35 * 1_440;

/// The name of the file within the folder.
pub(crate) const FILE: &str = "board.sqlite";

/// Marks the file as ours ("SITB"), with the version of its tables.
const APPLICATION_ID: i64 = 0x5349_5442;
const VERSION: i64 = 2;

/// Of how many organisations old rows are let go with a batch, and how many of each at most.
const TRIM_ORGS: usize = 8;
const TRIM_ROWS: u64 = 2_000;

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Org-minutes older than this before the newest one are let go; `None` keeps everything (a replayed history).
    pub retention_minutes: Option<u32>,
    /// Filling from a file: large transactions that are not forced to the disk one by one.
    pub bulk: bool,
}

impl Options {
    /// A live store of that retention.
    pub fn live(retention_minutes: u32) -> Options {
        Options { retention_minutes: Some(retention_minutes), bulk: false }
    }

    /// A store that a replay fills and that keeps everything.
    pub fn bulk() -> Options {
        Options { retention_minutes: None, bulk: true }
    }
}

/// How far a partition of the measures topic has been taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taken {
    /// The partition.
    pub partition: u32,
    /// The offset of the next record to read.
    pub next_offset: u64,
    /// The epoch of the newest mark in it (spec 2.6): what is older is a zombie's.
    pub epoch: u64,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Applied {
    /// Org-minutes written, new or changed.
    pub written: usize,
    /// Org-minutes that changed nothing.
    pub unchanged: usize,
    /// Org-minutes older than the retention: only what is kept daily was taken of them.
    pub too_old: usize,
}

/// Why the store cannot do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the folder open for writing.
    #[error("the store in {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// There is no store.
    #[error("{} holds no store (file {FILE}); a replay with --store or a live board makes one", .0.display())]
    Missing(PathBuf),
    /// The file is no store of ours.
    #[error("{} is not a store of the board", .0.display())]
    Foreign(PathBuf),
    /// The file is of another version.
    #[error("the store in {} has version {found}, this program reads {VERSION}: remove the folder; it is filled anew from the log, as far as that reaches", .path.display())]
    Version {
        /// The folder.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// The file is damaged.
    #[error("the store in {} is damaged ({detail}): put a copy back, or remove the folder; it is filled anew from the log, as far as that reaches", .path.display())]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// A row is damaged.
    #[error(
        "the row of {org} at {minute} in the store cannot be read: put a copy back, or remove the folder; it is filled anew from the log, as far as that reaches"
    )]
    Row {
        /// The organisation.
        org: String,
        /// The minute.
        minute: Minute,
        /// What is wrong with it.
        source: RowError,
    },
    /// The table of organisations that came with the figures makes no sense.
    #[error("the table of organisations in the store cannot be used")]
    Organisations(#[from] OrganisationsError),
    /// The groups that came with the figures make no sense.
    #[error("the groups of organisations in the store cannot be used")]
    Groups(#[from] GroupsError),
    /// The folder or its lock cannot be used.
    #[error("the folder {} cannot be used", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite could not do it: the disk is full, say.
    #[error("the store in {} failed", .path.display())]
    Sqlite {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// Tells damage, which calls for a new file, from a failure that may pass.
    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> StoreError {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => StoreError::Damaged { path, detail: source.to_string() },
            Some(_) | None => StoreError::Sqlite { path, source },
        }
    }
}

/// The store, open for writing. One process at a time.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
    /// Held open, and so locked, as long as the store is.
    _lock: File,
    options: Options,
    days: LondonDays,
    names: Names,
    newest: Option<Minute>,
    trim_next: usize,
    bytes: Vec<u8>,
}

/// What rows refer to by number.
#[derive(Debug, Default)]
struct Names {
    orgs: HashMap<String, (u32, Level)>,
    shapes: HashMap<Vec<u8>, u64>,
    shapes_by_number: HashMap<u64, Shape>,
}

impl Store {
    /// Opens the store in a folder, making both where they are missing.
    pub fn open(dir: &Path, options: Options) -> Result<Store, StoreError> {
        let folder = |source| StoreError::Folder { path: dir.to_owned(), source };
        runtime::folder::make(dir).map_err(folder)?;
        let lock = File::create(dir.join("board.lock")).map_err(folder)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(dir.to_owned())),
            Err(TryLockError::Error(source)) => return Err(folder(source)),
        }
        let failed = |source| StoreError::sqlite(dir, source);
        let connection = Connection::open(dir.join(FILE)).map_err(failed)?;
        check(&connection, dir, true)?;
        connection.execute_batch(settings(options)).map_err(failed)?;
        let names = Names::load(&connection).map_err(failed)??;
        let mut store = Store {
            path: dir.to_owned(),
            connection,
            _lock: lock,
            options,
            days: LondonDays::new(),
            names,
            newest: None,
            trim_next: 0,
            bytes: Vec::new(),
        };
        store.newest = newest_minute(&store.connection).map_err(failed)?;
        Ok(store)
    }

    /// Another view of the same store, for reading, that may live on another thread.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.path)
    }

    /// The newest minute of any organisation.
    pub fn newest_minute(&self) -> Option<Minute> {
        self.newest
    }

    /// Takes in a batch of org-minutes, all or none.
    pub fn apply(&mut self, batch: &[OrgMinute]) -> Result<Applied, StoreError> {
        self.apply_with_positions(batch, &[], &mut |_, _| {})
    }

    /// Takes in a batch and how far the topic is taken in with it, all or none. After the transaction each org-minute
    /// that changed is handed to `observe` with what now stands of it.
    pub fn apply_with_positions(
        &mut self,
        batch: &[OrgMinute],
        positions: &[Taken],
        observe: &mut dyn FnMut(&OrgMinute, &Row),
    ) -> Result<Applied, StoreError> {
        let (newest, trim_next) = (self.newest, self.trim_next);
        let mut changed = Vec::with_capacity(batch.len());
        let result = self.transaction(batch, positions, &mut changed);
        match result {
            Ok(applied) => {
                changed.iter().for_each(|(at, row)| observe(&batch[*at], row));
                Ok(applied)
            }
            Err(error) => {
                // What was rolled back may have been given numbers: nothing in memory may outlive it.
                (self.newest, self.trim_next) = (newest, trim_next);
                let failed = |source| StoreError::sqlite(&self.path, source);
                if !self.connection.is_autocommit() {
                    self.connection.execute_batch("ROLLBACK").map_err(failed)?;
                }
                self.names = Names::load(&self.connection).map_err(failed)??;
                Err(error)
            }
        }
    }

    /// How far each partition of the measures topic has been taken in, rising by partition.
    pub fn positions(&self) -> Result<Vec<Taken>, StoreError> {
        let read = || {
            let sql = "SELECT partition, next_offset, epoch FROM positions ORDER BY partition";
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                let (next_offset, epoch) = (row.get::<_, i64>(1)?, row.get::<_, i64>(2)?);
                Ok(Taken { partition: row.get(0)?, next_offset: next_offset as u64, epoch: epoch as u64 })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| StoreError::sqlite(&self.path, source))
    }

    /// Keeps the table of organisations with the figures, so that a store can be shown by itself.
    pub fn save_organisations(&mut self, organisations: &Organisations) -> Result<(), StoreError> {
        let mut save = || {
            let transaction = self.connection.transaction()?;
            transaction.execute("DELETE FROM organisations", [])?;
            for (id, org) in organisations.iter() {
                // A group has members in the place of a parent.
                let above = org.parent.as_slice().iter().chain(organisations.members(id));
                let parent: Vec<&str> = above.map(|one| organisations.get(*one).code.as_str()).collect();
                let parent = parent.join(" ");
                let department_type =
                    org.department_type.map_or(String::new(), |tag| (tag as u8).to_string());
                transaction
                    .prepare_cached("INSERT INTO organisations VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                    .execute(params![
                        id.0,
                        org.code,
                        org.name,
                        org.level.as_str(),
                        parent,
                        department_type
                    ])?;
            }
            transaction.commit()
        };
        save().map_err(|source| StoreError::sqlite(&self.path, source))
    }

    /// Remembers that figures were made from published tables.
    pub fn save_published(&mut self, published: Published) -> Result<(), StoreError> {
        self.connection
            .execute("INSERT OR IGNORE INTO published (kind) VALUES (?1)", [published.as_str()])
            .map(|_| ())
            .map_err(|source| StoreError::sqlite(&self.path, source))
    }

    /// Writes everything to the one file, for a store that is handed on; the store may be used further.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        let failed = |source| StoreError::sqlite(&self.path, source);
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failed)?;
        File::open(self.path.join(FILE))
            .and_then(|file| file.sync_all())
            .map_err(|source| StoreError::Folder { path: self.path.clone(), source })
    }

    fn transaction(
        &mut self,
        batch: &[OrgMinute],
        positions: &[Taken],
        changed: &mut Vec<(usize, Row)>,
    ) -> Result<Applied, StoreError> {
        let path = self.path.clone();
        let failed = |source| StoreError::sqlite(&path, source);
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
        let before = self.newest;
        let mut applied = Applied::default();
        self.newest = batch.iter().map(|writing| writing.minute).chain(before).max();
        let oldest = self.oldest_kept();
        for (at, writing) in batch.iter().enumerate() {
            if let Some(kept) = history::kept(writing, &self.days) {
                self.upsert(Table::Daily, &kept)?;
            }
            if oldest.is_some_and(|oldest| writing.minute < oldest) {
                applied.too_old += 1;
            } else if let Some(row) = self.upsert(Table::Minutes, writing)? {
                applied.written += 1;
                changed.push((at, row));
            } else {
                applied.unchanged += 1;
            }
        }
        if let Some(oldest) = oldest {
            self.trim(oldest).map_err(failed)?;
        }
        self.save_positions(positions).map_err(failed)?;
        self.connection.execute_batch("COMMIT").map_err(failed)?;
        Ok(applied)
    }

    fn oldest_kept(&self) -> Option<Minute> {
        Some(self.newest?.minus(self.options.retention_minutes?))
    }

    /// Merges a writing into its row; the row where that changed something.
    fn upsert(&mut self, table: Table, writing: &OrgMinute) -> Result<Option<Row>, StoreError> {
        let failed = |source| StoreError::sqlite(&self.path, source);
        let org = self.names.org(&self.connection, writing).map_err(failed)?;
        let id = row_id(org, writing.minute);
        let held: Option<Vec<u8>> = self
            .connection
            .prepare_cached(table.select())
            .and_then(|mut select| select.query_row([id], |row| row.get(0)).optional())
            .map_err(failed)?;
        let row = match &held {
            None => Row::new(writing),
            Some(bytes) => {
                let mut row = self.names.row(bytes).map_err(|source| StoreError::Row {
                    org: writing.org.clone(),
                    minute: writing.minute,
                    source,
                })?;
                row.merge(writing);
                row
            }
        };
        let shape = self.names.shape(&self.connection, Shape::of(&row)).map_err(failed)?;
        row::encode(&row, shape, &mut self.bytes);
        if held.as_ref() == Some(&self.bytes) {
            return Ok(None);
        }
        self.connection
            .prepare_cached(table.insert())
            .and_then(|mut insert| insert.execute(params![id, self.bytes]))
            .map_err(failed)?;
        Ok(Some(row))
    }

    /// Lets go of old rows, a few organisations at a time, so that no batch pays for a whole day.
    fn trim(&mut self, oldest: Minute) -> rusqlite::Result<()> {
        let orgs = self.names.orgs.len();
        for _ in 0..TRIM_ORGS.min(orgs) {
            self.trim_next = (self.trim_next + 1) % orgs;
            let org = self.trim_next as u32;
            let (first, end) = (row_id(org, Minute(0)), row_id(org, oldest));
            self.connection
                .prepare_cached(
                    "DELETE FROM org_minutes WHERE id IN
                     (SELECT id FROM org_minutes WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3)",
                )?
                .execute(params![first, end, TRIM_ROWS as i64])?;
        }
        Ok(())
    }

    fn save_positions(&self, positions: &[Taken]) -> rusqlite::Result<()> {
        let mut save = self.connection.prepare_cached(
            "INSERT OR REPLACE INTO positions (partition, next_offset, epoch) VALUES (?1, ?2, ?3)",
        )?;
        for taken in positions {
            save.execute(params![taken.partition, taken.next_offset as i64, taken.epoch as i64])?;
        }
        Ok(())
    }
}

/// The two tables of rows.
#[derive(Clone, Copy, Debug)]
enum Table {
    /// Every org-minute, for the retention.
    Minutes,
    /// What is kept of them for years.
    Daily,
}

impl Table {
    fn select(self) -> &'static str {
        match self {
            Table::Minutes => "SELECT series FROM org_minutes WHERE id = ?1",
            Table::Daily => "SELECT series FROM daily WHERE id = ?1",
        }
    }

    fn insert(self) -> &'static str {
        match self {
            Table::Minutes => "INSERT OR REPLACE INTO org_minutes (id, series) VALUES (?1, ?2)",
            Table::Daily => "INSERT OR REPLACE INTO daily (id, series) VALUES (?1, ?2)",
        }
    }
}

impl Names {
    fn load(connection: &Connection) -> rusqlite::Result<Result<Names, StoreError>> {
        let mut names = Names::default();
        let mut statement = connection.prepare("SELECT number, code, level FROM orgs")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let level: String = row.get(2)?;
            let level = Level::parse(&level).unwrap_or(Level::Site);
            names.orgs.insert(row.get(1)?, (row.get(0)?, level));
        }
        let path = || connection.path().map(PathBuf::from).unwrap_or_default();
        for (number, bytes) in shapes(connection)? {
            match Shape::decode(&bytes) {
                Ok(shape) => names.shapes_by_number.insert(number, shape),
                Err(error) => {
                    let detail = format!("shape {number}: {error}");
                    return Ok(Err(StoreError::Damaged { path: path(), detail }));
                }
            };
            names.shapes.insert(bytes, number);
        }
        Ok(Ok(names))
    }

    fn org(&mut self, connection: &Connection, writing: &OrgMinute) -> rusqlite::Result<u32> {
        let known = self.orgs.get(&writing.org).copied();
        if let Some((number, level)) = known
            && level == writing.level
        {
            return Ok(number);
        }
        let number = known.map_or(self.orgs.len() as u32, |(number, _)| number);
        connection
            .prepare_cached("INSERT OR REPLACE INTO orgs (number, code, level) VALUES (?1, ?2, ?3)")?
            .execute(params![number, writing.org, writing.level.as_str()])?;
        self.orgs.insert(writing.org.clone(), (number, writing.level));
        Ok(number)
    }

    fn shape(&mut self, connection: &Connection, shape: Shape) -> rusqlite::Result<u64> {
        let bytes = shape.encode();
        if let Some(number) = self.shapes.get(&bytes) {
            return Ok(*number);
        }
        let number = self.shapes.len() as u64;
        connection
            .prepare_cached("INSERT INTO shapes (number, series) VALUES (?1, ?2)")?
            .execute(params![number as i64, bytes])?;
        self.shapes.insert(bytes, number);
        self.shapes_by_number.insert(number, shape);
        Ok(number)
    }

    fn row(&self, bytes: &[u8]) -> Result<Row, RowError> {
        let head = Head::read(bytes)?;
        let shape = self.shapes_by_number.get(&head.shape).ok_or(RowError::Shape(head.shape))?;
        head.row(shape)
    }
}

/// The key of a row: all minutes of an organisation stand together, so that a range is one stretch of the file.
pub(crate) fn row_id(org: u32, minute: Minute) -> i64 {
    i64::from(org) << 32 | i64::from(minute.0)
}

/// The lists of series that rows refer to, by number.
pub(crate) fn shapes(connection: &Connection) -> rusqlite::Result<Vec<(u64, Vec<u8>)>> {
    let mut statement = connection.prepare("SELECT number, series FROM shapes ORDER BY number")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)))?;
    rows.collect()
}

/// The newest minute of any organisation: one look at the end of each one's stretch.
pub(crate) fn newest_minute(connection: &Connection) -> rusqlite::Result<Option<Minute>> {
    let sql = "SELECT max((SELECT m.id & 4294967295 FROM org_minutes m
               WHERE m.id >= o.number << 32 AND m.id < (o.number + 1) << 32 ORDER BY m.id DESC LIMIT 1)) FROM orgs o";
    connection.query_row(sql, [], |row| row.get::<_, Option<u32>>(0)).map(|minute| minute.map(Minute))
}

/// The oldest minute of any organisation.
pub(crate) fn oldest_minute(connection: &Connection) -> rusqlite::Result<Option<Minute>> {
    let sql = "SELECT min((SELECT m.id & 4294967295 FROM org_minutes m
               WHERE m.id >= o.number << 32 AND m.id < (o.number + 1) << 32 ORDER BY m.id LIMIT 1)) FROM orgs o";
    connection.query_row(sql, [], |row| row.get::<_, Option<u32>>(0)).map(|minute| minute.map(Minute))
}

/// Whether the file is a store of this version; makes its tables in an empty one where `create`.
pub(crate) fn check(connection: &Connection, dir: &Path, create: bool) -> Result<(), StoreError> {
    let failed = |source| StoreError::sqlite(dir, source);
    connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(failed)?;
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
    let (application, found) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    let empty = number("SELECT count(*) FROM sqlite_schema")? == 0;
    if application == 0 && empty && create {
        return connection.execute_batch(TABLES).map_err(failed);
    }
    if application != APPLICATION_ID {
        return Err(StoreError::Foreign(dir.join(FILE)));
    }
    if found != VERSION {
        return Err(StoreError::Version { path: dir.to_owned(), found });
    }
    Ok(())
}

/// Pages of 8 KiB hold the longest rows (the nation's, about 900 bytes) without overflow.
const TABLES: &str = "
PRAGMA page_size = 8192;
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE orgs (number INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, level TEXT NOT NULL) STRICT;
CREATE TABLE organisations (position INTEGER PRIMARY KEY, code TEXT NOT NULL, name TEXT NOT NULL, level TEXT NOT NULL,
  parent TEXT NOT NULL, department_type TEXT NOT NULL) STRICT;
CREATE TABLE shapes (number INTEGER PRIMARY KEY, series BLOB NOT NULL) STRICT;
CREATE TABLE org_minutes (id INTEGER PRIMARY KEY, series BLOB NOT NULL) STRICT;
CREATE TABLE daily (id INTEGER PRIMARY KEY, series BLOB NOT NULL) STRICT;
CREATE TABLE published (kind TEXT PRIMARY KEY) STRICT;
CREATE TABLE positions (partition INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL, epoch INTEGER NOT NULL) STRICT;
PRAGMA application_id = 1397314626;
PRAGMA user_version = 2;
COMMIT;
";

/// The log holds everything that a power cut could take, so the write-ahead log need not be forced at each commit.
fn settings(options: Options) -> &'static str {
    if options.bulk {
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144; PRAGMA wal_autocheckpoint = 16384;"
    } else {
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 2000;"
    }
}
