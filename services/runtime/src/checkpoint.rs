//! The checkpoint of one service: entries by kind and key, and a few named values, saved together in one transaction,
//! so that what was computed and how far the log was read are always of the same moment.
//!
//! It knows nothing of what the bytes mean. It is not the durable state either; the log is. So a save is not synced to
//! the disk at once (WAL, `synchronous = NORMAL`): after a power cut an older checkpoint stands, from which the log is
//! read again. And a checkpoint that is damaged, by however little, is put aside and an empty one begun: a sealed
//! digest over everything finds what the file's structure does not.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The layout of the file; a file of another layout is put aside as a damaged one is.
const LAYOUT: i64 = 1;

/// Changes of a save are sorted in parts of about this many bytes.
const SORTED_BYTES: usize = 64 << 20;

/// Named values are digested as a kind of their own, which no entry can have.
const META: u64 = 1 << 8;

/// The checkpoint could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Another process has it open.
    #[error("checkpoint {0} is in use by another process; stop it, or configure another file")]
    InUse(PathBuf),
    /// The disk, or SQLite, would not.
    #[error("checkpoint {path} failed")]
    Storage {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The folder or the files could not be made or moved.
    #[error("checkpoint {path} cannot be set up")]
    Files {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// An entry that is new, has another value, or is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What sort of entry: the service's own numbering.
    pub kind: u8,
    /// Its key within its kind.
    pub key: Vec<u8>,
    /// Its value; `None`: it is gone.
    pub value: Option<Vec<u8>>,
}

/// Is handed entries: kind, key, value.
pub type EachEntry<'a> = dyn FnMut(u8, &[u8], &[u8]) + 'a;

/// An open checkpoint.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    connection: Connection,
    meta: BTreeMap<String, Vec<u8>>,
    seal: Seal,
}

/// How many entries and named values there are, and the sum of their digests: the same in whatever order they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seal {
    count: u64,
    digest: u64,
}

impl Seal {
    fn add(&mut self, kind: u64, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_add(1);
        self.digest = self.digest.wrapping_add(digest(kind, key, value));
    }

    fn remove(&mut self, kind: u64, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_sub(1);
        self.digest = self.digest.wrapping_sub(digest(kind, key, value));
    }
}

fn digest(kind: u64, key: &[u8], value: &[u8]) -> u64 {
    xxh3_64_with_seed(value, xxh3_64_with_seed(key, kind))
}

/// Why what was found cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it is of layout {0}, this program writes {LAYOUT}")]
    Layout(i64),
    #[error("its seal does not fit its entries")]
    Seal,
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl Unusable {
    /// Damage, as against a disk that is full, a file that is in use or may not be read.
    fn is_damage(&self) -> bool {
        match self {
            Unusable::Layout(_) | Unusable::Seal => true,
            Unusable::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => {
                matches!(
                    error.code,
                    ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown
                )
            }
            // Everything else that rusqlite knows is a row that has not the shape in which rows are written.
            Unusable::Sqlite(_) => true,
        }
    }
}

impl Checkpoint {
    /// Opens a checkpoint, which is made (with its folder) if it is not there, and reads all of it once to see that it
    /// is whole. One that is not is moved to `<path>.damaged`, in the place of an earlier one, and an empty one begun.
    pub fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
        let files = |source| CheckpointError::Files { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            crate::folder::make(folder).map_err(files)?;
        }
        match try_open(path) {
            Ok(checkpoint) => Ok(checkpoint),
            Err(error) if error.is_damage() => {
                tracing::warn!(path = %path.display(), %error, "checkpoint put aside, beginning an empty one");
                put_aside(path).map_err(files)?;
                try_open(path).map_err(|error| failed(path, error))
            }
            Err(error) => Err(failed(path, error)),
        }
    }

    /// Hands every entry to `each` (kind, key, value), by kind and then by key; how many there were.
    pub fn load(&self, each: &mut EachEntry<'_>) -> Result<u64, CheckpointError> {
        entries(&self.connection, each).map_err(|error| failed(&self.path, error.into()))
    }

    /// The named value of the last save that gave it.
    pub fn meta(&self, name: &str) -> Option<&[u8]> {
        self.meta.get(name).map(Vec::as_slice)
    }

    /// How many entries and named values there are.
    pub fn len(&self) -> u64 {
        self.seal.count
    }

    /// Whether nothing was ever saved, or all was cleared.
    pub fn is_empty(&self) -> bool {
        self.seal.count == 0
    }

    /// Saves changed entries and named values, all or, after an error, none of them. Named values that are not given
    /// stay as they are.
    pub fn save(
        &mut self,
        changes: impl Iterator<Item = Change>,
        meta: &[(&str, &[u8])],
    ) -> Result<(), CheckpointError> {
        let seal = save(&mut self.connection, self.seal, &self.meta, changes, meta)
            .map_err(|error| failed(&self.path, error.into()))?;
        self.seal = seal;
        self.meta.extend(meta.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())));
        Ok(())
    }

    /// Removes everything.
    pub fn clear(&mut self) -> Result<(), CheckpointError> {
        clear(&mut self.connection).map_err(|error| failed(&self.path, error.into()))?;
        self.seal = Seal::default();
        self.meta.clear();
        Ok(())
    }
}

fn failed(path: &Path, error: Unusable) -> CheckpointError {
    let path = path.to_owned();
    match error {
        Unusable::Sqlite(rusqlite::Error::SqliteFailure(error, _))
            if error.code == ErrorCode::DatabaseBusy =>
        {
            CheckpointError::InUse(path)
        }
        Unusable::Sqlite(source) => CheckpointError::Storage { path, source },
        // Only an empty file that was written a moment ago gets here.
        Unusable::Layout(_) | Unusable::Seal => {
            CheckpointError::Storage { path, source: rusqlite::Error::InvalidQuery }
        }
    }
}

fn try_open(path: &Path) -> Result<Checkpoint, Unusable> {
    let connection = Connection::open(path)?;
    // One process, which holds the file from its first look at it until it ends.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.busy_timeout(std::time::Duration::ZERO)?;
    connection.pragma_update(None, "page_size", 4_096)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    create(&connection)?;
    let meta = named(&connection)?;
    let mut found = Seal::default();
    meta.iter().for_each(|(name, value)| found.add(META, name.as_bytes(), value));
    entries(&connection, &mut |kind, key, value| found.add(u64::from(kind), key, value))?;
    if sealed(&connection)? != found {
        return Err(Unusable::Seal);
    }
    Ok(Checkpoint { path: path.to_owned(), connection, meta, seal: found })
}

fn create(connection: &Connection) -> Result<(), Unusable> {
    let layout: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (layout, tables) {
        (LAYOUT, _) => Ok(()),
        (0, 0) => Ok(connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             CREATE TABLE entries (kind INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
                                   PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
             CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
             CREATE TABLE seal (count INTEGER NOT NULL, digest INTEGER NOT NULL) STRICT;
             INSERT INTO seal VALUES (0, 0);
             PRAGMA user_version = {LAYOUT};
             COMMIT"
        ))?),
        (other, _) => Err(Unusable::Layout(other)),
    }
}

fn named(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Vec<u8>>> {
    let mut select = connection.prepare("SELECT name, value FROM meta")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn entries(connection: &Connection, each: &mut EachEntry<'_>) -> rusqlite::Result<u64> {
    let mut select = connection.prepare("SELECT kind, key, value FROM entries ORDER BY kind, key")?;
    let mut rows = select.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        each(row.get(0)?, row.get_ref(1)?.as_blob()?, row.get_ref(2)?.as_blob()?);
        count += 1;
    }
    Ok(count)
}

fn sealed(connection: &Connection) -> rusqlite::Result<Seal> {
    connection.query_row("SELECT count, digest FROM seal", [], |row| {
        Ok(Seal { count: row.get::<_, i64>(0)? as u64, digest: row.get::<_, i64>(1)? as u64 })
    })
}

fn save(
    connection: &mut Connection,
    mut seal: Seal,
    known: &BTreeMap<String, Vec<u8>>,
    changes: impl Iterator<Item = Change>,
    meta: &[(&str, &[u8])],
) -> rusqlite::Result<Seal> {
    let transaction = connection.transaction()?;
    let mut changes = changes.peekable();
    while changes.peek().is_some() {
        for change in sorted_part(&mut changes) {
            write_change(&transaction, &mut seal, &change)?;
        }
    }
    let mut latest: BTreeMap<&str, &[u8]> = known.iter().map(|(name, value)| (&**name, &**value)).collect();
    for (name, value) in meta {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)")?
            .execute(params![name, value])?;
        if let Some(old) = latest.insert(name, value) {
            seal.remove(META, name.as_bytes(), old);
        }
        seal.add(META, name.as_bytes(), value);
    }
    write_seal(&transaction, seal)?;
    transaction.commit()?;
    Ok(seal)
}

/// The next part of the changes, by kind and key: neighbours share a page of the file, which is then written once.
/// Of a key that is there twice the later one stays the later one.
fn sorted_part(changes: &mut impl Iterator<Item = Change>) -> Vec<Change> {
    let (mut part, mut bytes) = (Vec::new(), 0);
    for change in changes {
        bytes += change.key.len() + change.value.as_ref().map_or(0, Vec::len);
        part.push(change);
        if bytes >= SORTED_BYTES {
            break;
        }
    }
    part.sort_by(|a: &Change, b: &Change| (a.kind, &a.key).cmp(&(b.kind, &b.key)));
    part
}

fn write_change(connection: &Connection, seal: &mut Seal, change: &Change) -> rusqlite::Result<()> {
    let Change { kind, key, value } = change;
    let seeded = u64::from(*kind);
    let mut select = connection.prepare_cached("SELECT value FROM entries WHERE kind = ? AND key = ?")?;
    let replaced = select.query_row(params![kind, key], |row| {
        seal.remove(seeded, key, row.get_ref(0)?.as_blob()?);
        Ok(())
    });
    let replaced = replaced.optional()?.is_some();
    let written = match value {
        Some(value) => {
            seal.add(seeded, key, value);
            connection
                .prepare_cached("INSERT OR REPLACE INTO entries (kind, key, value) VALUES (?, ?, ?)")?
                .execute(params![kind, key, value])
        }
        None if replaced => connection
            .prepare_cached("DELETE FROM entries WHERE kind = ? AND key = ?")?
            .execute(params![kind, key]),
        None => Ok(0),
    };
    written.map(drop)
}

fn write_seal(connection: &Connection, seal: Seal) -> rusqlite::Result<()> {
    let mut update = connection.prepare_cached("UPDATE seal SET count = ?, digest = ?")?;
    update.execute(params![seal.count as i64, seal.digest as i64]).map(drop)
}

fn clear(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch("DELETE FROM entries; DELETE FROM meta")?;
    write_seal(&transaction, Seal::default())?;
    transaction.commit()
}

/// Moves the file and what SQLite keeps beside it. One damaged checkpoint is kept for whoever wants to know why.
fn put_aside(path: &Path) -> std::io::Result<()> {
    let with = |end: &str| PathBuf::from([path.as_os_str(), end.as_ref()].into_iter().collect::<OsString>());
    for beside in ["-wal", "-shm", ""] {
        let (from, to) = (with(beside), with(&format!(".damaged{beside}")));
        match std::fs::rename(&from, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => match std::fs::remove_file(&to) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            },
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
