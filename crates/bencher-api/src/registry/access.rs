//! Who may do what with a repository.
//!
//! What a caller may do is asked of the database at every request; a token's scope can only narrow it. A project that the caller may
//! not view answers exactly as one that does not exist, except to a push: the first push to a name makes the project, so that a name
//! which is taken cannot look like one that is not.

use bencher_types::{Permission, ProjectKey, ProjectKeyUuid, ResourceId, ResourceName, RunnerUuid, UserKey};

use super::{
    bandwidth::Allowance,
    name::RepositoryName,
    scope::{self, Scope, action_name},
};
use crate::{
    app::App,
    auth::{self, AuthError, KeyHolder, Principal, User},
    claim::{self, ClaimError},
    permission,
    store::{
        StoreError,
        oci::{Place, Reach, RepositoryKey, full_name},
        project::ProjectRow,
    },
    token::{Audience, OciAccess, OciAction},
};

/// What a request shows of who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    None,
    Bearer(bencher_types::Secret),
    Basic { user: bencher_types::Secret, password: bencher_types::Secret },
}

/// What a caller's token narrows its access to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// No registry token was shown: nothing narrows it.
    Everything,
    Token(Option<OciAccess>),
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub enum Caller {
    Anonymous(Grant),
    User(User, Grant),
    ProjectKey(KeyHolder, Grant),
    Runner(RunnerUuid, Option<OciAccess>),
}

/// A repository that the caller may act on in the way it asked for.
#[derive(Clone, Debug)]
pub struct Access {
    /// As the caller calls it.
    pub name: RepositoryName,
    pub place: Place,
    /// Who it is, as uploads remember it; `None` for nobody in particular.
    pub principal: Option<String>,
    /// Whether the caller may also push.
    pub may_push: bool,
    /// What the organization and the caller may move, where that is bounded.
    pub allowance: Option<Allowance>,
}

/// Access that is not given.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Who it is could not be established, or more must be shown.
    #[error("{0}")]
    Unauthorized(String),
    /// The token is good, but not for this; another one may be had.
    #[error("the token does not allow to {} `{name}`; ask for a token with that scope", action_name(*action))]
    InsufficientScope { name: String, action: OciAction },
    /// The same for the list of all repositories.
    #[error("the token does not allow to list all repositories; ask for a token with the scope registry:catalog:*")]
    NoCatalog,
    /// Known, and not allowed.
    #[error("{0}")]
    Denied(String),
    /// There is no such repository, or none that the caller may know of.
    #[error("no repository `{0}` that you may see: check the project's name and your rights in its organization")]
    NameUnknown(String),
    #[error("could not look up who may use the repository")]
    Store(#[from] StoreError),
}

/// Establishes who sent a request.
///
/// # Errors
/// The credentials are not valid, or could not be checked.
pub async fn identify(app: &App, credentials: &Credentials) -> Result<Caller, AccessError> {
    match credentials {
        Credentials::None => Ok(Caller::Anonymous(Grant::Everything)),
        Credentials::Basic { user, password } => {
            // Tools differ in which of the two fields they put a key into.
            let is_key = [UserKey::PREFIX, ProjectKey::PREFIX].iter().any(|prefix| user.expose().starts_with(prefix));
            let key = if is_key { user } else { password };
            Ok(Caller::of(of_key(app, key.expose()).await?, Grant::Everything))
        }
        Credentials::Bearer(token) => bearer(app, token.expose()).await,
    }
}

impl Caller {
    /// The same, as if it had shown a token for every repository: what it may do by its rights alone.
    #[must_use]
    pub fn with_all_scopes(self) -> Self {
        match self {
            // A runner has no rights but its scopes.
            Self::Runner(..) => self,
            Self::Anonymous(_) => Self::Anonymous(Grant::Everything),
            Self::User(user, _) => Self::User(user, Grant::Everything),
            Self::ProjectKey(holder, _) => Self::ProjectKey(holder, Grant::Everything),
        }
    }

    fn of(principal: Principal, grant: Grant) -> Self {
        match principal {
            Principal::Anonymous => Self::Anonymous(grant),
            Principal::User(user) => Self::User(user, grant),
            Principal::ProjectKey(holder) => Self::ProjectKey(holder, grant),
        }
    }
}

async fn bearer(app: &App, token: &str) -> Result<Caller, AccessError> {
    const REGISTRY: [Audience; 4] = [Audience::OciAuth, Audience::OciPublic, Audience::OciProject, Audience::OciRunner];
    let Ok(mut claims) = app.tokens.check(token, &REGISTRY, app.clock.now()) else {
        return Ok(Caller::of(of_key(app, token).await?, Grant::Everything));
    };
    let oci = claims.oci.take();
    match claims.aud {
        Audience::OciPublic => Ok(Caller::Anonymous(Grant::Token(oci))),
        Audience::OciRunner => {
            let runner: RunnerUuid = claims.sub.parse().map_err(|_| unauthorized("the token names no runner"))?;
            let found = app.store.runner(&ResourceId::Uuid(runner.as_uuid())).await?;
            if found.is_none_or(|runner| runner.archived.is_some()) {
                return Err(unauthorized("the runner of this token is archived or gone"));
            }
            Ok(Caller::Runner(runner, oci))
        }
        Audience::OciProject => {
            // The token goes with the key that it was issued for.
            let gone = || unauthorized("the key of this token has expired or was revoked");
            let key = ProjectKeyUuid::from(claims.jti.ok_or_else(gone)?);
            let row = app.store.live_project_key(key, app.clock.now()).await?;
            let row = row.filter(|row| row.project_uuid.0.to_string() == claims.sub).ok_or_else(gone)?;
            Ok(Caller::ProjectKey(row.into(), Grant::Token(oci)))
        }
        _ => Ok(Caller::User(auth::user_of_claims(app, claims).await.map_err(not_identified)?, Grant::Token(oci))),
    }
}

/// Whose a key or an API token is.
async fn of_key(app: &App, token: &str) -> Result<Principal, AccessError> {
    auth::authenticate(app, token).await.map_err(not_identified)
}

fn not_identified(error: AuthError) -> AccessError {
    match error {
        AuthError::Store(error) => AccessError::Store(error),
        other => AccessError::Unauthorized(other.to_string()),
    }
}

fn unauthorized(detail: &str) -> AccessError {
    AccessError::Unauthorized(detail.to_owned())
}

/// The rule: whoever may view a project may pull its images; whoever may add to it may push, and delete what was pushed. Where nobody
/// has claimed the project, everybody may.
const fn permission(action: OciAction) -> Permission {
    match action {
        OciAction::Pull => Permission::View,
        OciAction::Push => Permission::Create,
    }
}

/// Lets a caller see the names of all repositories: an admin of the server.
///
/// # Errors
/// The caller is none, or shows a token for something else.
pub fn authorize_catalog(caller: &Caller) -> Result<(), AccessError> {
    match caller {
        Caller::Anonymous(_) => Err(unauthorized("log in as an admin to list all repositories")),
        Caller::User(user, grant) if user.admin => match grant {
            Grant::Everything => Ok(()),
            Grant::Token(Some(access)) if access.catalog => Ok(()),
            Grant::Token(_) => Err(AccessError::NoCatalog),
        },
        _ => Err(AccessError::Denied("only an admin of the server may list all repositories; list the tags of one".to_owned())),
    }
}

/// Lets a caller act on a repository, or says why not. A user who pushes to what nobody has claimed claims it.
///
/// # Errors
/// The caller may not, or that could not be found out.
pub async fn authorize(app: &App, caller: &Caller, name: &RepositoryName, action: OciAction) -> Result<Access, AccessError> {
    authorize_where(app, caller, name, action, Missing::Refuse).await
}

/// The same for what brings content: it makes the project where the name is free, and the caller may.
///
/// # Errors
/// As [`authorize`].
pub async fn authorize_first_push(app: &App, caller: &Caller, name: &RepositoryName) -> Result<Access, AccessError> {
    authorize_where(app, caller, name, OciAction::Push, Missing::Make).await
}

/// What becomes of a project that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Refuse,
    Make,
}

async fn authorize_where(
    app: &App,
    caller: &Caller,
    name: &RepositoryName,
    action: OciAction,
    missing: Missing,
) -> Result<Access, AccessError> {
    let (principal, grant) = match caller {
        Caller::Runner(runner, access) => return authorize_runner(app, *runner, access.as_ref(), name, action).await,
        Caller::Anonymous(grant) => (Principal::Anonymous, grant),
        Caller::User(user, grant) => (Principal::User(user.clone()), grant),
        Caller::ProjectKey(holder, grant) => (Principal::ProjectKey(*holder), grant),
    };
    let project = match look_up(app, &principal, name, action).await {
        Err(permission::AccessError::NotFound { .. })
            if may_appear(app, &principal, name) && lets_appear(&principal, grant, name) =>
        {
            match missing {
                // Who has a token for it is not asked for another one: tools look what is there before they push.
                Missing::Refuse => return Err(AccessError::NameUnknown(name.as_str().to_owned())),
                Missing::Make => {
                    appear(app, &principal, name).await?;
                    look_up(app, &principal, name, action).await
                }
            }
        }
        found => found,
    };
    let mut project = project.map_err(|error| refused(error, &principal, name, action))?;
    let covered = match grant {
        Grant::Everything => true,
        Grant::Token(None) => false,
        Grant::Token(Some(access)) => scope::allows(access, &aliases(name, &project), action),
    };
    if !covered {
        return Err(AccessError::InsufficientScope { name: name.as_str().to_owned(), action });
    }
    if action == OciAction::Push && project.claimed.is_none() {
        match &principal {
            Principal::User(user) => project = claim_for(app, user, project, name).await?,
            Principal::Anonymous if *grant == Grant::Everything => {
                return Err(refused(permission::AccessError::LogIn, &principal, name, action));
            }
            Principal::Anonymous | Principal::ProjectKey(_) => {}
        }
    }
    let may_push = action == OciAction::Push || may_push(&principal, &project);
    let known = match &principal {
        Principal::Anonymous => None,
        Principal::User(user) => Some(format!("user:{}", user.uuid)),
        Principal::ProjectKey(holder) => Some(format!("project:{}", holder.project)),
    };
    let allowance = app.bandwidth.of(&project, known.as_deref(), &app.clock);
    let principal = known.or_else(|| project.claimed.is_none().then(|| "public".to_owned()));
    Ok(Access { name: name.clone(), place: place(&project, name, Reach::Repository), principal, may_push, allowance })
}

/// Whether what a caller shows is enough to make a project of this name. Tools ask for a token first; an anonymous request without any
/// is none of theirs.
fn lets_appear(principal: &Principal, grant: &Grant, name: &RepositoryName) -> bool {
    match grant {
        Grant::Everything => !matches!(principal, Principal::Anonymous),
        Grant::Token(None) => false,
        Grant::Token(Some(access)) => scope::allows(access, &[name.as_str().to_owned()], OciAction::Push),
    }
}

async fn look_up(
    app: &App,
    principal: &Principal,
    name: &RepositoryName,
    action: OciAction,
) -> Result<ProjectRow, permission::AccessError> {
    permission::project_to_file_under(app, principal, name.project(), permission(action)).await
}

fn may_push(principal: &Principal, project: &ProjectRow) -> bool {
    match principal {
        Principal::Anonymous => project.claimed.is_none(),
        Principal::ProjectKey(holder) => holder.project_id == project.id,
        Principal::User(user) => {
            let role = project.role.as_ref().map(|role| role.0);
            user.admin || role.is_some_and(|role| role.may(permission(OciAction::Push)))
        }
    }
}

/// Whether a push makes the project where there is none: a UUID names what must be there already, and a key is for its own project.
fn may_appear(app: &App, principal: &Principal, name: &RepositoryName) -> bool {
    let may = match principal {
        Principal::Anonymous => app.config.anonymous_runs(),
        Principal::User(_) => true,
        Principal::ProjectKey(_) => false,
    };
    may && matches!(name.project(), ResourceId::Slug(_))
}

/// Makes the project of a first push: a user's own, or nobody's.
async fn appear(app: &App, principal: &Principal, name: &RepositoryName) -> Result<(), AccessError> {
    let ResourceId::Slug(slug) = name.project() else { return Ok(()) };
    let now = app.clock.now();
    let made = match principal.user_id() {
        Some(user) => app.store.create_own_project(user, slug, now).await,
        None => {
            let title = ResourceName::new(slug.as_str()).map_err(|error| AccessError::Denied(error.to_string()))?;
            app.store.create_unclaimed_project(&title, slug, now).await
        }
    };
    match made {
        Ok(()) => {
            tracing::info!(project.slug = %slug, "a push made a project");
            Ok(())
        }
        // Another push was first, or the name is taken by what the caller may not see.
        Err(StoreError::Unique { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn claim_for(app: &App, user: &User, project: ProjectRow, name: &RepositoryName) -> Result<ProjectRow, AccessError> {
    let organization = ResourceId::Uuid(project.organization_uuid.0.as_uuid());
    match claim::claim(app, user, &organization).await {
        Ok(_) | Err(ClaimError::Claimed | ClaimError::NotFound(_)) => {}
        Err(ClaimError::Store(error)) => return Err(error.into()),
    }
    let principal = Principal::User(user.clone());
    let again = permission::project(app, &principal, name.project(), Permission::Create).await;
    again.map_err(|error| refused(error, &principal, name, OciAction::Push))
}

/// A runner pulls what belongs to the project of its job, whichever repository it is in, and does nothing else.
async fn authorize_runner(
    app: &App,
    runner: RunnerUuid,
    access: Option<&OciAccess>,
    name: &RepositoryName,
    action: OciAction,
) -> Result<Access, AccessError> {
    let project = app.store.project(name.project(), None).await?;
    let allowed = access.zip(project.as_ref()).is_some_and(|(access, project)| {
        action == OciAction::Pull && scope::allows(access, &[project.uuid.0.to_string()], action)
    });
    match project.filter(|_| allowed) {
        Some(project) => {
            let place = place(&project, name, Reach::Project);
            // What a job needs is bounded by there being a job.
            let principal = Some(format!("runner:{runner}"));
            Ok(Access { name: name.clone(), place, principal, may_push: false, allowance: None })
        }
        None => Err(AccessError::Denied("a runner may only pull the images of its job's project".to_owned())),
    }
}

fn place(project: &ProjectRow, name: &RepositoryName, reach: Reach) -> Place {
    Place { repository: RepositoryKey { project_id: project.id, name: name.rest().to_owned() }, reach }
}

/// What a refusal of the rules is to a client of the registry. Who is not logged in cannot tell a private project from none at all.
fn refused(error: permission::AccessError, principal: &Principal, name: &RepositoryName, action: OciAction) -> AccessError {
    match (error, principal) {
        (permission::AccessError::Store(error), _) => AccessError::Store(error),
        (_, Principal::Anonymous) => AccessError::Unauthorized(format!(
            "log in to {} `{}`: the password is an API key or token, the user name may be anything",
            action_name(action),
            name.as_str()
        )),
        (permission::AccessError::NotFound { .. }, _) => AccessError::NameUnknown(name.as_str().to_owned()),
        (error, _) => AccessError::Denied(error.to_string()),
    }
}

/// Everything that the repository may be called: a project has a slug and a UUID.
fn aliases(name: &RepositoryName, project: &ProjectRow) -> [String; 2] {
    [project.uuid.0.to_string().as_str(), project.slug.0.as_str()].map(|project| full_name(project, name.rest()))
}

/// The part of the scopes that a user, the holder of a key, or anybody, may have.
///
/// # Errors
/// The database failed.
pub async fn grantable(app: &App, principal: &Principal, scopes: Vec<Scope>) -> Result<Vec<Scope>, StoreError> {
    let mut granted = Vec::new();
    for Scope { name, actions: asked } in scopes {
        let mut actions = Vec::new();
        for &action in &asked {
            match look_up(app, principal, &name, action).await {
                Ok(_) => actions.push(action),
                Err(permission::AccessError::Store(error)) => return Err(error),
                // Nothing is made before something is pushed.
                Err(permission::AccessError::NotFound { .. })
                    if asked.contains(&OciAction::Push) && may_appear(app, principal, &name) && is_free(app, &name).await? =>
                {
                    actions.push(action);
                }
                Err(_) => {}
            }
        }
        if !actions.is_empty() {
            granted.push(Scope { name, actions });
        }
    }
    Ok(granted)
}

/// Whether no project has this name, not even one that the caller may not see.
async fn is_free(app: &App, name: &RepositoryName) -> Result<bool, StoreError> {
    Ok(app.store.project(name.project(), None).await?.is_none())
}
