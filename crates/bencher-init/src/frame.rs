//! Frames: four bytes of length, little-endian, then that many bytes of JSON.

use std::io::{self, Read, Write};

use serde::{Serialize, de::DeserializeOwned};

use crate::limits::MAX_FRAME;

/// Bytes of a frame's length.
pub const LENGTH_BYTES: usize = 4;

/// A frame that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the connection ended within a frame")]
    Truncated,
    #[error("a frame of {length} bytes was announced, at most {MAX_FRAME} are read")]
    TooLarge { length: u64 },
    #[error("the frame is no message of this protocol")]
    Message(#[source] serde_json::Error),
    #[error("could not read from the connection")]
    Io(#[source] io::Error),
}

/// A message as it is sent.
///
/// # Errors
/// It is larger than [`MAX_FRAME`].
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; LENGTH_BYTES];
    serde_json::to_writer(&mut bytes, message).map_err(FrameError::Message)?;
    let length = bytes.len() - LENGTH_BYTES;
    let announced = u32::try_from(length).ok().filter(|_| length <= MAX_FRAME);
    let announced = announced.ok_or(FrameError::TooLarge { length: length as u64 })?;
    bytes[..LENGTH_BYTES].copy_from_slice(&announced.to_le_bytes());
    Ok(bytes)
}

/// How many bytes the message after these has.
///
/// # Errors
/// More than [`MAX_FRAME`].
pub fn length(announced: [u8; LENGTH_BYTES]) -> Result<usize, FrameError> {
    let length = u32::from_le_bytes(announced);
    usize::try_from(length).ok().filter(|length| *length <= MAX_FRAME).ok_or(FrameError::TooLarge { length: length.into() })
}

/// The message in the bytes after a length.
///
/// # Errors
/// They are not that message.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(bytes).map_err(FrameError::Message)
}

/// Reads one frame. `None` where the connection ended before it.
///
/// # Errors
/// The connection breaks, or what comes is not that message.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut announced = [0; LENGTH_BYTES];
    let mut have = 0;
    while have < LENGTH_BYTES {
        match from.read(&mut announced[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(FrameError::Truncated),
            Ok(read) => have += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(FrameError::Io(error)),
        }
    }
    let mut bytes = vec![0; length(announced)?];
    from.read_exact(&mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => FrameError::Truncated,
        _ => FrameError::Io(error),
    })?;
    decode(&bytes).map(Some)
}

/// Writes one frame in one call.
///
/// # Errors
/// The connection breaks, or the message is too large.
pub fn write(to: &mut impl Write, message: &impl Serialize) -> Result<(), FrameError> {
    to.write_all(&encode(message)?).map_err(FrameError::Io)
}

#[cfg(test)]
mod tests;
