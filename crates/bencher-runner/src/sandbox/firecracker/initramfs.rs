//! The guest's initial file system: its first process and the kernel modules that needs, as a `newc` archive.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const DATA: u32 = 0o100_644;

/// Writes the archive to `target`, replacing what is there.
pub(super) fn write(init: &Path, modules: &[PathBuf], target: &Path) -> io::Result<()> {
    let part = target.with_extension("part");
    let mut archive = Archive { out: BufWriter::new(File::create(&part)?), inode: 0 };
    archive.entry("dev", FOLDER, &[])?;
    archive.entry("init", PROGRAM, &fs::read(init)?)?;
    archive.entry("modules", FOLDER, &[])?;
    let mut order = String::new();
    for (index, module) in modules.iter().enumerate() {
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{index:02}-{name}");
        archive.entry(&format!("modules/{name}"), DATA, &fs::read(module)?)?;
        order.push_str(&name);
        order.push('\n');
    }
    archive.entry("modules/order", DATA, order.as_bytes())?;
    archive.entry("TRAILER!!!", 0, &[])?;
    archive.out.flush()?;
    fs::rename(&part, target)
}

struct Archive {
    out: BufWriter<File>,
    inode: u32,
}

impl Archive {
    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.inode += 1;
        let size = u32::try_from(content.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let name_size = u32::try_from(name.len() + 1).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.out.write_all(b"070701")?;
        for field in [self.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0] {
            write!(self.out, "{field:08x}")?;
        }
        self.out.write_all(name.as_bytes())?;
        self.out.write_all(&[0])?;
        self.pad(110 + name.len() + 1)?;
        self.out.write_all(content)?;
        self.pad(content.len())
    }

    fn pad(&mut self, length: usize) -> io::Result<()> {
        self.out.write_all(&[0; 3][..length.next_multiple_of(4) - length])
    }
}
