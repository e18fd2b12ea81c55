//! What can go wrong in the store, as far as a caller would act differently.

use super::durability::NotDurable;

/// A failed read or write.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique value is taken: the caller's to report as a conflict.
    #[error("a row with the same {constraint} exists already")]
    Unique { constraint: String },
    /// A row is still referred to, or refers to one that is gone.
    #[error("the row is in use, or refers to one that does not exist")]
    ForeignKey,
    /// What was found a moment ago is not there any more: somebody deleted it meanwhile.
    #[error("the row was deleted meanwhile")]
    Gone,
    /// Nothing is wrong with the request; the database did not answer in time or is full or gone. May be tried again.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// It was written, but may be lost when the power goes.
    #[error(transparent)]
    NotDurable(#[from] NotDurable),
    /// A migration did not apply.
    #[error("the database could not be brought up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A defect: bad SQL, or a row that does not hold what it should.
    #[error("the database answered something unexpected")]
    Unexpected(#[source] sqlx::Error),
    /// A row holds a value that its type does not allow.
    #[error("the column {column} holds a value that cannot be")]
    Corrupt { column: &'static str },
}

impl StoreError {
    pub(crate) const fn corrupt(column: &'static str) -> Self {
        Self::Corrupt { column }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => {
                Self::Unique { constraint: constraint_name(database.as_ref()) }
            }
            sqlx::Error::Database(database) if is_foreign_key(database.as_ref()) => Self::ForeignKey,
            sqlx::Error::Database(database) if is_transient(database.as_ref()) => Self::Unavailable(error),
            sqlx::Error::RowNotFound => Self::Gone,
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                Self::Unavailable(error)
            }
            _ => Self::Unexpected(error),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        Self::Migrate(error)
    }
}

/// `table.column` as SQLite names it, or the constraint's name as PostgreSQL does.
fn constraint_name(error: &dyn sqlx::error::DatabaseError) -> String {
    error.constraint().map_or_else(|| error.message().rsplit(": ").next().unwrap_or_default().to_owned(), str::to_owned)
}

/// Both databases have a code of its own for rows that `ON DELETE RESTRICT` keeps, which the driver does not know.
fn is_foreign_key(error: &dyn sqlx::error::DatabaseError) -> bool {
    let restricted = match error.code().as_deref() {
        Some("1811") => error.message().contains("FOREIGN KEY"),
        Some(code) => code == "23001",
        None => false,
    };
    restricted || error.is_foreign_key_violation()
}

/// Whether the database itself says that the same statement may work later: busy, full, shutting down, serialization, or that it gave
/// a silent transaction up.
fn is_transient(error: &dyn sqlx::error::DatabaseError) -> bool {
    match error.code().as_deref() {
        // SQLite: busy (5), locked (6), I/O error (10), full (13), and their extended codes.
        Some(code) if code.len() < 5 => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13)),
        // PostgreSQL classes: connection exception, insufficient resources, operator intervention, serialization failure.
        Some(code) => ["08", "53", "57", "40", "25P03"].iter().any(|class| code.starts_with(class)),
        None => false,
    }
}
