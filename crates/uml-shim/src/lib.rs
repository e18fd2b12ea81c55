//! Loaded into Debian's User Mode Linux by `LD_PRELOAD`, for tests only: what that kernel needs from its host and does not
//! get on every one, and three ends that the stand-in for Firecracker must tell apart.
//!
//! | function | what is changed |
//! |---|---|
//! | `ptrace` | the floating-point state has the size that the host's processor asks for (`trace`) |
//! | `waitpid` | a guest process that was stopped from outside is sent on its way (`trace`) |
//! | `sendmsg`, `read` | the conversation with a vhost-user device keeps to what both sides accept (`vhost`) |
//! | `execvp` | a reboot ends the process with [`REBOOT_EXIT_CODE`], instead of starting the kernel again |
//! | exit with 0 | a power-off leaves a process that does nothing, as a halted virtual processor does |
//!
//! The kernel calls these from signal handlers and from threads that the C library knows nothing of: nothing here locks,
//! allocates or uses thread-local storage. It must know nothing of Firecracker.

#[cfg(not(test))]
mod exports;
mod trace;
mod vhost;

/// How the process ends when the guest asks for a restart. No exit code of the kernel's own.
pub const REBOOT_EXIT_CODE: i32 = 82;
