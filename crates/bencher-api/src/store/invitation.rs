//! Invitations that wait for an answer, as those see them who may invite. How one is made and accepted is `member.rs`'s.

use bencher_types::{
    DateTime, Email, InvitationUuid, Role, Slug, UserName, UserUuid,
    wire::{auth::PubUser, member::Invitation},
};

use super::{Direction, ListQuery, Micros, Page, Queries, Store, StoreError, Text, order};
use crate::values;

/// A row of `invitation` with who sent it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PendingRow {
    pub id: i64,
    pub uuid: Text<InvitationUuid>,
    pub email: Text<Email>,
    pub role: Text<Role>,
    pub expires: Micros,
    pub created: Micros,
    inviter_uuid: Text<UserUuid>,
    inviter_name: Text<UserName>,
    inviter_slug: Text<Slug>,
}

const COLUMNS: &str = "invitation.id, invitation.uuid, invitation.email, invitation.role, invitation.expires, invitation.created, \
    users.uuid AS inviter_uuid, users.name AS inviter_name, users.slug AS inviter_slug";
const FROM: &str = "invitation JOIN users ON users.id = invitation.inviter_id";
/// Invitations outlive their acceptance.
const UNANSWERED: &str = "NOT EXISTS (SELECT 1 FROM organization_role JOIN users member ON member.id = organization_role.user_id \
    WHERE organization_role.organization_id = invitation.organization_id AND member.email = invitation.email)";

impl From<PendingRow> for Invitation {
    fn from(row: PendingRow) -> Self {
        Self {
            uuid: row.uuid.0,
            email: row.email.0,
            role: row.role.0,
            inviter: PubUser { uuid: row.inviter_uuid.0, name: row.inviter_name.0, slug: row.inviter_slug.0 },
            created: row.created.0,
            expires: row.expires.0,
        }
    }
}

impl Store {
    /// One page of the invitations to an organization that wait for an answer, and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn pending_invitations(
        &self,
        organization: i64,
        direction: Direction,
        page: Page,
        now: DateTime,
    ) -> Result<(Vec<PendingRow>, u64), StoreError> {
        let query = pending(organization, now);
        query.page(&mut self.read().await?, &order("invitation", "created", direction), page).await
    }

    /// The invitation of this UUID or to this address, while it waits for an answer.
    ///
    /// # Errors
    /// The database failed.
    pub async fn pending_invitation(
        &self,
        organization: i64,
        uuid_or_email: &str,
        now: DateTime,
    ) -> Result<Option<PendingRow>, StoreError> {
        let query = pending(organization, now).filter("(? IN (invitation.uuid, invitation.email))", uuid_or_email);
        let first = Page { limit: 1, offset: 0 };
        let (rows, _) = query.page(&mut self.read().await?, "invitation.id", first).await?;
        Ok(rows.into_iter().next())
    }

    /// Takes an invitation back; whether it was there still.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delete_invitation(&self, organization: i64, invitation: i64) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        // Who accepts it at the same time comes first, or finds it gone.
        tx.lock_row("organization", organization).await?;
        let deleted = tx.execute("DELETE FROM invitation WHERE id = $1", values![invitation]).await?;
        tx.commit().await?;
        Ok(deleted > 0)
    }
}

fn pending(organization: i64, now: DateTime) -> ListQuery {
    ListQuery::new(COLUMNS, FROM)
        .filter("invitation.organization_id = ?", organization)
        .filter("invitation.expires > ?", now)
        .when(UNANSWERED)
}
