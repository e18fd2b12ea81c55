//! The log, in Firecracker's form: to standard output until a file is named.

use std::{
    cell::RefCell,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::{
    clock,
    resources::{Level, Logger},
};

pub(crate) struct Log {
    id: String,
    inner: RefCell<Inner>,
}

struct Inner {
    /// None: standard output.
    file: Option<File>,
    level: Level,
    show_level: bool,
}

impl Log {
    pub(crate) fn new(id: String, level: Level, show_level: bool) -> Self {
        Self { id, inner: RefCell::new(Inner { file: None, level, show_level }) }
    }

    /// Writes to a file from now on. It is created if it is not there; its folder must be.
    pub(crate) fn open(&self, path: &Path) -> io::Result<()> {
        let file = append(path)?;
        self.inner.borrow_mut().file = Some(file);
        Ok(())
    }

    pub(crate) fn update(&self, logger: &Logger) -> io::Result<()> {
        if let Some(path) = &logger.log_path {
            self.open(Path::new(path))?;
        }
        let mut inner = self.inner.borrow_mut();
        inner.level = logger.level.unwrap_or(inner.level);
        inner.show_level = logger.show_level.unwrap_or(inner.show_level);
        Ok(())
    }

    /// Whether somebody looks for a fault.
    pub(crate) fn is_verbose(&self) -> bool {
        self.inner.borrow().level >= Level::Debug
    }

    pub(crate) fn error(&self, text: &str) {
        self.line(Level::Error, "ERROR", text);
    }

    pub(crate) fn info(&self, text: &str) {
        self.line(Level::Info, "INFO", text);
    }

    /// A line that cannot be written is lost, as Firecracker's are.
    fn line(&self, level: Level, name: &str, text: &str) {
        let mut inner = self.inner.borrow_mut();
        if level > inner.level {
            return;
        }
        let shown = if inner.show_level { format!(":{name}") } else { String::new() };
        let line = format!("{} [{}:main{shown}] {text}\n", clock::now(), self.id);
        let _ = match &mut inner.file {
            Some(file) => file.write_all(line.as_bytes()),
            None => io::stdout().write_all(line.as_bytes()),
        };
    }
}

/// A file for lines, as the log and the metrics are. A pipe needs no reader yet, and a full one takes nothing.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).custom_flags(nix::libc::O_NONBLOCK).open(path)
}
