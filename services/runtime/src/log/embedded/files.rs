//! The files of an embedded log: the directory, its lock, the database and its tables.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{LogError, Topic, storage};

/// A reader or writer waits this long for a lock of the file, which nobody else should hold.
const BUSY: Duration = Duration::from_secs(5);

/// The write-ahead log is copied back after this many pages, and cut to the limit afterwards.
const WAL_PAGES: u32 = 4_000;
const WAL_BYTES_KEPT: u32 = 64 << 20;

/// The open directory. The lock is held for as long as this lives.
pub(super) struct Files {
    database: PathBuf,
    lock: File,
}

impl Files {
    pub(super) fn open(dir: &Path) -> Result<Files, LogError> {
        let failed =
            |error: std::io::Error| LogError::Storage(format!("directory {}: {error}", dir.display()));
        crate::folder::make(dir).map_err(failed)?;
        let lock = lock(dir)?;
        let files = Files { database: dir.join("log.db"), lock };
        files
            .create()
            .map_err(|error| LogError::Storage(format!("{}: {error}", files.database.display())))?;
        // The names of new files are durable only with their directory.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        Ok(files)
    }

    fn create(&self) -> rusqlite::Result<()> {
        let connection = Connection::open(&self.database)?;
        connection.pragma_update(None, "page_size", 8_192)?;
        configure(&connection)?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS topics (
                 id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, start INTEGER NOT NULL, next INTEGER NOT NULL,
                 newest_ms INTEGER NOT NULL, retention_ms INTEGER) STRICT",
        )
    }

    pub(super) fn writer(&self) -> Result<Connection, LogError> {
        let open = || {
            let connection = Connection::open(&self.database)?;
            configure(&connection)?;
            Ok(connection)
        };
        open().map_err(storage)
    }

    pub(super) fn reader(&self) -> Result<Connection, LogError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(&self.database, flags)?;
            connection.busy_timeout(BUSY)?;
            Ok(connection)
        };
        open().map_err(storage)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Closing is not enough: a process that another thread is just starting shares the open file until it runs its own
        // program. An error leaves the lock to the closing.
        let _closed_in_any_case = self.lock.unlock();
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Two processes on one file would each believe that they know its end.
fn lock(dir: &Path) -> Result<File, LogError> {
    let path = dir.join("lock");
    let failed = |error: std::io::Error| LogError::Storage(format!("lock file {}: {error}", path.display()));
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(failed)?;
            return Err(LogError::Storage(format!(
                "{} is in use by process {}; stop it, or choose another directory",
                dir.display(),
                holder.trim()
            )));
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

/// Every topic, in the order in which they were made.
pub(super) fn topics(connection: &Connection) -> rusqlite::Result<Vec<Topic>> {
    let mut select = connection
        .prepare("SELECT id, name, start, next, newest_ms, retention_ms FROM topics ORDER BY id")?;
    let rows = select.query_map([], |row| {
        Ok(Topic {
            id: row.get(0)?,
            name: row.get(1)?,
            start: row.get::<_, i64>(2)? as u64,
            next: row.get::<_, i64>(3)? as u64,
            newest_ms: row.get(4)?,
            retention_ms: row.get(5)?,
        })
    })?;
    rows.collect()
}

pub(super) fn create_records(topic: i64) -> String {
    format!(
        "CREATE TABLE records_{topic} (
             offset INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, protobuf INTEGER NOT NULL,
             key BLOB NOT NULL, value BLOB NOT NULL) STRICT"
    )
}

pub(super) fn insert_record(topic: i64) -> String {
    format!("INSERT INTO records_{topic} (offset, at_ms, protobuf, key, value) VALUES (?, ?, ?, ?, ?)")
}

pub(super) fn select_records(topic: i64) -> String {
    format!(
        "SELECT offset, at_ms, protobuf, key, value FROM records_{topic} WHERE offset >= ? AND offset < ? ORDER BY offset"
    )
}

pub(super) fn select_stamp(topic: i64) -> String {
    format!("SELECT at_ms FROM records_{topic} WHERE offset = ?")
}

pub(super) fn delete_records(topic: i64) -> String {
    format!("DELETE FROM records_{topic} WHERE offset < ?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_log_can_be_opened_whoever_still_shares_the_open_file() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(dir.path()).unwrap();
        let shared = files.lock.try_clone().unwrap();
        assert!(Files::open(dir.path()).is_err());
        drop(files);
        assert!(Files::open(dir.path()).is_ok());
        drop(shared);
    }
}
