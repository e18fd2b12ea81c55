//! Moving every row from one database to another, whichever they are: which tables there are, what is in them, and how to tell that
//! all of it has arrived.
//!
//! Tables and columns are asked of the databases, so that no migration is forgotten here. Rows of a table have no order: what is
//! compared is how many there are and a sum of the hashes of each, which two databases with different ideas of order agree on.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use sha2::{Digest as _, Sha256};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Decode, FromRow, Row as _, Type, TypeInfo as _, ValueRef as _, postgres::PgRow, sqlite::SqliteRow,
};

use super::{Dialect, Queries, Store, StoreError, Tx, Value, connection::Connection};
use crate::{limits, values};

/// Uploads that are under way are files of one server: what there is of them stays behind, and clients begin again. The log of events
/// is what the target's own triggers write, and so is what projects hold of blobs.
const LEFT_BEHIND: &[&str] = &["event", "oci_upload", "oci_usage"];

/// Whoever keeps the tables of a database from being moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the databases do not have the same tables: {0}; bring both up to date with this version")]
    Schema(String),
    #[error("the tables {0} refer to each other in a circle, so that none of them can be first")]
    Circle(String),
    #[error("the database is not empty: the table {table} has rows; name a new one")]
    NotEmpty { table: String },
    #[error("{0} other connections of servers are open to the database; stop the servers")]
    InUse(i64),
    #[error("a row of {table} has a {found} in the column {column}, where there should be a {expected}")]
    Value { table: String, column: String, expected: &'static str, found: &'static str },
    #[error("{table} has {found} after the copy and {expected} before: nothing was kept")]
    Differs { table: String, expected: Box<Sum>, found: Box<Sum> },
}

/// One of the four types of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Double,
    Text,
    Bytes,
}

impl Kind {
    /// As the databases spell it.
    fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "INTEGER" | "BIGINT" | "INT8" => Self::Integer,
            "REAL" | "DOUBLE" | "DOUBLE PRECISION" | "FLOAT8" => Self::Double,
            "TEXT" => Self::Text,
            "BLOB" | "BYTEA" => Self::Bytes,
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Text => "text",
            Self::Bytes => "byte string",
        }
    }
}

/// A table, as far as copying it is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    columns: Vec<(String, Kind)>,
}

/// What is in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub rows: u64,
    hashes: [u64; 4],
}

impl Sum {
    fn add(&mut self, row: &[Value]) {
        let mut hasher = Sha256::new();
        for value in row {
            match value {
                Value::Integer(None) | Value::Double(None) | Value::Text(None) | Value::Bytes(None) => hasher.update([0]),
                Value::Integer(Some(integer)) => hasher.update([&[1][..], &integer.to_le_bytes()].concat()),
                Value::Double(Some(double)) => hasher.update([&[2][..], &double.to_bits().to_le_bytes()].concat()),
                Value::Text(Some(text)) => framed(&mut hasher, 3, text.as_bytes()),
                Value::Bytes(Some(bytes)) => framed(&mut hasher, 4, bytes),
            }
        }
        let hash: [u8; 32] = hasher.finalize().into();
        for (sum, part) in self.hashes.iter_mut().zip(hash.chunks_exact(8)) {
            *sum = sum.wrapping_add(u64::from_le_bytes(part.try_into().expect("chunks of eight")));
        }
        self.rows += 1;
    }
}

fn framed(hasher: &mut Sha256, tag: u8, bytes: &[u8]) {
    hasher.update([tag]);
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows with the checksum {:016x}", self.rows, self.hashes[0])
    }
}

/// A value as a database gives it.
#[derive(Clone, Debug)]
enum Cell {
    Null,
    Integer(i64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A row of any table.
#[derive(Clone, Debug)]
struct Cells(Vec<Cell>);

impl<'r> FromRow<'r, SqliteRow> for Cells {
    fn from_row(row: &'r SqliteRow) -> Result<Self, sqlx::Error> {
        (0..row.len()).map(|index| cell(row, index)).collect::<Result<_, _>>().map(Self)
    }
}

impl<'r> FromRow<'r, PgRow> for Cells {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        (0..row.len()).map(|index| cell(row, index)).collect::<Result<_, _>>().map(Self)
    }
}

fn cell<'r, R: sqlx::Row>(row: &'r R, index: usize) -> Result<Cell, sqlx::Error>
where
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    f64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match Kind::of(&kind) {
        Some(Kind::Integer) => Cell::Integer(row.try_get(index)?),
        Some(Kind::Double) => Cell::Double(row.try_get(index)?),
        Some(Kind::Text) => Cell::Text(row.try_get(index)?),
        Some(Kind::Bytes) => Cell::Bytes(row.try_get(index)?),
        None => return Err(sqlx::Error::Decode(format!("a value of the type {kind}, which no column has").into())),
    })
}

#[derive(sqlx::FromRow)]
struct ColumnRow {
    table_name: String,
    column_name: String,
    kind: String,
}

#[derive(sqlx::FromRow)]
struct ReferenceRow {
    child: String,
    parent: String,
}

#[derive(sqlx::FromRow)]
struct CountRow {
    count: i64,
}

impl Store {
    /// The tables, each after those that its rows refer to, without those that stay behind.
    ///
    /// # Errors
    /// The database failed, or has what the store never makes.
    pub async fn tables(&self) -> Result<Vec<Table>, TransferError> {
        let (columns, references) = match self.dialect() {
            Dialect::Sqlite => (
                "SELECT t.name AS table_name, c.name AS column_name, c.type AS kind FROM sqlite_master AS t \
                 JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                 AND t.name <> '_sqlx_migrations' ORDER BY t.name, c.name",
                "SELECT t.name AS child, r.\"table\" AS parent FROM sqlite_master AS t JOIN pragma_foreign_key_list(t.name) AS r \
                 WHERE t.type = 'table'",
            ),
            Dialect::Postgres => (
                "SELECT c.table_name::text AS table_name, c.column_name::text AS column_name, c.data_type::text AS kind \
                 FROM information_schema.columns AS c JOIN information_schema.tables AS t \
                   ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
                 WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.table_name <> '_sqlx_migrations' \
                   AND c.is_generated = 'NEVER' ORDER BY 1, 2",
                "SELECT child.relname::text AS child, parent.relname::text AS parent FROM pg_constraint AS r \
                 JOIN pg_class AS child ON child.oid = r.conrelid JOIN pg_class AS parent ON parent.oid = r.confrelid \
                 WHERE r.contype = 'f' AND r.connamespace = current_schema()::regnamespace",
            ),
        };
        let mut conn = self.read().await?;
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for ColumnRow { table_name, column_name, kind } in conn.all::<ColumnRow>(columns, values![]).await? {
            let kind = Kind::of(&kind)
                .ok_or_else(|| TransferError::Schema(format!("the column {table_name}.{column_name} is a {kind}")))?;
            let table = tables.entry(table_name.clone()).or_insert(Table { name: table_name, columns: Vec::new() });
            table.columns.push((column_name, kind));
        }
        // Both databases give the columns in an order of their own.
        tables.values_mut().for_each(|table| table.columns.sort_by(|one, other| one.0.cmp(&other.0)));
        let references = conn.all::<ReferenceRow>(references, values![]).await?;
        let mut ordered = in_order(tables, &references)?;
        ordered.retain(|table| !LEFT_BEHIND.contains(&table.name.as_str()));
        Ok(ordered)
    }

    /// Checks that no server is connected to the database, where it can tell: SQLite's has a lock of its own. Waits a moment for one
    /// that was just stopped.
    ///
    /// # Errors
    /// There is one, or the database failed.
    pub async fn check_unused(&self) -> Result<(), TransferError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let sql = "SELECT COUNT(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1";
        let mut others = 0;
        for _ in 0..limits::LEAVING_CHECKS {
            others = self.read().await?.one::<CountRow>(sql, values![super::postgres::SERVER]).await?.count;
            if others == 0 {
                return Ok(());
            }
            tokio::time::sleep(limits::LEAVING_CHECK_INTERVAL).await;
        }
        Err(TransferError::InUse(others))
    }

    /// Takes a lock with which nobody else writes to any of the tables until the transaction ends.
    ///
    /// # Errors
    /// The database failed.
    pub async fn lock_tables(&self, tables: &[Table]) -> Result<Tx, TransferError> {
        // SQLite's lock is that of its one writer.
        let mut tx = self.begin().await?;
        if self.dialect() == Dialect::Postgres {
            let names: Vec<String> = tables.iter().map(|table| quoted(&table.name)).collect();
            tx.execute(format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", names.join(", ")), values![]).await?;
        }
        Ok(tx)
    }
}

/// Each table after those that its rows refer to.
fn in_order(mut tables: BTreeMap<String, Table>, references: &[ReferenceRow]) -> Result<Vec<Table>, TransferError> {
    let mut ordered: Vec<Table> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waiting: BTreeSet<&str> = references
            .iter()
            .filter(|row| row.parent != row.child && tables.contains_key(&row.parent))
            .map(|row| row.child.as_str())
            .collect();
        let ready: Vec<String> = tables.keys().filter(|name| !waiting.contains(name.as_str())).cloned().collect();
        if ready.is_empty() {
            return Err(TransferError::Circle(tables.keys().cloned().collect::<Vec<_>>().join(", ")));
        }
        ordered.extend(ready.iter().filter_map(|name| tables.remove(name)));
    }
    Ok(ordered)
}

/// # Errors
/// The two databases do not have the same tables with the same columns.
pub fn check_same(source: &[Table], target: &[Table]) -> Result<(), TransferError> {
    let (source, target): (Vec<_>, Vec<_>) = (sorted(source), sorted(target));
    match source.iter().zip(&target).find(|(one, other)| one != other) {
        Some((one, other)) => Err(TransferError::Schema(format!("{} and {} differ", one.name, other.name))),
        None if source.len() != target.len() => Err(TransferError::Schema(format!("{} and {}", source.len(), target.len()))),
        None => Ok(()),
    }
}

fn sorted(tables: &[Table]) -> Vec<&Table> {
    let mut tables: Vec<&Table> = tables.iter().collect();
    tables.sort_by(|one, other| one.name.cmp(&other.name));
    tables
}

/// # Errors
/// A table has a row, or the database failed.
pub async fn check_empty(tx: &mut Tx, tables: &[Table]) -> Result<(), TransferError> {
    let left_behind = LEFT_BEHIND.iter().map(|name| (*name).to_owned());
    for table in tables.iter().map(|table| table.name.clone()).chain(left_behind) {
        let sql = format!("SELECT COUNT(*) AS count FROM (SELECT 1 AS one FROM {} LIMIT 1) AS first", quoted(&table));
        if tx.one::<CountRow>(sql, values![]).await?.count > 0 {
            return Err(TransferError::NotEmpty { table });
        }
    }
    Ok(())
}

/// Copies the rows of a table. `told` is called with how many more there are, now and then.
///
/// # Errors
/// A database failed, or a row does not fit.
pub async fn copy_rows(
    source: &mut Tx,
    target: &mut Tx,
    table: &Table,
    mut told: impl FnMut(u64) + Send,
) -> Result<Sum, TransferError> {
    let at_once = (limits::MAX_STATEMENT_VALUES / table.columns.len().max(1)).max(1);
    let columns: Vec<String> = table.columns.iter().map(|(name, _)| quoted(name)).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut sum = Sum::default();
    let mut rows = stream(source, select(table)).try_chunks(at_once);
    while let Some(chunk) = rows.try_next().await.map_err(|error| error.1)? {
        let rows = chunk.into_iter().map(|row| fitted(table, row)).collect::<Result<Vec<_>, _>>()?;
        rows.iter().for_each(|row| sum.add(row));
        let count = rows.len() as u64;
        target.insert_all(&quoted(&table.name), &columns, rows).await?;
        told(count);
    }
    Ok(sum)
}

/// What is in a table.
///
/// # Errors
/// The database failed, or a row does not fit.
pub async fn sum(tx: &mut Tx, table: &Table) -> Result<Sum, TransferError> {
    let mut sum = Sum::default();
    let mut rows = stream(tx, select(table));
    while let Some(row) = rows.try_next().await? {
        sum.add(&fitted(table, row)?);
    }
    Ok(sum)
}

/// Makes the numbers that the database gives to new rows go on after those that were copied. SQLite's do by themselves.
///
/// # Errors
/// The database failed.
pub async fn set_sequences(tx: &mut Tx) -> Result<(), TransferError> {
    if matches!(tx, Tx::Sqlite(..)) {
        return Ok(());
    }
    let sql = "SELECT table_name::text AS table_name, column_name::text AS column_name, data_type::text AS kind \
               FROM information_schema.columns WHERE table_schema = current_schema() AND is_identity = 'YES'";
    for ColumnRow { table_name, column_name, .. } in tx.all::<ColumnRow>(sql, values![]).await? {
        let (table, column) = (quoted(&table_name), quoted(&column_name));
        // The function takes the table as it would be written in a statement, and the column as it is.
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence($1, $2), GREATEST((SELECT MAX({column}) FROM {table}), 1), \
             (SELECT MAX({column}) FROM {table}) IS NOT NULL) AS count"
        );
        tx.one::<CountRow>(sql, values![table, column_name]).await?;
    }
    Ok(())
}

fn select(table: &Table) -> String {
    format!("SELECT {} FROM {}", names(table), quoted(&table.name))
}

fn names(table: &Table) -> String {
    table.columns.iter().map(|(name, _)| quoted(name)).collect::<Vec<_>>().join(", ")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A row as parameters, NULL with the type of its column. Texts are as every other text that is written.
fn fitted(table: &Table, Cells(cells): Cells) -> Result<Vec<Value>, TransferError> {
    let fit = |((column, kind), cell): (&(String, Kind), Cell)| {
        let wrong = |found: Kind| TransferError::Value {
            table: table.name.clone(),
            column: column.clone(),
            expected: kind.name(),
            found: found.name(),
        };
        Ok(match (kind, cell) {
            (Kind::Integer, Cell::Null) => Value::Integer(None),
            (Kind::Double, Cell::Null) => Value::Double(None),
            (Kind::Text, Cell::Null) => Value::Text(None),
            (Kind::Bytes, Cell::Null) => Value::Bytes(None),
            (Kind::Integer, Cell::Integer(integer)) => integer.into(),
            (Kind::Double, Cell::Double(double)) => double.into(),
            (Kind::Text, Cell::Text(text)) => text.into(),
            (Kind::Bytes, Cell::Bytes(bytes)) => bytes.into(),
            (_, Cell::Integer(_)) => return Err(wrong(Kind::Integer)),
            (_, Cell::Double(_)) => return Err(wrong(Kind::Double)),
            (_, Cell::Text(_)) => return Err(wrong(Kind::Text)),
            (_, Cell::Bytes(_)) => return Err(wrong(Kind::Bytes)),
        })
    };
    table.columns.iter().zip(cells).map(fit).collect()
}

/// The rows of a statement, one by one: a table may be larger than memory.
fn stream(tx: &mut Tx, sql: String) -> BoxStream<'_, Result<Cells, StoreError>> {
    let sql: Cow<'static, str> = sql.into();
    match tx.connection() {
        Connection::Sqlite(connection) => {
            sqlx::query_as(AssertSqlSafe(sql.into_owned())).fetch(connection).map_err(StoreError::from).boxed()
        }
        Connection::Postgres(connection, _) => {
            sqlx::query_as(AssertSqlSafe(sql.into_owned())).fetch(connection).map_err(StoreError::from).boxed()
        }
    }
}

#[cfg(test)]
mod tests;
