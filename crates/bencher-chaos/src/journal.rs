//! What was done to which program when, said aloud and kept.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::{Mutex, MutexGuard},
};

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use crate::clock;

/// The diary of a run.
#[derive(Debug)]
pub(crate) struct Journal {
    begun: Timestamp,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    kills: Vec<Kill>,
    complaints: Vec<String>,
}

/// A program that was killed.
#[derive(Clone, Debug)]
pub(crate) struct Kill {
    pub(crate) program: String,
    pub(crate) at: Timestamp,
}

impl Journal {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("could not write {}", path.display()))?;
        Ok(Self { begun: clock::now(), inner: Mutex::new(Inner { file, kills: Vec::new(), complaints: Vec::new() }) })
    }

    /// Writes a line, with the seconds since the beginning.
    pub(crate) fn say(&self, line: &str) {
        self.write(&mut self.inner(), line);
    }

    pub(crate) fn killed(&self, program: &str, pid: i32) {
        let mut inner = self.inner();
        self.write(&mut inner, &format!("killed {program} (process {pid})"));
        inner.kills.push(Kill { program: program.to_owned(), at: clock::now() });
    }

    /// Something that must not happen.
    pub(crate) fn complain(&self, complaint: String) {
        let mut inner = self.inner();
        self.write(&mut inner, &format!("violation: {complaint}"));
        inner.complaints.push(complaint);
    }

    pub(crate) fn kills(&self) -> Vec<Kill> {
        self.inner().kills.clone()
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        self.inner().complaints.clone()
    }

    fn write(&self, inner: &mut Inner, line: &str) {
        let seconds = clock::now().duration_since(self.begun).as_secs_f64();
        let line = format!("{seconds:8.3} {line}");
        println!("{line}");
        // What was said is on the terminal as well.
        writeln!(inner.file, "{line}").ok();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panics while the lock is held")
    }
}
