//! What can go wrong with a microVM, and whose fault it is.

use std::{io, path::PathBuf, time::Duration};

use bencher_init::{control::GuestFailure, frame::FrameError};

use super::{api::ApiError, initramfs::InitramfsError};
use crate::sandbox::{ImageError, SandboxError};

/// What this machine, or the guest's part that is ours, could not do.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    #[error("{what} {path} cannot be used; check the runner's [firecracker] settings, or get the file by `runner install-deps`")]
    Unusable {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} is no name for Firecracker's program: its jailer wants `firecracker` in it")]
    ProgramName { path: PathBuf },
    #[error(
        "the user ids {base} to {last} do not make a range of their own for microVMs; choose one above 0 that nothing else uses",
        last = u64::from(*base) + u64::from(*count)
    )]
    IdRange { base: u32, count: u32 },
    #[error("all {count} user ids for microVMs are taken: that many run on this host, or give it a larger range")]
    NoIdFree { count: u32 },
    #[error("this runner gives microVMs no network, and the job's spec asks for one")]
    NoNetwork,
    #[error("the spec asks for {asked} CPUs, a microVM has at most {}; use another spec", super::limits::MAX_VCPUS)]
    TooManyCpus { asked: u32 },
    #[error("the spec gives {mib} MiB of memory, a microVM needs {}; use another spec", super::limits::MIN_MEMORY_MIB)]
    TooLittleMemory { mib: u64 },
    #[error(
        "{needed} huge pages are needed and {free} are free; raise /proc/sys/vm/nr_hugepages, or turn off `huge_pages` of the runner"
    )]
    HugePages { needed: u64, free: u64 },
    #[error("a microVM cannot have a disk of its own")]
    Disk(#[source] bencher_oci::CloneError),
    #[error("the benchmark's configuration cannot be written to its drive")]
    Config(#[source] bencher_init::drive::DriveError),
    #[error("the guest's initial file system cannot be made")]
    Initramfs(#[source] InitramfsError),
    #[error("Firecracker did not do as it was asked")]
    Api(#[from] ApiError),
    #[error("Firecracker ended ({status}) {when}{said}")]
    Ended { status: String, when: &'static str, said: Said },
    #[error("{step} took longer than {after:?}{said}")]
    Silent { step: &'static str, after: Duration, said: Said },
    #[error("the guest could not do its part")]
    Guest(#[source] GuestFailure),
    #[error("the guest did not keep to its protocol")]
    Lie(#[from] Lie),
    #[error("the microVM's session has ended")]
    SessionOver,
}

impl MachineError {
    /// Whether it stays until a person changes the machine or starts the runner otherwise.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Unusable { .. } | Self::ProgramName { .. } | Self::IdRange { .. })
    }
}

/// What a guest may not say.
#[derive(Debug, thiserror::Error)]
pub enum Lie {
    #[error("it said `{said}` {when}")]
    OutOfTurn { said: &'static str, when: &'static str },
    #[error("it spoke of run {said} in run {run}")]
    OtherRun { said: u32, run: u32 },
    #[error("it says the benchmark ended with {said}, which is neither an exit code nor a signal")]
    Exit { said: i32 },
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("it announced {announced} of {what}, at most {max} were asked for")]
    TooMuch { what: &'static str, announced: u64, max: u64 },
    #[error("it kept {kept} bytes of a stream of {total}")]
    KeptMoreThanAll { kept: u64, total: u64 },
    #[error("what it sent of {what} does not have the digest it announced")]
    Digest { what: &'static str },
    #[error("the connection ended within {what}")]
    Short { what: &'static str },
    #[error("it sent more than it announced of {what}")]
    Long { what: &'static str },
    #[error("it sent the file `{path}`, which was not asked for")]
    NotAskedFor { path: String },
    #[error("it sent `{path}` twice")]
    Twice { path: String },
    #[error("it took longer than {after:?} to send {what}")]
    Slow { what: &'static str, after: Duration },
}

/// The last words of a machine, for the text of an error. They are the guest's: nothing of them is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said(pub(super) String);

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; its last words: {}", self.0) }
    }
}

/// A guest's failure as a sandbox's.
pub(super) fn of_guest(failure: GuestFailure) -> SandboxError {
    let image = match failure {
        GuestFailure::NoCommand => ImageError::NoCommand,
        GuestFailure::CommandNotFound { command, looked_in } => ImageError::CommandNotFound { command, looked_in },
        GuestFailure::NotExecutable { command, path } => ImageError::NotExecutable { command, path },
        GuestFailure::ExecFailed { command, reason } => ImageError::ExecFailed { command, reason },
        GuestFailure::UnknownUser { user } => ImageError::UnknownUser { user },
        GuestFailure::UnknownGroup { group } => ImageError::UnknownGroup { group },
        GuestFailure::ImageUnreadable { path, reason } => ImageError::Unreadable { path, source: io::Error::other(reason) },
        ours @ (GuestFailure::Config { .. }
        | GuestFailure::Version { .. }
        | GuestFailure::Module { .. }
        | GuestFailure::Mount { .. }
        | GuestFailure::System { .. }) => return of_machine(MachineError::Guest(ours)),
    };
    image.into()
}

pub(super) fn of_machine(error: MachineError) -> SandboxError {
    SandboxError::Infrastructure(error.into())
}
