//! The functions of the C library that the kernel finds here first. Each knows the real one and hands on what is none of
//! its business.

use std::{
    cell::UnsafeCell,
    ffi::{CStr, c_char, c_int, c_long, c_uint, c_void},
    sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering},
};

use nix::libc;

use crate::{REBOOT_EXIT_CODE, trace, vhost};

type Ptrace = unsafe extern "C" fn(c_uint, libc::pid_t, usize, usize) -> c_long;
type Waitpid = unsafe extern "C" fn(libc::pid_t, *mut c_int, c_int) -> libc::pid_t;
type Sendmsg = unsafe extern "C" fn(c_int, *const libc::msghdr, c_int) -> isize;
type Read = unsafe extern "C" fn(c_int, *mut c_void, usize) -> isize;

unsafe extern "C" {
    fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

/// A function of the library after this one, looked up once.
struct Next {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
}

impl Next {
    const fn new(name: &'static CStr) -> Self {
        Self { name, found: AtomicPtr::new(std::ptr::null_mut()) }
    }

    fn get(&self) -> *mut c_void {
        let mut found = self.found.load(Ordering::Relaxed);
        if found.is_null() {
            // SAFETY: the name is terminated; the answer is a function of the C library, which is never unloaded.
            found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
            self.found.store(found, Ordering::Relaxed);
        }
        found
    }
}

static PTRACE: Next = Next::new(c"ptrace");
static WAITPID: Next = Next::new(c"waitpid");
static SENDMSG: Next = Next::new(c"sendmsg");
static READ: Next = Next::new(c"read");

/// The process that becomes the guest's kernel: the first that this is loaded into.
static KERNEL: AtomicI32 = AtomicI32::new(0);
/// Whether guest processes were driven: before that, an exit is no power-off.
static BOOTED: AtomicBool = AtomicBool::new(false);

#[used]
#[unsafe(link_section = ".init_array")]
static LOADED: extern "C" fn() = loaded;

extern "C" fn loaded() {
    // SAFETY: asks for the process's own id, and registers a function that lives as long as the process.
    unsafe {
        KERNEL.store(libc::getpid(), Ordering::Relaxed);
        on_exit(exiting, std::ptr::null_mut());
    }
}

/// Whoever is connected to a device of a guest that powered off must hear nothing, as from a processor that halted.
extern "C" fn exiting(status: c_int, _: *mut c_void) {
    // SAFETY: waits for a signal, for ever: none has a handler that returns to the guest's kernel any more.
    unsafe {
        if status == 0 && BOOTED.load(Ordering::Relaxed) && libc::getpid() == KERNEL.load(Ordering::Relaxed) {
            let mut all = std::mem::zeroed::<libc::sigset_t>();
            libc::sigfillset(&raw mut all);
            libc::sigprocmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
            loop {
                libc::pause();
            }
        }
    }
}

/// Not on the stack, for the kernel's stacks are smaller than this.
struct Shared(UnsafeCell<trace::WholeState>);

// SAFETY: used by one thread, see `ptrace`.
unsafe impl Sync for Shared {}

static WHOLE_STATE: Shared = Shared(UnsafeCell::new(trace::WholeState::zeros()));

fn is_bad_address() -> bool {
    // SAFETY: the address of the thread's own errno.
    unsafe { *libc::__errno_location() == libc::EFAULT }
}

/// # Safety
/// As the C library's own.
#[unsafe(no_mangle)]
unsafe extern "C" fn ptrace(request: c_uint, pid: libc::pid_t, address: usize, data: usize) -> c_long {
    // SAFETY: the C library's function of this name has this type; the arguments are the caller's own.
    let real = unsafe { std::mem::transmute::<*mut c_void, Ptrace>(PTRACE.get()) };
    if trace::is_resume(request) {
        BOOTED.store(true, Ordering::Relaxed);
        trace::resumed(pid, request);
    }
    // SAFETY: as above.
    let answer = unsafe { real(request, pid, address, data) };
    if answer != -1 || !trace::is_set_state(request, address) || !is_bad_address() {
        return answer;
    }
    // SAFETY: for this request the data is a vector that describes the state to be set.
    let given = unsafe { &*(data as *const libc::iovec) };
    // SAFETY: the vector describes memory of the caller's.
    let state = unsafe { std::slice::from_raw_parts(given.iov_base.cast::<u8>(), given.iov_len) };
    // SAFETY: only the kernel's one thread drives processes, and this function does not call itself.
    let whole = unsafe { &mut *WHOLE_STATE.0.get() };
    whole.set(state);
    let vector = libc::iovec { iov_base: whole.bytes().as_mut_ptr().cast(), iov_len: trace::WholeState::SIZE };
    // SAFETY: the vector describes memory that outlives the call.
    unsafe { real(request, pid, address, &raw const vector as usize) }
}

/// # Safety
/// As the C library's own.
#[unsafe(no_mangle)]
unsafe extern "C" fn waitpid(pid: libc::pid_t, status: *mut c_int, options: c_int) -> libc::pid_t {
    // SAFETY: the C library's functions of these names have these types.
    let (real, resume) = unsafe {
        (std::mem::transmute::<*mut c_void, Waitpid>(WAITPID.get()), std::mem::transmute::<*mut c_void, Ptrace>(PTRACE.get()))
    };
    loop {
        // SAFETY: the arguments are the caller's own.
        let waited = unsafe { real(pid, status, options) };
        if waited <= 0 || status.is_null() {
            return waited;
        }
        // SAFETY: just written by the real function.
        match trace::after_stop(waited, unsafe { *status }) {
            // SAFETY: the process is ours and stopped.
            Some(request) => unsafe { resume(request, waited, 0, 0) },
            None => return waited,
        };
    }
}

/// # Safety
/// As the C library's own.
#[unsafe(no_mangle)]
unsafe extern "C" fn sendmsg(fd: c_int, message: *const libc::msghdr, flags: c_int) -> isize {
    // SAFETY: the C library's function of this name has this type.
    let real = unsafe { std::mem::transmute::<*mut c_void, Sendmsg>(SENDMSG.get()) };
    // SAFETY: the caller's own message, which may be read as the real function would.
    let given = unsafe { &*message };
    if given.msg_iovlen == 1 {
        // SAFETY: there is one vector, and it describes memory of the caller's.
        let bytes = unsafe {
            let vector = &*given.msg_iov;
            std::slice::from_raw_parts(vector.iov_base.cast::<u8>(), vector.iov_len)
        };
        match vhost::sent(fd, bytes) {
            vhost::Sent::Unchanged => {}
            vhost::Sent::Instead(mut changed) => {
                let mut vector = libc::iovec { iov_base: changed.bytes.as_mut_ptr().cast(), iov_len: changed.length };
                let mut replaced = *given;
                replaced.msg_iov = &raw mut vector;
                // SAFETY: the message describes memory that outlives the call.
                let sent = unsafe { real(fd, &raw const replaced, flags) };
                let whole = usize::try_from(sent).is_ok_and(|sent| sent == changed.length);
                return if whole { bytes.len().cast_signed() } else { sent };
            }
            vhost::Sent::Swallowed => {
                // The other end of the descriptor would report a hang-up if nobody held this one.
                // SAFETY: the message's own control data, walked by the library's macros.
                unsafe { keep_descriptor(given) };
                return bytes.len().cast_signed();
            }
        }
    }
    // SAFETY: the arguments are the caller's own.
    unsafe { real(fd, message, flags) }
}

/// # Safety
/// The message's control data must be valid, as for `sendmsg`.
unsafe fn keep_descriptor(message: &libc::msghdr) {
    // SAFETY: by the caller's promise.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(message);
        if !header.is_null() && (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
            libc::dup(libc::CMSG_DATA(header).cast::<c_int>().read_unaligned());
        }
    }
}

/// # Safety
/// As the C library's own.
#[unsafe(no_mangle)]
unsafe extern "C" fn read(fd: c_int, buffer: *mut c_void, length: usize) -> isize {
    // SAFETY: the C library's function of this name has this type.
    let real = unsafe { std::mem::transmute::<*mut c_void, Read>(READ.get()) };
    if !vhost::watches(fd) {
        // SAFETY: the arguments are the caller's own.
        return unsafe { real(fd, buffer, length) };
    }
    // SAFETY: the caller's own buffer, which the real function would write to.
    let into = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    if let Some(given) = vhost::answer(fd, into) {
        return given.cast_signed();
    }
    // SAFETY: the arguments are the caller's own.
    let got = unsafe { real(fd, buffer, length) };
    if let Ok(got) = usize::try_from(got) {
        vhost::received(fd, &mut into[..got.min(length)]);
    }
    got
}

/// The kernel calls this only to start itself again.
///
/// # Safety
/// As the C library's own.
#[unsafe(no_mangle)]
unsafe extern "C" fn execvp(_file: *const c_char, _arguments: *const *const c_char) -> c_int {
    // SAFETY: ends the process; the kernel has written its disks back before.
    unsafe { libc::_exit(REBOOT_EXIT_CODE) }
}
