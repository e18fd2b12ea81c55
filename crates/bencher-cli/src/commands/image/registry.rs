//! Clients of registries: this server's, with the credential of the profile, and others, with the log-ins of container tools.

use std::{net::IpAddr, sync::Arc};

use bencher_oci::{Credentials, Logins, Progress, RegistryClient};
use bencher_types::ImageRef;
use url::Url;

use super::{ImageError, transfers_dir};
use crate::{
    cli::image::{Login, place::Scheme},
    commands::Context,
};

/// The user name that goes with a key where no e-mail address is given: the key itself says whose it is.
const KEY_USER: &str = "key";
/// What tools call the registry that images without a host are from, and where it is.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// A repository and a client of the registry that has it.
pub(super) struct Repository {
    pub client: RegistryClient,
    pub name: String,
}

/// This server's registry.
pub(super) fn own(context: &Context, login: &Login) -> Result<RegistryClient, ImageError> {
    let credentials = match context.client.credential() {
        Some(password) => {
            let user = login.email.as_ref().map_or_else(|| KEY_USER.to_owned(), ToString::to_string);
            Credentials::Basic { user, password: password.clone() }
        }
        None => Credentials::None,
    };
    let http = context.client.transfer_client().map_err(|source| ImageError::Connection { source })?;
    remembering(context, RegistryClient::with_http(http, context.client.host().clone(), credentials))
}

/// Whether an image is on this server: it names no host, or this server's.
pub(super) fn is_own(context: &Context, image: &ImageRef) -> bool {
    image.host().is_none_or(|host| host == context.client.registry())
}

/// The repository of an image, here or elsewhere.
pub(super) async fn repository(
    context: &Context,
    (image, scheme): (&ImageRef, Scheme),
    login: &Login,
    progress: Arc<dyn Progress>,
) -> Result<Repository, ImageError> {
    let (Some(host), false) = (image.host(), is_own(context, image)) else {
        return Ok(Repository { client: own(context, login)?.progress(progress), name: image.repository().to_owned() });
    };
    let files = login.authfile.as_ref().map_or_else(|| context.login_files.clone(), |file| vec![file.clone()]);
    let logins = Logins::read(&files).map_err(|source| ImageError::Login { source: Box::new(source) })?;
    let credentials = logins.of(host, image.repository()).await;
    let credentials = credentials.map_err(|source| ImageError::Login { source: Box::new(source) })?;
    let (host, name) = match host {
        // What other tools write without a folder is in this one there.
        DOCKER_HUB if !image.repository().contains('/') => (DOCKER_HUB_HOST, format!("library/{}", image.repository())),
        DOCKER_HUB => (DOCKER_HUB_HOST, image.repository().to_owned()),
        host => (host, image.repository().to_owned()),
    };
    let address = format!("{}://{host}/", protocol(scheme, host));
    let url: Url = address.parse().map_err(|_| ImageError::Host { host: host.to_owned() })?;
    let client = remembering(context, RegistryClient::new(url, credentials))?;
    Ok(Repository { client: client.progress(progress), name })
}

/// HTTPS, but for what never leaves this machine.
fn protocol(scheme: Scheme, host: &str) -> &'static str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address: Option<IpAddr> = name.trim_matches(['[', ']']).parse().ok();
    let is_here = name == "localhost" || address.is_some_and(|address| address.is_loopback());
    match scheme {
        Scheme::Http => "http",
        Scheme::Usual if is_here => "http",
        Scheme::Https | Scheme::Usual => "https",
    }
}

/// With a memory of uploads, so that one that is interrupted goes on; where this machine has no place for it, without.
fn remembering(
    context: &Context,
    client: Result<RegistryClient, bencher_oci::RegistryError>,
) -> Result<RegistryClient, ImageError> {
    let setup = |source| ImageError::Registry { action: "use the registry".to_owned(), source: Box::new(source) };
    let client = client.map_err(setup)?;
    match transfers_dir(context) {
        Some(dir) => client.remember_uploads(&dir.join("uploads")).map_err(|source| setup(source.into())),
        None => Ok(client),
    }
}

#[cfg(test)]
mod tests;
