//! Files that hold secrets: replaced at once, and for their owner's eyes only.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

/// Puts a new file in the place of the old one, if there is one: a crash leaves one of the two, whole. Makes the folder where needed.
///
/// # Errors
/// The folder or the file cannot be written.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Of mode 0600 from its first byte on.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests;
