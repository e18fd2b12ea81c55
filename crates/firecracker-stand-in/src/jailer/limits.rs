//! The jail's resource limits.

use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use crate::error::JailError;

/// The jailer's default number of open files.
const NO_FILE: u64 = 2048;

/// What was asked for by `--resource-limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    file_size: Option<u64>,
    no_file: u64,
}

impl Limits {
    pub(crate) fn parse(texts: &[String]) -> Result<Self, JailError> {
        let mut limits = Self { file_size: None, no_file: NO_FILE };
        for text in texts {
            let (name, value) = text.split_once('=').ok_or_else(|| JailError::LimitFormat(text.clone()))?;
            let number = value.parse().map_err(|error| JailError::LimitValue { value: value.to_owned(), error })?;
            match name {
                "fsize" => limits.file_size = Some(number),
                "no-file" => limits.no_file = number,
                _ => return Err(JailError::LimitName(name.to_owned())),
            }
        }
        Ok(limits)
    }

    /// The size of files is left to be raised by the stand-in: the guest's memory is a file.
    pub(crate) fn set(self) -> Result<(), JailError> {
        let failed = |errno: nix::Error| JailError::SetLimit(errno.into());
        if let Some(bytes) = self.file_size {
            setrlimit(Resource::RLIMIT_FSIZE, bytes, RLIM_INFINITY).map_err(failed)?;
        }
        setrlimit(Resource::RLIMIT_NOFILE, self.no_file, self.no_file).map_err(failed)
    }
}

#[cfg(test)]
mod tests;
