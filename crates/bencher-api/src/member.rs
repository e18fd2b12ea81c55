//! Members of organizations: invited by mail, and who may change whom.
//!
//! An invitation is for one address and says nothing of whether there is an account under it. It holds for as long as its
//! organization exists and whoever sent it may still invite.

use bencher_types::{
    Email, Jwt, Permission, ResourceId, Role,
    wire::member::{Member, NewMember},
};

use crate::{
    account::normalized,
    app::App,
    auth::{Principal, User},
    limits,
    mail::{Letter, letters},
    permission::{self, AccessError},
    store::{
        Direction, Page, StoreError,
        invitation::PendingRow,
        member::{InvitationRow, MemberChange, MemberRow, NewInvitation},
        organization::OrganizationRow,
    },
    token::TokenError,
};

/// A member that was not invited, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("a {own} cannot make anybody {wanted}: nobody gives or takes a role above their own")]
    Above { own: Role, wanted: Role },
    #[error("{0} is a member already; to give them another role, change the member")]
    Member(Email),
    #[error("Member ({0}) not found")]
    Unknown(ResourceId),
    #[error("Invitation ({0}) not found; name it by its UUID or the address it was sent to")]
    NoInvitation(String),
    #[error("{0} is the last leader of this organization; make another member a leader first, or delete the organization")]
    LastLeader(Email),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An invitation that is worth nothing to whoever shows it.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    #[error("this is no invitation to this server; paste it as a whole")]
    Invalid,
    #[error("the invitation has expired; ask whoever sent it for a new one")]
    Expired,
    #[error("the invitation does not hold any more; ask a leader of the organization for a new one")]
    Revoked,
    #[error("the invitation is for another address than {0}; log in or sign up with the address that it was sent to")]
    OtherAddress(Email),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sends an invitation. What the caller learns is the same whether there is an account under the address or not.
///
/// # Errors
/// The caller may not invite, or not with this role; or a member has the address.
pub async fn invite(app: &App, caller: &User, organization: &ResourceId, new: &NewMember) -> Result<Email, MemberError> {
    let organization = open(app, caller, organization, Permission::CreateRole).await?;
    check_covers(caller, &organization, new.role)?;
    let email = normalized(&new.email);
    if app.store.has_member(organization.id, &email).await? {
        return Err(MemberError::Member(email));
    }
    let now = app.clock.now();
    let expires = now.saturating_add(limits::INVITATION_TTL);
    let invitation = NewInvitation { organization: organization.id, email: &email, role: new.role, inviter: caller.id, expires };
    let uuid = app.store.create_invitation(invitation, now).await?;
    let token = app.tokens.issue_invitation(&email, (organization.uuid.0, new.role), uuid, now, limits::INVITATION_TTL);
    let letter = letters::Invitation {
        name: new.name.as_ref(),
        organization: &organization.name.0,
        role: new.role,
        inviter: &caller.email,
        token: &token,
    };
    app.mail.send(&email, Letter::invitation(&app.config.console.url, &email, &letter));
    tracing::info!(organization.uuid = %organization.uuid.0, user.uuid = %caller.uuid, role = %new.role, "a member was invited");
    Ok(email)
}

/// The invitation that a token is, for whoever has this address.
///
/// # Errors
/// It is none, has expired, was revoked or is for another address.
pub async fn open_invitation(app: &App, token: &Jwt, email: &Email) -> Result<InvitationRow, InvitationError> {
    let claims = app.tokens.check_invitation(token.expose(), app.clock.now()).map_err(|error| match error {
        TokenError::Expired => InvitationError::Expired,
        TokenError::Audience | TokenError::Invalid => InvitationError::Invalid,
    })?;
    if claims.email != *email {
        return Err(InvitationError::OtherAddress(email.clone()));
    }
    let invitation = app.store.invitation(claims.invitation).await?.ok_or(InvitationError::Revoked)?;
    let inviter = invitation.inviter_role.as_ref().map(|role| role.0);
    let may_invite = |role: Role| role.may(Permission::CreateRole) && role.covers(invitation.role.0);
    if invitation.inviter_locked != 0 || (invitation.inviter_admin == 0 && !inviter.is_some_and(may_invite)) {
        return Err(InvitationError::Revoked);
    }
    Ok(invitation)
}

/// Makes a user a member. Once more changes nothing, and who is a member already keeps its role.
///
/// # Errors
/// The invitation was revoked meanwhile, or the database failed.
pub async fn join(app: &App, invitation: &InvitationRow, user: i64) -> Result<(), InvitationError> {
    if !app.store.accept_invitation(invitation, user, app.clock.now()).await? {
        return Err(InvitationError::Revoked);
    }
    tracing::info!(organization.uuid = %invitation.organization_uuid.0, role = %invitation.role.0, "an invitation was accepted");
    Ok(())
}

/// Accepts an invitation for the caller, whose address it must be for.
///
/// # Errors
/// As for [`open_invitation`] and [`join`].
pub async fn accept(app: &App, caller: &User, token: &Jwt) -> Result<Email, InvitationError> {
    let invitation = open_invitation(app, token, &caller.email).await?;
    join(app, &invitation, caller.id).await?;
    Ok(caller.email.clone())
}

/// A member, for who may see members.
///
/// # Errors
/// There is none, or the caller may not know.
pub async fn view(app: &App, caller: &User, organization: &ResourceId, user: &ResourceId) -> Result<Member, MemberError> {
    let organization = open(app, caller, organization, Permission::ViewRole).await?;
    Ok(find(app, &organization, user).await?.into())
}

/// Gives a member another role; without one, nothing changes.
///
/// # Errors
/// The caller may not, or not this role, or nobody would be left to lead.
pub async fn change(
    app: &App,
    caller: &User,
    organization: &ResourceId,
    user: &ResourceId,
    role: Option<Role>,
) -> Result<Member, MemberError> {
    let organization = open(app, caller, organization, Permission::EditRole).await?;
    let member = find(app, &organization, user).await?;
    let Some(role) = role else { return Ok(member.into()) };
    check_covers(caller, &organization, member.role.0)?;
    check_covers(caller, &organization, role)?;
    let member = done(app.store.update_member(organization.id, member.id, role, app.clock.now()).await?, user, member)?;
    tracing::info!(organization.uuid = %organization.uuid.0, user.uuid = %member.uuid.0, %role, "a member got another role");
    Ok(member.into())
}

/// Takes a member out of an organization. Everybody may leave.
///
/// # Errors
/// The caller may not, or nobody would be left to lead.
pub async fn remove(app: &App, caller: &User, organization: &ResourceId, user: &ResourceId) -> Result<(), MemberError> {
    let found = open(app, caller, organization, Permission::ViewRole).await?;
    let member = match find(app, &found, user).await {
        Ok(member) if member.id == caller.id => member,
        other => {
            open(app, caller, organization, Permission::DeleteRole).await?;
            other?
        }
    };
    if member.id != caller.id {
        check_covers(caller, &found, member.role.0)?;
    }
    let member = done(app.store.remove_member(found.id, member.id).await?, user, member)?;
    tracing::info!(organization.uuid = %found.uuid.0, user.uuid = %member.uuid.0, "a member left or was removed");
    Ok(())
}

/// One page of the invitations that wait for an answer, for who may invite; and how many there are.
///
/// # Errors
/// The caller may not, or the database failed.
pub async fn invitations(
    app: &App,
    caller: &User,
    organization: &ResourceId,
    direction: Direction,
    page: Page,
) -> Result<(Vec<PendingRow>, u64), MemberError> {
    let organization = open(app, caller, organization, Permission::CreateRole).await?;
    Ok(app.store.pending_invitations(organization.id, direction, page, app.clock.now()).await?)
}

/// Takes an invitation back, which is worth nothing from then on.
///
/// # Errors
/// The caller may not, or not one with this role; or there is none.
pub async fn withdraw(app: &App, caller: &User, organization: &ResourceId, uuid_or_email: &str) -> Result<(), MemberError> {
    let organization = open(app, caller, organization, Permission::CreateRole).await?;
    let wanted = uuid_or_email.to_lowercase();
    let unknown = || MemberError::NoInvitation(wanted.clone());
    let found = app.store.pending_invitation(organization.id, &wanted, app.clock.now()).await?.ok_or_else(unknown)?;
    check_covers(caller, &organization, found.role.0)?;
    if !app.store.delete_invitation(organization.id, found.id).await? {
        return Err(unknown());
    }
    tracing::info!(organization.uuid = %organization.uuid.0, user.uuid = %caller.uuid, "an invitation was withdrawn");
    Ok(())
}

async fn open(app: &App, caller: &User, id: &ResourceId, wanted: Permission) -> Result<OrganizationRow, AccessError> {
    permission::organization(app, &Principal::User(caller.clone()), id, wanted).await
}

async fn find(app: &App, organization: &OrganizationRow, user: &ResourceId) -> Result<MemberRow, MemberError> {
    app.store.member(organization.id, user).await?.ok_or_else(|| MemberError::Unknown(user.clone()))
}

/// Admins of the server give and take any role.
fn check_covers(caller: &User, organization: &OrganizationRow, wanted: Role) -> Result<(), MemberError> {
    match organization.role.as_ref().map(|role| role.0) {
        Some(own) if !caller.admin && !own.covers(wanted) => Err(MemberError::Above { own, wanted }),
        _ => Ok(()),
    }
}

fn done(change: MemberChange, user: &ResourceId, before: MemberRow) -> Result<MemberRow, MemberError> {
    match change {
        MemberChange::Done(member) => Ok(member),
        MemberChange::LastLeader => Err(MemberError::LastLeader(before.email.0)),
        MemberChange::Unknown => Err(MemberError::Unknown(user.clone())),
    }
}
