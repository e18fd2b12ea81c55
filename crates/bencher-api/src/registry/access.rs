//! Who may do what with a repository.
//!
//! What a caller may do is asked of the database at every request; a token's scope can only narrow it. A project that the caller may
//! not view answers exactly as one that does not exist.

use bencher_types::{Permission, ResourceId, RunnerUuid, UserKey};

use super::{
    name::RepositoryName,
    scope::{self, Scope, action_name},
};
use crate::{
    app::App,
    auth::{self, AuthError, Principal, User},
    permission,
    store::{
        StoreError,
        oci::{Place, Reach, RepositoryKey},
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
            let key = if user.expose().starts_with(UserKey::PREFIX) { user } else { password };
            Ok(Caller::User(user_of(app, key.expose()).await?, Grant::Everything))
        }
        Credentials::Bearer(token) => bearer(app, token.expose()).await,
    }
}

async fn bearer(app: &App, token: &str) -> Result<Caller, AccessError> {
    const REGISTRY: [Audience; 3] = [Audience::OciAuth, Audience::OciPublic, Audience::OciRunner];
    let Ok(claims) = app.tokens.check(token, &REGISTRY, app.clock.now()) else {
        return Ok(Caller::User(user_of(app, token).await?, Grant::Everything));
    };
    match claims.aud {
        Audience::OciPublic => Ok(Caller::Anonymous(Grant::Token(claims.oci))),
        Audience::OciRunner => {
            let runner: RunnerUuid = claims.sub.parse().map_err(|_| unauthorized("the token names no runner"))?;
            let found = app.store.runner(&ResourceId::Uuid(runner.as_uuid())).await?;
            if found.is_none_or(|runner| runner.archived.is_some()) {
                return Err(unauthorized("the runner of this token is archived or gone"));
            }
            Ok(Caller::Runner(runner, claims.oci))
        }
        _ => {
            let oci = claims.oci.clone();
            Ok(Caller::User(auth::user_of_claims(app, claims).await.map_err(not_identified)?, Grant::Token(oci)))
        }
    }
}

/// The user of a key or an API token.
async fn user_of(app: &App, token: &str) -> Result<User, AccessError> {
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

/// The rule: whoever may view a project may pull its images; whoever may add to it may push, and delete what was pushed.
const fn permission(action: OciAction) -> Permission {
    match action {
        OciAction::Pull => Permission::View,
        OciAction::Push => Permission::Create,
    }
}

/// Lets a caller act on a repository, or says why not.
///
/// # Errors
/// The caller may not, or that could not be found out.
pub async fn authorize(app: &App, caller: &Caller, name: &RepositoryName, action: OciAction) -> Result<Access, AccessError> {
    let (principal, grant) = match caller {
        Caller::Runner(runner, access) => return authorize_runner(app, *runner, access.as_ref(), name, action).await,
        Caller::Anonymous(grant) => (Principal::Anonymous, grant),
        Caller::User(user, grant) => (Principal::User(user.clone()), grant),
    };
    let project = permission::project(app, &principal, name.project(), permission(action)).await;
    let project = project.map_err(|error| refused(error, &principal, name, action))?;
    let covered = match grant {
        Grant::Everything => true,
        Grant::Token(None) => false,
        Grant::Token(Some(access)) => scope::allows(access, &aliases(name, &project), action),
    };
    if !covered {
        return Err(AccessError::InsufficientScope { name: name.as_str().to_owned(), action });
    }
    let (principal, may_push) = match &principal {
        Principal::Anonymous => (None, false),
        Principal::User(user) => {
            let role = project.role.as_ref().map(|role| role.0);
            let may_push = user.admin || role.is_some_and(|role| role.may(permission(OciAction::Push)));
            (Some(format!("user:{}", user.uuid)), may_push)
        }
    };
    Ok(Access { name: name.clone(), place: place(&project, name, Reach::Repository), principal, may_push })
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
            Ok(Access { name: name.clone(), place, principal: Some(format!("runner:{runner}")), may_push: false })
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
        (permission::AccessError::NotFound { .. }, Principal::User(_)) => AccessError::NameUnknown(name.as_str().to_owned()),
        (error, Principal::User(_)) => AccessError::Denied(error.to_string()),
    }
}

/// Everything that the repository may be called: a project has a slug and a UUID.
fn aliases(name: &RepositoryName, project: &ProjectRow) -> [String; 2] {
    let below = |project: &str| if name.rest().is_empty() { project.to_owned() } else { format!("{project}/{}", name.rest()) };
    [below(&project.uuid.0.to_string()), below(project.slug.0.as_str())]
}

/// The part of the scopes that a user, or anybody, may have.
///
/// # Errors
/// The database failed.
pub async fn grantable(app: &App, principal: &Principal, scopes: Vec<Scope>) -> Result<Vec<Scope>, StoreError> {
    let mut granted = Vec::new();
    for Scope { name, actions: asked } in scopes {
        let mut actions = Vec::new();
        for action in asked {
            match permission::project(app, principal, name.project(), permission(action)).await {
                Ok(_) => actions.push(action),
                Err(permission::AccessError::Store(error)) => return Err(error),
                Err(_) => {}
            }
        }
        if !actions.is_empty() {
            granted.push(Scope { name, actions });
        }
    }
    Ok(granted)
}
