//! What was created in a project lately.

use bencher_types::DateTime;

use super::{Queries, Store, StoreError};
use crate::values;

/// A kind of thing that is created in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Report,
    Branch,
    Testbed,
    Benchmark,
    Measure,
    Threshold,
}

impl Kind {
    pub const ALL: [Self; 6] = [Self::Report, Self::Branch, Self::Testbed, Self::Benchmark, Self::Measure, Self::Threshold];

    const fn table(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Branch => "branch",
            Self::Testbed => "testbed",
            Self::Benchmark => "benchmark",
            Self::Measure => "measure",
            Self::Threshold => "threshold",
        }
    }

    /// What people call several of them.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Report => "reports",
            Self::Branch => "branches",
            Self::Testbed => "testbeds",
            Self::Benchmark => "benchmarks",
            Self::Measure => "measures",
            Self::Threshold => "thresholds",
        }
    }
}

#[derive(sqlx::FromRow)]
struct More {
    number: i64,
}

impl Store {
    /// Which of these kinds has more than `most` things that were created in the project since then.
    ///
    /// # Errors
    /// The database failed.
    pub async fn created_more_than(
        &self,
        most: u32,
        project: i64,
        kinds: &[Kind],
        since: DateTime,
    ) -> Result<Option<Kind>, StoreError> {
        more_than(&mut self.read().await?, most, project, kinds, since).await
    }
}

/// As [`Store::created_more_than`], with what the transaction itself made.
pub(crate) async fn more_than(
    conn: &mut impl Queries,
    most: u32,
    project: i64,
    kinds: &[Kind],
    since: DateTime,
) -> Result<Option<Kind>, StoreError> {
    // Looks for the one that is too many, by an index on the time: nothing is counted to the end.
    let selects: Vec<String> = kinds
        .iter()
        .enumerate()
        .map(|(number, kind)| {
            let table = kind.table();
            format!(
                "SELECT CAST({number} AS BIGINT) AS number WHERE EXISTS \
                 (SELECT id FROM {table} WHERE project_id = $1 AND created > $2 ORDER BY created LIMIT 1 OFFSET $3)"
            )
        })
        .collect();
    let found: Option<More> =
        conn.optional(format!("{} LIMIT 1", selects.join(" UNION ALL ")), values![project, since, most]).await?;
    Ok(found.and_then(|more| kinds.get(usize::try_from(more.number).ok()?).copied()))
}
