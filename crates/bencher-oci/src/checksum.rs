//! What a disk image contains, as one digest, however much of it the file system stores.
//!
//! It is a SHA-256 over the size and the CRC-32 of every piece that holds anything but zeros, so holes cost nothing and a
//! piece of zeros is the same as a hole. It finds decay and accidents, at the speed of the page cache; it is no protection
//! against somebody who may write to the file.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use bencher_types::{Digest, oci::digest::Algorithm};

use crate::{clone::next_data, hash::Hasher};

/// Bytes of a piece, and of the grid they are on.
const PIECE: usize = 64 * 1024;

/// The checksum of a file. Moves the position at which the handle reads.
///
/// # Errors
/// The file cannot be read, or becomes shorter meanwhile.
pub(crate) fn of_file(file: &File) -> io::Result<Digest> {
    let size = file.metadata()?.len();
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(&size.to_le_bytes());
    let (mut piece, zeros) = (vec![0; PIECE], vec![0; PIECE]);
    let mut at = 0;
    while let Some((start, end)) = next_data(file, at, size)? {
        // Pieces are on the grid wherever the data begins; `at` is, so no piece comes twice.
        at = start - start % PIECE as u64;
        while at < end {
            let len = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
            file.read_exact_at(&mut piece[..len], at)?;
            if piece[..len] != zeros[..len] {
                let mut crc = flate2::Crc::new();
                crc.update(&piece[..len]);
                hasher.update(&at.to_le_bytes());
                hasher.update(&crc.sum().to_le_bytes());
            }
            at += len as u64;
        }
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests;
