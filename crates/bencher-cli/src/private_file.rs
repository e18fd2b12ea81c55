//! Files that hold secrets: replaced at once, and for their owner's eyes only.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::limits;

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

/// Waits until nobody else who asks for it changes the file, and has it alone for as long as what is returned lives. The lock is a
/// file of its own beside it, which stays: what is replaced cannot be locked.
///
/// # Errors
/// The folder or the lock cannot be written, or somebody else has it for too long.
pub(crate) async fn lock(path: &Path) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let lock = File::options().write(true).create(true).truncate(false).mode(0o600).open(folder.join(name))?;
    let locked = async {
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(()),
                Err(fs::TryLockError::WouldBlock) => tokio::time::sleep(limits::LOCK_POLL).await,
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
        }
    };
    tokio::time::timeout(limits::LOCK_TIMEOUT, locked).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(lock)
}

#[cfg(test)]
mod tests;
