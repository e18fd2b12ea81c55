//! What to run, from an image's configuration and what a job overrides. Pure rules; reads no file.

use std::fmt;

use oci_spec::image::ImageConfiguration;

use super::ImageError;

/// The `PATH` of a benchmark whose image and job set none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a job says over the image's configuration.
#[derive(Clone, Default)]
pub struct Overrides {
    /// Also drops the image's `Cmd`, which belongs to the image's own entrypoint.
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    /// Added to the image's environment; the same name replaces.
    pub env: Vec<(String, String)>,
}

/// A command line with its surroundings.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageCommand {
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    pub working_dir: String,
    pub user: Option<String>,
}

/// The names of an environment, for `Debug`: values may be secrets.
pub(super) struct Names<'a>(pub(super) &'a [(String, String)]);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entrypoint, cmd, env } = self;
        f.debug_struct("Overrides").field("entrypoint", entrypoint).field("cmd", cmd).field("env", &Names(env)).finish()
    }
}

impl fmt::Debug for ImageCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { args, env, working_dir, user } = self;
        let mut shown = f.debug_struct("ImageCommand");
        shown.field("args", args).field("env", &Names(env)).field("working_dir", working_dir).field("user", user).finish()
    }
}

impl ImageCommand {
    /// # Errors
    /// There is no command at all, or a value no process can be given.
    pub fn resolve(image: &ImageConfiguration, overrides: &Overrides) -> Result<Self, ImageError> {
        let config = image.config().as_ref();
        let image_entrypoint = config.and_then(|config| config.entrypoint().as_deref()).unwrap_or_default();
        let image_cmd = config.and_then(|config| config.cmd().as_deref()).unwrap_or_default();
        let args = args(image_entrypoint, image_cmd, overrides);
        if args.first().is_none_or(String::is_empty) {
            return Err(ImageError::NoCommand);
        }
        if let Some(bad) = args.iter().find(|arg| arg.contains('\0')) {
            return Err(ImageError::NulCharacter { name: bad.replace('\0', "\\0") });
        }
        let image_env = config.and_then(|config| config.env().as_deref()).unwrap_or_default();
        let working_dir = config.and_then(|config| config.working_dir().as_deref()).unwrap_or_default();
        Ok(Self {
            args,
            env: env(image_env, &overrides.env)?,
            working_dir: if working_dir.starts_with('/') { working_dir.to_owned() } else { format!("/{working_dir}") },
            user: config.and_then(|config| config.user().clone()).filter(|user| !user.is_empty()),
        })
    }
}

fn args(image_entrypoint: &[String], image_cmd: &[String], overrides: &Overrides) -> Vec<String> {
    let (entrypoint, default_cmd) = match &overrides.entrypoint {
        Some(entrypoint) => (entrypoint.as_slice(), [].as_slice()),
        None => (image_entrypoint, image_cmd),
    };
    let cmd = overrides.cmd.as_deref().unwrap_or(default_cmd);
    [entrypoint, cmd].concat()
}

fn env(image: &[String], job: &[(String, String)]) -> Result<Vec<(String, String)>, ImageError> {
    let mut env: Vec<(String, String)> = Vec::new();
    // An entry of an image without `=` names a variable without a value; there is nothing to pass on.
    let image = image.iter().filter_map(|entry| entry.split_once('='));
    let job = job.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in image.chain(job) {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(ImageError::BadVariable { name: name.replace('\0', "\\0") });
        }
        if value.contains('\0') {
            return Err(ImageError::NulCharacter { name: name.to_owned() });
        }
        match env.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => env.push((name.to_owned(), value.to_owned())),
        }
    }
    if !env.iter().any(|(name, _)| name == "PATH") {
        env.push(("PATH".to_owned(), DEFAULT_PATH.to_owned()));
    }
    Ok(env)
}

#[cfg(test)]
mod tests;
