//! Pages of lists: `sort`, `direction`, `per_page` and `page`.

use serde::{Deserialize, Serialize};

use crate::limits;

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
pub(crate) fn like_pattern(search: &str) -> String {
    let escaped = search.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
