//! What jobs print while they run, until the whole of their output is there.

mod kept;

use bencher_types::{
    DateTime, JobUuid,
    wire::live::{OutputPiece, OutputStream},
};

use self::kept::Kept;
use super::{
    Queries, Store, StoreError, Text, Tx,
    queue::{self, QueuedJob},
};
use crate::values;

#[derive(sqlx::FromRow)]
struct LastRow {
    sequence: i64,
    total: i64,
}

#[derive(sqlx::FromRow)]
struct PieceRow {
    sequence: i64,
    warmup: i64,
    iteration: i64,
    stream: Text<OutputStream>,
    position: i64,
    content: Vec<u8>,
}

const COLUMNS: &str = "sequence, warmup, iteration, stream, position, content";

impl TryFrom<PieceRow> for OutputPiece {
    type Error = StoreError;

    fn try_from(row: PieceRow) -> Result<Self, StoreError> {
        Ok(Self {
            sequence: u32::try_from(row.sequence).map_err(|_| StoreError::corrupt("job_output.sequence"))?,
            warmup: row.warmup != 0,
            iteration: u32::try_from(row.iteration).map_err(|_| StoreError::corrupt("job_output.iteration"))?,
            stream: row.stream.0,
            offset: u64::try_from(row.position).map_err(|_| StoreError::corrupt("job_output.position"))?,
            text: String::from_utf8(row.content).map_err(|_| StoreError::corrupt("job_output.content"))?,
        })
    }
}

impl Store {
    /// Keeps what a job has printed, as far as it is news and within the bounds. Nothing of an attempt that is not under way, or of a job
    /// that is not live. How many pieces were kept.
    ///
    /// # Errors
    /// The database failed.
    pub async fn keep_output(
        &self,
        job: JobUuid,
        attempt: i64,
        pieces: &[OutputPiece],
        now: DateTime,
    ) -> Result<usize, StoreError> {
        let mut tx = self.begin().await?;
        let Some(row) = queue::in_flight(&mut tx, job, attempt).await? else { return Ok(0) };
        if !is_live(&row)? {
            return Ok(0);
        }
        let mut kept = kept(&mut tx, row.id, attempt).await?;
        if kept == Kept::default() {
            // The first words of an attempt: what an earlier one said is of no use any more.
            tx.execute("DELETE FROM job_output WHERE job_id = $1", values![row.id]).await?;
        }
        let mut count = 0;
        for piece in pieces {
            if kept.takes(piece) {
                insert(&mut tx, &row, piece, kept, now).await?;
                count += 1;
            }
        }
        tx.commit().await?;
        Ok(count)
    }

    /// What a job has printed in an attempt, after this piece.
    ///
    /// # Errors
    /// The database failed.
    pub async fn live_output(&self, job_id: i64, attempt: i64, after: Option<u32>) -> Result<Vec<OutputPiece>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM job_output WHERE job_id = $1 AND attempt = $2 AND sequence > $3 ORDER BY sequence");
        let after = after.map_or(-1, i64::from);
        let rows: Vec<PieceRow> = self.read().await?.all(sql, values![job_id, attempt, after]).await?;
        rows.into_iter().map(OutputPiece::try_from).collect()
    }

    /// One piece of what a job has printed; `None` where it is gone.
    ///
    /// # Errors
    /// The database failed.
    pub async fn output_piece(&self, job: JobUuid, attempt: i64, sequence: i64) -> Result<Option<OutputPiece>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM job_output WHERE job_id = (SELECT id FROM job WHERE uuid = $1) AND attempt = $2 AND sequence = $3"
        );
        let row: Option<PieceRow> = self.read().await?.optional(sql, values![job, attempt, sequence]).await?;
        row.map(OutputPiece::try_from).transpose()
    }
}

/// Removes what a job printed while it ran: its output is kept elsewhere.
pub(super) async fn forget(tx: &mut Tx, job: &QueuedJob) -> Result<(), StoreError> {
    if is_live(job)? {
        tx.execute("DELETE FROM job_output WHERE job_id = $1", values![job.id]).await?;
    }
    Ok(())
}

fn is_live(job: &QueuedJob) -> Result<bool, StoreError> {
    Ok(job.config()?.live.unwrap_or_default())
}

async fn kept(tx: &mut Tx, job_id: i64, attempt: i64) -> Result<Kept, StoreError> {
    let sql = "SELECT sequence, total FROM job_output WHERE job_id = $1 AND attempt = $2 ORDER BY sequence DESC LIMIT 1";
    let Some(LastRow { sequence, total }) = tx.optional(sql, values![job_id, attempt]).await? else {
        return Ok(Kept::default());
    };
    Ok(Kept {
        last: Some(u32::try_from(sequence).map_err(|_| StoreError::corrupt("job_output.sequence"))?),
        bytes: u64::try_from(total).map_err(|_| StoreError::corrupt("job_output.total"))?,
    })
}

async fn insert(tx: &mut Tx, job: &QueuedJob, piece: &OutputPiece, kept: Kept, now: DateTime) -> Result<(), StoreError> {
    let fitting = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO job_output (job_id, attempt, sequence, warmup, iteration, stream, position, content, total, created) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        values![
            job.id,
            job.attempt,
            piece.sequence,
            piece.warmup,
            piece.iteration,
            piece.stream.as_str(),
            fitting(piece.offset),
            piece.text.clone().into_bytes(),
            fitting(kept.bytes),
            now,
        ],
    )
    .await?;
    Ok(())
}
