//! What is known of the guest's processes, which its kernel drives with `ptrace`.

use std::{
    ffi::{c_int, c_uint},
    sync::atomic::{AtomicI32, AtomicU32, Ordering},
};

use nix::libc;

/// The kind of register set that holds the extended state: `NT_X86_XSTATE`.
const EXTENDED_STATE: usize = 0x202;
/// Where the header of the extended state begins, with the set of components that are in it.
const COMPONENTS_AT: usize = 512;
/// The components whose state fits into what the kernel keeps of a process: all before the matrix registers of newer
/// processors (17 and 18), which make the host ask for 11 KB.
const KNOWN_COMPONENTS: u64 = 0x1_ffff;

pub(crate) fn is_set_state(request: c_uint, address: usize) -> bool {
    request == libc::PTRACE_SETREGSET && address == EXTENDED_STATE
}

/// The state of a process in the size that any processor asks for: what was given, then zeros.
#[repr(C, align(64))]
pub(crate) struct WholeState([u8; Self::SIZE]);

impl WholeState {
    /// The host takes no more than it needs.
    pub(crate) const SIZE: usize = 16 * 1024;

    pub(crate) const fn zeros() -> Self {
        Self([0; Self::SIZE])
    }

    /// Every part has the same length, so that what follows it stays zero.
    pub(crate) fn set(&mut self, part: &[u8]) {
        let length = part.len().min(Self::SIZE);
        self.0[..length].copy_from_slice(&part[..length]);
        let mut components = [0; 8];
        components.copy_from_slice(&self.0[COMPONENTS_AT..COMPONENTS_AT + 8]);
        let known = u64::from_ne_bytes(components) & KNOWN_COMPONENTS;
        self.0[COMPONENTS_AT..COMPONENTS_AT + 8].copy_from_slice(&known.to_ne_bytes());
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8; Self::SIZE] {
        &mut self.0
    }
}

/// How a process was last sent on, so that it can be sent on again. Guests of tests have few processes; one that finds its
/// place taken loses only the tolerance of being stopped.
struct Driven {
    pid: AtomicI32,
    request: AtomicU32,
}

const PLACES: usize = 1024;
static DRIVEN: [Driven; PLACES] = [const { Driven { pid: AtomicI32::new(0), request: AtomicU32::new(0) } }; PLACES];

/// `PTRACE_SYSEMU` and its sibling run guest code, and nothing else does in this kernel but `PTRACE_SYSCALL`.
pub(crate) fn is_resume(request: c_uint) -> bool {
    matches!(request, libc::PTRACE_SYSEMU | libc::PTRACE_SYSEMU_SINGLESTEP | libc::PTRACE_SYSCALL)
}

fn place(pid: libc::pid_t) -> &'static Driven {
    &DRIVEN[usize::try_from(pid).unwrap_or(0) % PLACES]
}

pub(crate) fn resumed(pid: libc::pid_t, request: c_uint) {
    let place = place(pid);
    place.request.store(request, Ordering::Relaxed);
    place.pid.store(pid, Ordering::Relaxed);
}

/// With which request a process must be sent on that was stopped by somebody else; none if this stop is the kernel's
/// business.
pub(crate) fn after_stop(pid: libc::pid_t, status: c_int) -> Option<c_uint> {
    let place = place(pid);
    if place.pid.load(Ordering::Relaxed) != pid {
        return None;
    }
    if !libc::WIFSTOPPED(status) {
        place.pid.store(0, Ordering::Relaxed);
        return None;
    }
    // A process that is driven hears of the order to go on, too.
    matches!(libc::WSTOPSIG(status), libc::SIGSTOP | libc::SIGCONT).then(|| place.request.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests;
