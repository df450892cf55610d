//! Reading the board's store: ranges of series, and what stands of an organisation at a minute.
//!
//! A reader has its own connection and sees whole batches only. It never writes.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use domain::measures::{OrgMinute, SeriesKey, Values};
use domain::organisations::groups::GroupRow;
use domain::organisations::{self, Level, Organisations};
use domain::time::Minute;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::history::Published;
use crate::row::{Head, Row, RowError, Shape};
use crate::store::{self, FILE, StoreError, row_id};

/// From this step on, single rows are looked up instead of reading every row of the range.
const LOOK_UP_FROM_STEP: u32 = 24;

/// The points of some series of one organisation, each rising by minute.
pub type Points = BTreeMap<SeriesKey, Vec<(Minute, Values)>>;

/// Which minutes are wanted: the multiples of `step_minutes` (of Unix time) from `from` to `until`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub from: Minute,
    /// The last.
    pub until: Minute,
    /// Every how many minutes, at least 1.
    pub step_minutes: u32,
}

impl Range {
    /// How many points a series can have in it.
    pub fn points(self) -> u64 {
        let step = self.step_minutes.max(1);
        let first = self.from.0.div_ceil(step);
        u64::from((self.until.0 / step + 1).saturating_sub(first))
    }
}

/// The store, open for reading.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    connection: Connection,
    orgs: HashMap<String, (u32, Level)>,
    shapes: HashMap<u64, Shape>,
}

impl Reader {
    /// Opens the store of a folder; a writer may be at work in it.
    pub fn open(dir: &Path) -> Result<Reader, StoreError> {
        let file = dir.join(FILE);
        if !file.is_file() {
            return Err(StoreError::Missing(dir.to_owned()));
        }
        let failed = |source| StoreError::sqlite(dir, source);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags).map_err(failed)?;
        store::check(&connection, dir, false)?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -16384;").map_err(failed)?;
        Ok(Reader { path: dir.to_owned(), connection, orgs: HashMap::new(), shapes: HashMap::new() })
    }

    /// The points of one series of an organisation, rising by minute. A minute without one is left out; it says the same
    /// as zeros (spec 2.4). An unknown organisation has none.
    pub fn series(
        &mut self,
        org: &str,
        key: &SeriesKey,
        range: Range,
    ) -> Result<Vec<(Minute, Values)>, StoreError> {
        Ok(self.matching(org, range, &|held| held == key)?.remove(key).unwrap_or_default())
    }

    /// The points of every series of an organisation that `wanted` picks, in one pass over its rows.
    pub fn matching(
        &mut self,
        org: &str,
        range: Range,
        wanted: &dyn Fn(&SeriesKey) -> bool,
    ) -> Result<Points, StoreError> {
        let Some((number, _)) = self.org(org)? else { return Ok(Points::new()) };
        let path = self.path.clone();
        let failed = |source| StoreError::sqlite(&path, source);
        let step = range.step_minutes.max(1);
        let mut pick =
            Pick { wanted, positions: HashMap::new(), points: Points::new(), shapes: &mut self.shapes };
        let mut take = |minute: Minute, bytes: &[u8]| pick.row(&self.connection, &path, org, minute, bytes);
        if step >= LOOK_UP_FROM_STEP {
            let sql = "SELECT series FROM org_minutes WHERE id = ?1";
            let mut select = self.connection.prepare_cached(sql).map_err(failed)?;
            for at in range.from.0.div_ceil(step)..=range.until.0 / step {
                let minute = Minute(at * step);
                let mut rows = select.query([row_id(number, minute)]).map_err(failed)?;
                if let Some(row) = rows.next().map_err(failed)? {
                    take(minute, blob(row, 0).map_err(failed)?)?;
                }
            }
        } else {
            let sql = "SELECT id & 4294967295, series FROM org_minutes
                       WHERE id >= ?1 AND id <= ?2 AND (id & 4294967295) % ?3 = 0 ORDER BY id";
            let mut select = self.connection.prepare_cached(sql).map_err(failed)?;
            let (first, last) = (row_id(number, range.from), row_id(number, range.until));
            let mut rows = select.query([first, last, i64::from(step)]).map_err(failed)?;
            while let Some(row) = rows.next().map_err(failed)? {
                take(Minute(row.get(0).map_err(failed)?), blob(row, 1).map_err(failed)?)?;
            }
        }
        Ok(pick.points)
    }

    /// What stands of an organisation at a minute; `None` if nothing was written for it.
    pub fn row(&mut self, org: &str, minute: Minute) -> Result<Option<Row>, StoreError> {
        let sql = "SELECT id & 4294967295, series FROM org_minutes WHERE id = ?1 AND ?2 = ?2";
        Ok(self.one(org, sql, minute, minute)?.map(|(_, row)| row))
    }

    /// What is kept for years of an organisation from one minute to another, both included, rising: at local midnights
    /// and mornings ([`crate::history`]).
    pub fn daily(
        &mut self,
        org: &str,
        from: Minute,
        until: Minute,
    ) -> Result<Vec<(Minute, Row)>, StoreError> {
        let Some((number, _)) = self.org(org)? else { return Ok(Vec::new()) };
        let path = self.path.clone();
        let failed = |source| StoreError::sqlite(&path, source);
        let sql = "SELECT id & 4294967295, series FROM daily WHERE id >= ?1 AND id <= ?2 ORDER BY id";
        let mut select = self.connection.prepare_cached(sql).map_err(failed)?;
        let mut rows = select.query([row_id(number, from), row_id(number, until)]).map_err(failed)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let minute = Minute(row.get(0).map_err(failed)?);
            let damaged = |source| StoreError::Row { org: org.to_owned(), minute, source };
            let head = Head::read(blob(row, 1).map_err(failed)?).map_err(damaged)?;
            let shape = shape(&mut self.shapes, &self.connection, &path, head.shape)?;
            found.push((minute, head.row(shape).map_err(damaged)?));
        }
        Ok(found)
    }

    /// The newest org-minute of an organisation at or before a minute, with its level.
    pub fn newest_until(&mut self, org: &str, until: Minute) -> Result<Option<OrgMinute>, StoreError> {
        let sql = "SELECT id & 4294967295, series FROM org_minutes WHERE id >= ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1";
        let level = self.org(org)?.map_or(Level::Site, |(_, level)| level);
        let found = self.one(org, sql, Minute(0), until)?;
        Ok(found.map(|(minute, row)| row.to_org_minute(level, org, minute)))
    }

    /// The newest org-minute of an organisation, with its level.
    pub fn newest(&mut self, org: &str) -> Result<Option<OrgMinute>, StoreError> {
        self.newest_until(org, Minute(u32::MAX))
    }

    /// The newest minute of any organisation; `None` in an empty store.
    pub fn newest_minute(&self) -> Result<Option<Minute>, StoreError> {
        store::newest_minute(&self.connection).map_err(|source| StoreError::sqlite(&self.path, source))
    }

    /// The oldest minute of any organisation; `None` in an empty store.
    pub fn oldest_minute(&self) -> Result<Option<Minute>, StoreError> {
        store::oldest_minute(&self.connection).map_err(|source| StoreError::sqlite(&self.path, source))
    }

    /// The table of organisations that was kept with the figures; `None` if none was.
    pub fn organisations(&self) -> Result<Option<Organisations>, StoreError> {
        let read = || {
            let sql =
                "SELECT code, name, level, parent, department_type FROM organisations ORDER BY position";
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(organisations::Row {
                    code: row.get(0)?,
                    name: row.get(1)?,
                    level: row.get(2)?,
                    parent: row.get(3)?,
                    department_type: row.get(4)?,
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let rows = read().map_err(|source| StoreError::sqlite(&self.path, source))?;
        if rows.is_empty() {
            return Ok(None);
        }
        let (groups, rows): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| row.level == Level::Group.as_str());
        let of_group = |row: &organisations::Row| -> Vec<GroupRow> {
            let member = |member: &str| GroupRow {
                group: row.code.clone(),
                name: row.name.clone(),
                member: member.to_owned(),
            };
            row.parent.split(' ').map(member).collect()
        };
        let groups: Vec<GroupRow> = groups.iter().flat_map(of_group).collect();
        Ok(Some(Organisations::new(&rows)?.with_groups(&groups)?))
    }

    /// The newest minute of any organisation that is kept for years; `None` where nothing is.
    pub fn newest_daily(&self) -> Result<Option<Minute>, StoreError> {
        let sql = "SELECT max((SELECT d.id & 4294967295 FROM daily d
                   WHERE d.id >= o.number << 32 AND d.id < (o.number + 1) << 32 ORDER BY d.id DESC LIMIT 1)) FROM orgs o";
        let newest = self.connection.query_row(sql, [], |row| row.get::<_, Option<u32>>(0));
        newest.map(|minute| minute.map(Minute)).map_err(|source| StoreError::sqlite(&self.path, source))
    }

    /// The oldest minute of any organisation, also among those that are kept for years; `None` in an empty store.
    pub fn oldest_of_all(&self) -> Result<Option<Minute>, StoreError> {
        let sql = "SELECT min((SELECT d.id & 4294967295 FROM daily d
                   WHERE d.id >= o.number << 32 AND d.id < (o.number + 1) << 32 ORDER BY d.id LIMIT 1)) FROM orgs o";
        let oldest = self.connection.query_row(sql, [], |row| row.get::<_, Option<u32>>(0));
        let oldest = oldest.map_err(|source| StoreError::sqlite(&self.path, source))?.map(Minute);
        Ok([oldest, self.oldest_minute()?].into_iter().flatten().min())
    }

    /// From which published tables figures were made, if from any.
    pub fn published(&self) -> Result<Vec<Published>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare("SELECT kind FROM published")?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let kinds = read().map_err(|source| StoreError::sqlite(&self.path, source))?;
        Ok(kinds.iter().filter_map(|kind| Published::parse(kind)).collect())
    }

    /// The organisations that the store has ever had figures of, rising by code.
    pub fn codes(&mut self) -> Result<Vec<(String, Level)>, StoreError> {
        self.load_orgs()?;
        let mut orgs: Vec<_> = self.orgs.iter().map(|(code, (_, level))| (code.clone(), *level)).collect();
        orgs.sort();
        Ok(orgs)
    }

    fn one(
        &mut self,
        org: &str,
        sql: &str,
        first: Minute,
        last: Minute,
    ) -> Result<Option<(Minute, Row)>, StoreError> {
        let Some((number, _)) = self.org(org)? else { return Ok(None) };
        let path = self.path.clone();
        let failed = |source| StoreError::sqlite(&path, source);
        let found: Option<(u32, Vec<u8>)> = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut select| {
                let bounds = [row_id(number, first), row_id(number, last)];
                select.query_row(bounds, |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(failed)?;
        let Some((minute, bytes)) = found else { return Ok(None) };
        let minute = Minute(minute);
        let damaged = |source| StoreError::Row { org: org.to_owned(), minute, source };
        let head = Head::read(&bytes).map_err(damaged)?;
        let shape = shape(&mut self.shapes, &self.connection, &path, head.shape)?;
        Ok(Some((minute, head.row(shape).map_err(damaged)?)))
    }

    /// The number and level of an organisation; reads the table again where it is not known yet.
    fn org(&mut self, code: &str) -> Result<Option<(u32, Level)>, StoreError> {
        if !self.orgs.contains_key(code) {
            self.load_orgs()?;
        }
        Ok(self.orgs.get(code).copied())
    }

    fn load_orgs(&mut self) -> Result<(), StoreError> {
        let read = || {
            let mut statement = self.connection.prepare_cached("SELECT code, number, level FROM orgs")?;
            let rows = statement.query_map([], |row| {
                let level: String = row.get(2)?;
                Ok((row.get(0)?, (row.get(1)?, Level::parse(&level).unwrap_or(Level::Site))))
            })?;
            rows.collect::<rusqlite::Result<HashMap<_, _>>>()
        };
        self.orgs = read().map_err(|source| StoreError::sqlite(&self.path, source))?;
        Ok(())
    }
}

/// The wanted series of the rows of one organisation.
struct Pick<'a> {
    wanted: &'a dyn Fn(&SeriesKey) -> bool,
    /// For each shape: which of its series are wanted.
    positions: HashMap<u64, (Vec<usize>, Vec<SeriesKey>)>,
    points: Points,
    shapes: &'a mut HashMap<u64, Shape>,
}

impl Pick<'_> {
    fn row(
        &mut self,
        connection: &Connection,
        path: &Path,
        org: &str,
        minute: Minute,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let damaged = |source| StoreError::Row { org: org.to_owned(), minute, source };
        let head = Head::read(bytes).map_err(damaged)?;
        let shape = shape(self.shapes, connection, path, head.shape)?;
        let (positions, keys) = self.positions.entry(head.shape).or_insert_with(|| {
            let keys: Vec<SeriesKey> =
                shape.columns.iter().map(|(key, _)| *key).filter(self.wanted).collect();
            (keys.iter().filter_map(|key| shape.position(key)).collect(), keys)
        });
        let points = &mut self.points;
        head.pick(shape, positions, &mut |index, values| {
            points.entry(keys[index]).or_default().push((minute, values));
        })
        .map_err(damaged)
    }
}

/// The shape of that number; reads the table again where it is not known yet.
fn shape<'a>(
    shapes: &'a mut HashMap<u64, Shape>,
    connection: &Connection,
    path: &Path,
    number: u64,
) -> Result<&'a Shape, StoreError> {
    let damaged = |error: RowError| StoreError::Damaged { path: path.to_owned(), detail: error.to_string() };
    if !shapes.contains_key(&number) {
        for (number, bytes) in store::shapes(connection).map_err(|source| StoreError::sqlite(path, source))? {
            shapes.insert(number, Shape::decode(&bytes).map_err(damaged)?);
        }
    }
    shapes.get(&number).ok_or_else(|| damaged(RowError::Shape(number)))
}

fn blob<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    Ok(row.get_ref(column)?.as_blob()?)
}
