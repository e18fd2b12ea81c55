//! Members of organizations, and invitations to become one, in the database.

use bencher_types::{
    DateTime, Email, OrganizationUuid, ResourceId, ResourceName, Role, Slug, UserName, UserUuid, wire::member::Member,
};
use uuid::Uuid;

use super::{Count, ListBy, ListQuery, Micros, Queries, Store, StoreError, Text, Tx};
use crate::values;

/// A user and what it is in one organization.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct MemberRow {
    /// The user's row.
    pub id: i64,
    pub uuid: Text<UserUuid>,
    pub name: Text<UserName>,
    pub slug: Text<Slug>,
    pub email: Text<Email>,
    pub role: Text<Role>,
    pub created: Micros,
    pub modified: Micros,
}

/// One row per membership, called `member`.
const FROM: &str = "(SELECT users.id, users.uuid, users.name, users.slug, users.email, organization_role.role, \
    organization_role.created, organization_role.modified, organization_role.organization_id \
    FROM organization_role JOIN users ON users.id = organization_role.user_id) AS member";

impl From<MemberRow> for Member {
    fn from(row: MemberRow) -> Self {
        Self {
            uuid: row.uuid.0,
            name: row.name.0,
            slug: row.slug.0,
            email: row.email.0,
            role: row.role.0,
            created: row.created.0,
            modified: row.modified.0,
        }
    }
}

/// What became of a wish to change or end a membership.
#[derive(Clone, Debug)]
pub enum MemberChange {
    /// The member as it is now, or was.
    Done(MemberRow),
    /// Nobody would be left to lead the organization; nothing was changed.
    LastLeader,
    /// There is no such member.
    Unknown,
}

/// An invitation that is to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewInvitation<'a> {
    pub organization: i64,
    pub email: &'a Email,
    pub role: Role,
    pub inviter: i64,
    pub expires: DateTime,
}

/// An invitation to an organization that exists, and what its inviter is by now.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct InvitationRow {
    pub uuid: Text<Uuid>,
    pub organization_id: i64,
    pub organization_uuid: Text<OrganizationUuid>,
    pub organization_name: Text<ResourceName>,
    pub email: Text<Email>,
    pub role: Text<Role>,
    pub inviter_admin: i64,
    pub inviter_locked: i64,
    /// `None` where the inviter is no member any more.
    pub inviter_role: Option<Text<Role>>,
}

impl Store {
    /// One page of an organization's members, and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn members(&self, organization: i64, by: &ListBy) -> Result<(Vec<MemberRow>, u64), StoreError> {
        let query = ListQuery::new("member.*", FROM).filter("member.organization_id = ?", organization);
        query.named(&mut self.read().await?, "member", by).await
    }

    /// The member of this id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn member(&self, organization: i64, user: &ResourceId) -> Result<Option<MemberRow>, StoreError> {
        let sql = format!("SELECT * FROM {FROM} WHERE organization_id = $1 AND {} = $2", super::id_column(user));
        self.read().await?.optional(sql, values![organization, user.to_string()]).await
    }

    /// Whether somebody with this address is a member.
    ///
    /// # Errors
    /// The database failed.
    pub async fn has_member(&self, organization: i64, email: &Email) -> Result<bool, StoreError> {
        let sql = format!("SELECT COUNT(*) AS count FROM {FROM} WHERE organization_id = $1 AND email = $2");
        let count: Count = self.read().await?.one(sql, values![organization, email]).await?;
        Ok(count.get() > 0)
    }

    /// Gives a member another role.
    ///
    /// # Errors
    /// The database failed.
    pub async fn update_member(
        &self,
        organization: i64,
        user: i64,
        role: Role,
        now: DateTime,
    ) -> Result<MemberChange, StoreError> {
        let mut tx = self.begin().await?;
        tx.lock_row("organization", organization).await?;
        let Some(member) = by_row(&mut tx, organization, user).await? else { return Ok(MemberChange::Unknown) };
        if role != Role::Leader && is_last_leader(&mut tx, organization, &member).await? {
            return Ok(MemberChange::LastLeader);
        }
        tx.execute(
            "UPDATE organization_role SET role = $3, modified = $4 WHERE organization_id = $1 AND user_id = $2",
            values![organization, user, role.as_str(), now],
        )
        .await?;
        let Some(member) = by_row(&mut tx, organization, user).await? else { return Ok(MemberChange::Unknown) };
        tx.commit().await?;
        Ok(MemberChange::Done(member))
    }

    /// Takes a member out of an organization, and its invitation, which would bring it back, too.
    ///
    /// # Errors
    /// The database failed.
    pub async fn remove_member(&self, organization: i64, user: i64) -> Result<MemberChange, StoreError> {
        let mut tx = self.begin().await?;
        tx.lock_row("organization", organization).await?;
        let Some(member) = by_row(&mut tx, organization, user).await? else { return Ok(MemberChange::Unknown) };
        if is_last_leader(&mut tx, organization, &member).await? {
            return Ok(MemberChange::LastLeader);
        }
        tx.execute("DELETE FROM organization_role WHERE organization_id = $1 AND user_id = $2", values![organization, user])
            .await?;
        tx.execute("DELETE FROM invitation WHERE organization_id = $1 AND email = $2", values![organization, &member.email.0])
            .await?;
        tx.commit().await?;
        Ok(MemberChange::Done(member))
    }

    /// Stores an invitation. It takes the place of an earlier one of the same address, which is worth nothing from then on.
    ///
    /// # Errors
    /// The database failed.
    pub async fn create_invitation(&self, new: NewInvitation<'_>, now: DateTime) -> Result<Uuid, StoreError> {
        let uuid = Uuid::new_v4();
        let mut tx = self.begin().await?;
        tx.execute("DELETE FROM invitation WHERE expires <= $1", values![now]).await?;
        tx.execute(
            "INSERT INTO invitation (uuid, organization_id, email, role, inviter_id, expires, created) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (organization_id, email) DO UPDATE SET \
             uuid = excluded.uuid, role = excluded.role, inviter_id = excluded.inviter_id, expires = excluded.expires, \
             created = excluded.created",
            values![uuid.to_string(), new.organization, new.email, new.role.as_str(), new.inviter, new.expires, now],
        )
        .await?;
        tx.commit().await?;
        Ok(uuid)
    }

    /// The invitation of this id, while its organization exists.
    ///
    /// # Errors
    /// The database failed.
    pub async fn invitation(&self, uuid: Uuid) -> Result<Option<InvitationRow>, StoreError> {
        let sql = "SELECT invitation.uuid, invitation.organization_id, organization.uuid AS organization_uuid, \
                   organization.name AS organization_name, invitation.email, invitation.role, \
                   users.admin AS inviter_admin, users.locked AS inviter_locked, organization_role.role AS inviter_role \
                   FROM invitation JOIN organization ON organization.id = invitation.organization_id \
                   JOIN users ON users.id = invitation.inviter_id \
                   LEFT JOIN organization_role ON organization_role.organization_id = invitation.organization_id \
                   AND organization_role.user_id = invitation.inviter_id \
                   WHERE invitation.uuid = $1 AND organization.deleted IS NULL";
        self.read().await?.optional(sql, values![uuid.to_string()]).await
    }

    /// Makes a user what an invitation says. Who is a member already keeps its role. `false` where the invitation is gone by now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn accept_invitation(&self, invitation: &InvitationRow, user: i64, now: DateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let joined = join(&mut tx, invitation, user, now).await?;
        tx.commit().await?;
        Ok(joined)
    }
}

/// A step of [`Store::accept_invitation`].
pub(super) async fn join(tx: &mut Tx, invitation: &InvitationRow, user: i64, now: DateTime) -> Result<bool, StoreError> {
    // A removal that goes on at the same time takes the invitation along: one of the two comes first.
    tx.lock_row("organization", invitation.organization_id).await?;
    let sql = "SELECT COUNT(*) AS count FROM invitation JOIN organization ON organization.id = invitation.organization_id \
               WHERE invitation.uuid = $1 AND organization.deleted IS NULL";
    let count: Count = tx.one(sql, values![invitation.uuid.0.to_string()]).await?;
    if count.get() == 0 {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO organization_role (user_id, organization_id, role, created, modified) VALUES ($1, $2, $3, $4, $4) \
         ON CONFLICT (user_id, organization_id) DO NOTHING",
        values![user, invitation.organization_id, invitation.role.0.as_str(), now],
    )
    .await?;
    Ok(true)
}

async fn by_row(tx: &mut Tx, organization: i64, user: i64) -> Result<Option<MemberRow>, StoreError> {
    let sql = format!("SELECT * FROM {FROM} WHERE organization_id = $1 AND id = $2");
    tx.optional(sql, values![organization, user]).await
}

/// Whether nobody else leads the organization who can log in.
async fn is_last_leader(tx: &mut Tx, organization: i64, member: &MemberRow) -> Result<bool, StoreError> {
    if member.role.0 != Role::Leader {
        return Ok(false);
    }
    let sql = "SELECT COUNT(*) AS count FROM organization_role JOIN users ON users.id = organization_role.user_id \
               WHERE organization_role.organization_id = $1 AND organization_role.role = $2 AND users.id <> $3 AND users.locked = 0";
    let others: Count = tx.one(sql, values![organization, Role::Leader.as_str(), member.id]).await?;
    Ok(others.get() == 0)
}
