//! `auth docker`: a log-in to the server's registry for docker, podman, skopeo, buildah and oras, in the file that they all read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use base64::Engine as _;
use bencher_types::{Secret, wire::auth::Identity};
use serde_json::{Map, Value, json};

use super::Context;
use crate::{cli::account::DockerLogin, error::CliError, exit::Exit, private_file};

/// A log-in that could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DockerError {
    #[error("there is no credential to write: give --key or --token, or choose a profile that has one")]
    NoCredential,
    #[error("there is no place for the log-in: neither DOCKER_CONFIG nor HOME is set; name a file with --file")]
    NoPlace,
    #[error("could not read or write {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is not the JSON object that container tools keep there; it is left as it is", path.display())]
    Syntax { path: PathBuf },
    #[error(
        "{} says that log-ins are kept in a credential store, where this program cannot put one; pipe the key into \
         `docker login --username {user} --password-stdin {registry}`", path.display()
    )]
    CredentialStore { path: PathBuf, user: String, registry: String },
}

impl DockerError {
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::NoCredential => Exit::Usage,
            Self::NoPlace | Self::File { .. } | Self::Syntax { .. } | Self::CredentialStore { .. } => Exit::Local,
        }
    }
}

pub(super) async fn docker(context: &Context, args: DockerLogin) -> Result<(), CliError> {
    let secret = context.client.credential().ok_or(DockerError::NoCredential)?;
    let registry = context.client.registry();
    let identity = context.client.get::<Identity>(&["v0", "auth", "identity"], &[]).await?.body()?;
    let user = match identity {
        Identity { user: Some(user), .. } => user.email.to_string(),
        Identity { project: Some(project), .. } => project.slug.to_string(),
        Identity { user: None, project: None } => return Err(DockerError::NoCredential.into()),
    };
    let path = args.file.or_else(|| context.docker_config.clone()).ok_or(DockerError::NoPlace)?;
    // A link, such as into a folder of settings that are kept elsewhere, stays one.
    let file = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
    let failed = |source| DockerError::File { path: path.clone(), source };
    let _alone = private_file::lock(&file).await.map_err(failed)?;
    write(&file, &registry, &user, secret)?;
    context.out.done(&format!("{user} is logged in to {registry}, in {}", path.display()));
    Ok(())
}

/// Adds the log-in to the file, and keeps everything else in it.
fn write(path: &Path, registry: &str, user: &str, secret: &Secret) -> Result<(), DockerError> {
    let failed = |source| DockerError::File { path: path.to_owned(), source };
    let mut config = match fs::read(path) {
        Ok(bytes) => {
            serde_json::from_slice::<Map<String, Value>>(&bytes).map_err(|_| DockerError::Syntax { path: path.to_owned() })?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(failed(error)),
    };
    // A tool that has a store does not look at log-ins in the file.
    let helper = config.get("credHelpers").and_then(|helpers| helpers.get(registry));
    let stored = config.get("credsStore").and_then(Value::as_str).is_some_and(|store| !store.is_empty());
    if stored || helper.is_some() {
        let (user, registry) = (user.to_owned(), registry.to_owned());
        return Err(DockerError::CredentialStore { path: path.to_owned(), user, registry });
    }
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{}", secret.expose()));
    let auths = config.entry("auths").or_insert_with(|| json!({}));
    let auths = auths.as_object_mut().ok_or_else(|| DockerError::Syntax { path: path.to_owned() })?;
    auths.insert(registry.to_owned(), json!({ "auth": auth }));

    let text = serde_json::to_vec_pretty(&config).map_err(|error| failed(error.into()))?;
    private_file::replace(path, &text).map_err(failed)
}

#[cfg(test)]
mod tests;
