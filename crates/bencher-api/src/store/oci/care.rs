//! Whose turn it is to look after the registry: of several servers on a database, one does each kind of work at a time.
//!
//! A turn is held until a time and renewed meanwhile, so that one whose server was killed ends by itself. It is for not doing work
//! twice; the work is safe without.

use bencher_types::DateTime;

use crate::{
    store::{Micros, Queries, Store, StoreError},
    values,
};

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    Collection,
    /// Of what was not read for long.
    Verification,
    /// Of everything, because an admin asked.
    FullVerification,
}

impl Care {
    const fn name(self) -> &'static str {
        match self {
            Self::Collection => "collection",
            Self::Verification => "verification",
            Self::FullVerification => "full_verification",
        }
    }
}

/// What is known of some work.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct CareRow {
    pub holder: Option<String>,
    pub held_until: Micros,
    pub began: Micros,
    pub ended: Option<Micros>,
    /// JSON.
    pub outcome: Option<String>,
}

impl Store {
    /// Takes the turn until a time, unless somebody has it. With `due`, only where the work was last begun before then; where it
    /// never was, it counts as begun now, because there is nothing to be looked after in a new installation.
    ///
    /// # Errors
    /// The database failed.
    pub async fn take_oci_turn(
        &self,
        care: Care,
        holder: &str,
        (now, until): (DateTime, DateTime),
        due: Option<DateTime>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(
            "INSERT INTO oci_care (name, held_until, began) VALUES ($1, 0, $2) ON CONFLICT (name) DO NOTHING",
            values![care.name(), now],
        )
        .await?;
        let sql = "UPDATE oci_care SET holder = $2, held_until = $4, began = $3 WHERE name = $1 AND held_until <= $3 \
                   AND ($5 IS NULL OR began < $5)";
        let rows = tx.execute(sql, values![care.name(), holder, now, until, due]).await?;
        tx.commit().await?;
        Ok(rows > 0)
    }

    /// Keeps the turn for longer. `false` where somebody else has it by now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn keep_oci_turn(&self, care: Care, holder: &str, until: DateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE oci_care SET held_until = $3 WHERE name = $1 AND holder = $2";
        let rows = tx.execute(sql, values![care.name(), holder, until]).await?;
        tx.commit().await?;
        Ok(rows > 0)
    }

    /// Gives the turn back, with what came of the work where it was done.
    ///
    /// # Errors
    /// The database failed.
    pub async fn end_oci_turn(&self, care: Care, holder: &str, done: Option<(&str, DateTime)>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let (outcome, ended) = (done.map(|(outcome, _)| outcome), done.map(|(_, ended)| ended));
        let sql = "UPDATE oci_care SET holder = NULL, held_until = 0, ended = COALESCE($3, ended), outcome = COALESCE($4, outcome) \
                   WHERE name = $1 AND holder = $2";
        tx.execute(sql, values![care.name(), holder, ended, outcome]).await?;
        tx.commit().await
    }

    /// What is known of some work; `None` where it was never thought of.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_care(&self, care: Care) -> Result<Option<CareRow>, StoreError> {
        let sql = "SELECT holder, held_until, began, ended, outcome FROM oci_care WHERE name = $1";
        self.read().await?.optional(sql, values![care.name()]).await
    }
}
