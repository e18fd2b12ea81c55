//! The configuration drive: what the runner writes before the start, and the guest reads once.
//!
//! ```text
//! 8 bytes   the mark `BENCHCFG`
//! 8 bytes   length of the text, little-endian
//! 32 bytes  SHA-256 of the text
//! …         the text: a GuestConfig as JSON
//! …         zeros to a whole number of 512-byte sectors
//! ```

use std::io::{self, Read};

use serde::Deserialize;

use crate::{PROTOCOL_VERSION, config::GuestConfig, delivery::Sha256, limits::MAX_CONFIG};

const MARK: [u8; 8] = *b"BENCHCFG";
const SECTOR: usize = 512;

/// A drive that holds no configuration.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    #[error("it does not begin with the mark of a configuration")]
    NoMark,
    #[error("it announces {length} bytes of configuration, at most {MAX_CONFIG} are read")]
    TooLarge { length: u64 },
    #[error("it is for version {version} of the protocol, not {}", crate::PROTOCOL_VERSION)]
    Version { version: u16 },
    #[error("the configuration does not have the digest it is announced with")]
    Damaged,
    #[error("the configuration is not what this version knows")]
    Text(#[source] serde_json::Error),
    #[error("it could not be read")]
    Io(#[source] io::Error),
}

/// What every version of the configuration has.
#[derive(Deserialize)]
struct Versioned {
    version: u16,
}

/// The whole content of a drive with this configuration.
///
/// # Errors
/// The configuration is larger than [`MAX_CONFIG`].
pub fn encode(config: &GuestConfig) -> Result<Vec<u8>, DriveError> {
    let text = serde_json::to_vec(config).map_err(DriveError::Text)?;
    if text.len() > MAX_CONFIG {
        return Err(DriveError::TooLarge { length: text.len() as u64 });
    }
    let mut bytes = MARK.to_vec();
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&Sha256::of(&text).0);
    bytes.extend_from_slice(&text);
    bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
    Ok(bytes)
}

/// Reads the configuration from the start of a drive.
///
/// # Errors
/// There is none, or it is damaged.
pub fn read(from: &mut impl Read) -> Result<GuestConfig, DriveError> {
    let mut mark = [0; MARK.len()];
    from.read_exact(&mut mark).map_err(DriveError::Io)?;
    if mark != MARK {
        return Err(DriveError::NoMark);
    }
    let mut length = [0; 8];
    from.read_exact(&mut length).map_err(DriveError::Io)?;
    let announced = u64::from_le_bytes(length);
    let length = usize::try_from(announced).ok().filter(|length| *length <= MAX_CONFIG);
    let length = length.ok_or(DriveError::TooLarge { length: announced })?;
    let mut digest = [0; 32];
    from.read_exact(&mut digest).map_err(DriveError::Io)?;
    let mut text = vec![0; length];
    from.read_exact(&mut text).map_err(DriveError::Io)?;
    if Sha256::of(&text) != Sha256(digest) {
        return Err(DriveError::Damaged);
    }
    // Asked first: a text of another version may well be one that this one cannot read.
    let Versioned { version } = serde_json::from_slice(&text).map_err(DriveError::Text)?;
    if version != PROTOCOL_VERSION {
        return Err(DriveError::Version { version });
    }
    serde_json::from_slice(&text).map_err(DriveError::Text)
}

#[cfg(test)]
mod tests;
