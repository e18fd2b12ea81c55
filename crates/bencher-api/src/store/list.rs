//! Lists: how one is filtered, sorted and cut into pages.

use serde::{Deserialize, Serialize};

use super::{Queries, Row, StoreError, Value};
use crate::{limits, values};

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JsonDirection)]
pub enum Direction {
    Asc,
    Desc,
}

impl Direction {
    #[must_use]
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Asc => "ASC",
            Self::Desc => "DESC",
        }
    }
}

/// The part of a list that a query asks for. The query types of lists repeat these fields, because `serde` cannot
/// flatten numbers out of a query string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub limit: i64,
    pub offset: i64,
}

impl Page {
    /// `page` counts from 1; 0 means the same as 1.
    #[must_use]
    pub fn new(per_page: Option<u8>, page: Option<u32>) -> Self {
        let limit = i64::from(per_page.unwrap_or(limits::DEFAULT_PER_PAGE));
        let page = i64::from(page.unwrap_or(1)).max(1);
        Self { limit, offset: limit * (page - 1) }
    }
}

/// What lists of named things are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameSort {
    #[default]
    Name,
    Created,
}

impl NameSort {
    /// The column. Only columns that every list of named things has.
    const fn column(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Created => "created",
        }
    }
}

/// Which part of a list of named things is asked for.
#[derive(Clone, Debug)]
pub struct ListBy {
    /// Exactly this name.
    pub name: Option<String>,
    /// Part of the name, slug or UUID, in any case.
    pub search: Option<String>,
    pub sort: NameSort,
    pub direction: Direction,
    pub page: Page,
}

/// Whether a list shows what is there or what was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Present,
    Deleted,
}

impl Presence {
    /// The condition on a table whose rows can be deleted.
    pub(crate) fn condition(self, table: &str) -> String {
        match self {
            Self::Present => format!("{table}.deleted IS NULL"),
            Self::Deleted => format!("{table}.deleted IS NOT NULL"),
        }
    }
}

/// A list's statement while its conditions are put together.
#[derive(Clone, Debug)]
pub(crate) struct ListQuery {
    columns: &'static str,
    from: String,
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl ListQuery {
    /// `from` names tables and joins; `columns` are what a row is made of.
    pub(crate) fn new(columns: &'static str, from: impl Into<String>) -> Self {
        Self { columns, from: from.into(), conditions: Vec::new(), values: values![] }
    }

    /// Adds a condition on a value, which stands wherever the condition says `?`.
    pub(crate) fn filter(mut self, condition: &str, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self.conditions.push(condition.replace('?', &format!("${}", self.values.len())));
        self
    }

    /// Adds a condition that needs no value.
    pub(crate) fn when(mut self, condition: &str) -> Self {
        self.conditions.push(condition.to_owned());
        self
    }

    /// One page of what is named and has a slug and a UUID in `table`, sorted as asked.
    pub(crate) async fn named<T: Row>(
        self,
        conn: &mut impl Queries,
        table: &str,
        by: &ListBy,
    ) -> Result<(Vec<T>, u64), StoreError> {
        let part = ["name", "slug", "uuid"].map(|column| format!("lower({table}.{column}) LIKE ? ESCAPE '\\'")).join(" OR ");
        self.searched(&format!("({part})"), table, by).page(conn, &order(table, by.sort.column(), by.direction), by.page).await
    }

    /// One page of what is named and has a UUID but no slug.
    pub(crate) async fn named_without_slug<T: Row>(
        self,
        conn: &mut impl Queries,
        table: &str,
        created: &str,
        by: &ListBy,
    ) -> Result<(Vec<T>, u64), StoreError> {
        let part = ["name", "uuid"].map(|column| format!("lower({table}.{column}) LIKE ? ESCAPE '\\'")).join(" OR ");
        let column = if by.sort == NameSort::Created { created } else { by.sort.column() };
        self.searched(&format!("({part})"), table, by).page(conn, &order(table, column, by.direction), by.page).await
    }

    fn searched(mut self, part: &str, table: &str, by: &ListBy) -> Self {
        if let Some(name) = &by.name {
            self = self.filter(&format!("{table}.name = ?"), name.as_str());
        }
        if let Some(search) = &by.search {
            self = self.filter(part, like_pattern(search));
        }
        self
    }

    /// One page in this order, and how many rows there are in all.
    pub(crate) async fn page<T: Row>(
        self,
        conn: &mut impl Queries,
        order: &str,
        page: Page,
    ) -> Result<(Vec<T>, u64), StoreError> {
        let Self { columns, from, conditions, mut values } = self;
        let conditions = if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
        let total: Count = conn.one(format!("SELECT COUNT(*) AS count FROM {from} WHERE {conditions}"), values.clone()).await?;
        let (limit, offset) = (values.len() + 1, values.len() + 2);
        values.extend(values![page.limit, page.offset]);
        let sql = format!("SELECT {columns} FROM {from} WHERE {conditions} ORDER BY {order} LIMIT ${limit} OFFSET ${offset}");
        Ok((conn.all(sql, values).await?, total.get()))
    }
}

/// Equal rows keep the order in which they were made, so that pages neither repeat nor miss any.
pub(crate) fn order(table: &str, column: &str, direction: Direction) -> String {
    let direction = direction.sql();
    format!("{table}.{column} {direction}, {table}.id {direction}")
}

/// The row of a `SELECT COUNT(*) AS count`.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(crate) struct Count {
    count: i64,
}

impl Count {
    pub(crate) fn get(self) -> u64 {
        u64::try_from(self.count).unwrap_or(0)
    }
}

/// The `LIKE` pattern (escape character `\\`) of a part that may stand anywhere; letters in lower case.
///
/// Databases refuse patterns that are too long. No name is nearly as long as what is kept of one, so that both find nothing.
pub(crate) fn like_pattern(search: &str) -> String {
    let kept: String = search.chars().take(limits::MAX_SEARCH_CHARS).collect();
    let escaped = kept.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
