//! Many rows or values with a statement whose text does not depend on how many there are.
//!
//! A database parses and plans such a statement once. SQLite is also slow with many parameters that have names (`$1` is one to it):
//! it looks through all of them for each.

use serde::Serialize;
use sqlx::{AssertSqlSafe, Postgres, postgres::PgArguments, query::QueryAs};

use super::{
    Dialect, Id, Queries, Row, StoreError, Tx, Value,
    connection::{Connection, sqlite_as, tell},
};
use crate::limits;

impl Tx {
    /// Inserts any number of rows with few statements, in this order.
    ///
    /// # Errors
    /// A row is a duplicate or refers to one that does not exist, or the database failed.
    pub(crate) async fn insert_all(&mut self, table: &str, columns: &[&str], rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        self.insert::<Id>(table, columns, rows, "").await?;
        Ok(())
    }

    /// As [`Self::insert_all`], and returns what `returning` names of each row, in no particular order.
    ///
    /// # Errors
    /// As for [`Self::insert_all`].
    pub(crate) async fn insert_returning<T: Row>(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: Vec<Vec<Value>>,
        returning: &'static str,
    ) -> Result<Vec<T>, StoreError> {
        self.insert(table, columns, rows, &format!(" RETURNING {returning}")).await
    }

    async fn insert<T: Row>(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: Vec<Vec<Value>>,
        returning: &str,
    ) -> Result<Vec<T>, StoreError> {
        let mut returned = Vec::new();
        let mut rows = rows.into_iter();
        let names = columns.join(", ");
        let at_once = match self {
            Self::Sqlite(..) => limits::MAX_STATEMENT_VALUES / columns.len().max(1),
            Self::Postgres(_) => limits::MAX_STATEMENT_VALUES,
        };
        loop {
            let chunk: Vec<Vec<Value>> = rows.by_ref().take(at_once).collect();
            if chunk.is_empty() {
                return Ok(returned);
            }
            returned.extend(match self.connection() {
                Connection::Sqlite(connection) => {
                    let row = format!("({})", vec!["?"; columns.len()].join(", "));
                    let values = vec![row.as_str(); chunk.len()].join(", ");
                    let sql = format!("INSERT INTO {table} ({names}) VALUES {values}{returning}");
                    tell(&sql);
                    sqlite_as::<T>(sql.into(), chunk.into_iter().flatten().collect()).fetch_all(connection).await?
                }
                Connection::Postgres(connection, patience) => {
                    let lists = (1..=columns.len()).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
                    let sql = format!(
                        "INSERT INTO {table} ({names}) SELECT {names} FROM UNNEST({lists}) WITH ORDINALITY AS given ({names}, nth) \
                         ORDER BY nth{returning}"
                    );
                    tell(&sql);
                    patience.bound(postgres_lists::<T>(sql, chunk).fetch_all(connection)).await?
                }
            });
        }
    }
}

/// One column of many rows.
enum Column {
    Integers(Vec<Option<i64>>),
    Doubles(Vec<Option<f64>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Column {
    fn for_values_like(value: &Value) -> Self {
        match value {
            Value::Integer(_) => Self::Integers(Vec::new()),
            Value::Double(_) => Self::Doubles(Vec::new()),
            Value::Text(_) => Self::Texts(Vec::new()),
            Value::Bytes(_) => Self::Bytes(Vec::new()),
        }
    }

    fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::Integers(list), Value::Integer(value)) => list.push(value),
            (Self::Doubles(list), Value::Double(value)) => list.push(value),
            (Self::Texts(list), Value::Text(value)) => list.push(value),
            (Self::Bytes(list), Value::Bytes(value)) => list.push(value),
            _ => unreachable!("the values of a column are of one type"),
        }
    }
}

fn postgres_lists<T: Row>(sql: String, rows: Vec<Vec<Value>>) -> QueryAs<'static, Postgres, T, PgArguments> {
    let mut columns: Vec<Column> = rows.first().into_iter().flatten().map(Column::for_values_like).collect();
    for row in rows {
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    columns.into_iter().fold(sqlx::query_as(AssertSqlSafe(sql)), |query, column| match column {
        Column::Integers(list) => query.bind(list),
        Column::Doubles(list) => query.bind(list),
        Column::Texts(list) => query.bind(list),
        Column::Bytes(list) => query.bind(list),
    })
}

/// What a [`list`] is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Among {
    Integers,
    Texts,
}

/// Any number of values as one parameter, for [`among`].
pub(crate) fn list(items: impl IntoIterator<Item: Serialize>) -> Value {
    let items: Vec<_> = items.into_iter().collect();
    Value::from(serde_json::to_string(&items).expect("numbers and texts are JSON"))
}

/// The condition that a column is one of the list that is parameter `number`.
pub(crate) fn among(conn: &mut impl Queries, column: &str, of: Among, number: usize) -> String {
    match (conn.dialect(), of) {
        (Dialect::Sqlite, _) => format!("{column} IN (SELECT value FROM json_each(${number}))"),
        (Dialect::Postgres, Among::Texts) => {
            format!("{column} = ANY (ARRAY (SELECT json_array_elements_text(${number}::json)))")
        }
        (Dialect::Postgres, Among::Integers) => {
            format!("{column} = ANY (ARRAY (SELECT CAST(json_array_elements_text(${number}::json) AS BIGINT)))")
        }
    }
}

/// Joins the row of a table whose id is this one, under a name, to a few rows.
///
/// PostgreSQL takes a recursion for a hundred rows, and goes by what a table was when a connection first asked: it would read one
/// whole that has grown since. So it is told to look each row up.
pub(crate) fn row_of(conn: &mut impl Queries, table: &str, name: &str, id: &str) -> String {
    match conn.dialect() {
        Dialect::Sqlite => format!("JOIN {table} AS {name} ON {name}.id = {id}"),
        // Without an `OFFSET` it is a join like any other.
        Dialect::Postgres => {
            format!("CROSS JOIN LATERAL (SELECT * FROM {table} AS found WHERE found.id = {id} OFFSET 0) AS {name}")
        }
    }
}

/// The condition that these columns of a table are each one of its list; the lists are appended to `values`.
pub(crate) fn all_among<const N: usize>(
    conn: &mut impl Queries,
    table: &str,
    columns: [(&'static str, Vec<i64>); N],
    values: &mut Vec<Value>,
) -> String {
    let conditions = columns.map(|(column, ids)| {
        values.push(list(ids));
        among(conn, &format!("{table}.{column}"), Among::Integers, values.len())
    });
    conditions.join(" AND ")
}

/// A column of doubles as texts that read back as the same numbers. Many of them joined cost less than a row for each.
pub(crate) fn exact(conn: &mut impl Queries, column: &str) -> String {
    match conn.dialect() {
        Dialect::Sqlite => format!("printf('%!.17g', {column})"),
        Dialect::Postgres => format!("{column}::text"),
    }
}
