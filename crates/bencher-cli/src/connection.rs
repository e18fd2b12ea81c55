//! Which server, and as whom: flags, then the environment, then the profile, then the default.

use bencher_types::ResourceId;
use clap::ArgMatches;
use url::Url;

use crate::{
    cli::{Credential, Global},
    error::CliError,
    profile::{Profile, ProfileFile},
};

/// What was chosen, and why.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub host: Url,
    pub credential: Option<Credential>,
    /// The project of commands that are given none.
    pub project: Option<ResourceId>,
    /// The profile that any of it is from.
    pub profile: Option<String>,
    /// Whether the credential is the profile's.
    from_file: bool,
}

impl Connection {
    /// # Errors
    /// There are two credentials, or the profile that is named cannot be used.
    pub(crate) fn choose(global: &Global, matches: &ArgMatches, profiles: &ProfileFile) -> Result<Self, CliError> {
        let (name, profile) = match profiles.select(global.profile.as_deref())? {
            Some((name, profile)) => (Some(name), profile),
            None => (None, Profile::default()),
        };
        let given = credential(global, matches)?;
        let kept = profile.key.map(Credential::Key).or(profile.token.map(Credential::Token));
        let named = global.named_host(matches);
        // A credential is for the server it was stored with: it must not travel to another one.
        let elsewhere = named.is_some() && named != profile.host;
        let from_file = given.is_none() && kept.is_some() && !elsewhere;
        Ok(Self {
            host: named.or(profile.host).unwrap_or_else(|| global.host.clone()),
            credential: given.or(kept.filter(|_| !elsewhere)),
            project: profile.project.filter(|_| !elsewhere),
            profile: name.filter(|_| !elsewhere),
            from_file,
        })
    }

    /// Whether the credential is from a file that others can read.
    pub(crate) fn is_from_open_file(&self, profiles: &ProfileFile) -> bool {
        self.from_file && profiles.is_open_to_others()
    }
}

/// What the command line and the environment say, as it would be kept in a profile.
pub(crate) fn given(global: &Global, matches: &ArgMatches) -> Result<Profile, CliError> {
    let (token, key) = match credential(global, matches)? {
        Some(Credential::Token(token)) => (Some(token), None),
        Some(Credential::Key(key)) => (None, Some(key)),
        None => (None, None),
    };
    Ok(Profile { host: global.named_host(matches), token, key, project: None })
}

fn credential(global: &Global, matches: &ArgMatches) -> Result<Option<Credential>, CliError> {
    global.credential(matches).map_err(|error| CliError::Usage(error.to_string()))
}
