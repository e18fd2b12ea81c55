//! A guest's first process for the stand-in's own tests: does the one thing that its kernel's command line names.
//!
//! | `probe=` | what it does |
//! |---|---|
//! | `reboot`, `poweroff`, `panic` | ends the guest so |
//! | `call` | connects to port 5000 of the host, says hello, hears an answer, reboots |
//! | `listen` | listens on port 52, returns what the first caller says, reboots |
//! | `keys` | waits for Ctrl-Alt-Del, reboots |
//! | `spin` | counts, each second's count a line, for ever |
#![expect(clippy::print_stdout, reason = "the guest's console")]

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    process,
};

use nix::libc;

const MODULES: [&str; 3] = ["vsock", "vmw_vsock_virtio_transport_common", "vmw_vsock_virtio_transport"];
const PORT_OF_HOST: u32 = 5000;
const PORT_OF_GUEST: u32 = 52;
const HOST: u32 = 2;

fn main() {
    let outcome = run();
    println!("probe: {outcome:?}");
    restart(libc::LINUX_REBOOT_CMD_RESTART);
}

fn run() -> io::Result<()> {
    // SAFETY: the texts are terminated.
    check(unsafe { libc::mount(c"proc".as_ptr(), c"/proc".as_ptr(), c"proc".as_ptr(), 0, std::ptr::null()) })?;
    let line = fs::read_to_string("/proc/cmdline")?;
    let verb = line.split_ascii_whitespace().filter_map(|word| word.strip_prefix("probe=")).next_back();
    println!("probe: begins");
    match verb {
        Some("poweroff") => restart(libc::LINUX_REBOOT_CMD_POWER_OFF),
        // The kernel does not live on without its first process.
        Some("panic") => process::abort(),
        Some("call") => call(),
        Some("listen") => listen(),
        Some("keys") => wait_for_keys(),
        Some("spin") => spin(),
        _ => Ok(()),
    }
}

fn restart(how: libc::c_int) -> ! {
    // SAFETY: ends the guest.
    unsafe {
        libc::sync();
        libc::reboot(how);
    }
    loop {
        std::thread::park();
    }
}

fn check(answer: libc::c_int) -> io::Result<libc::c_int> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

fn load_modules() -> io::Result<()> {
    let version = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    for name in MODULES {
        let file = File::open(format!("/usr/lib/uml/modules/{}/kernel/net/vmw_vsock/{name}.ko", version.trim()))?;
        // SAFETY: the descriptor is open, and the text is terminated.
        let answer = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
        check(libc::c_int::try_from(answer).unwrap_or(-1))?;
    }
    Ok(())
}

fn vsock() -> io::Result<OwnedFd> {
    // SAFETY: makes a descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(check(libc::socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0))?) })
}

fn address(cid: u32, port: u32) -> libc::sockaddr_vm {
    // SAFETY: an address of zeros is a valid one.
    let mut address: libc::sockaddr_vm = unsafe { std::mem::zeroed() };
    address.svm_family = u16::try_from(libc::AF_VSOCK).unwrap_or_default();
    address.svm_cid = cid;
    address.svm_port = port;
    address
}

/// Bytes of an address.
const ADDRESS: libc::socklen_t = 16;

fn call() -> io::Result<()> {
    load_modules()?;
    let socket = vsock()?;
    let host = address(HOST, PORT_OF_HOST);
    // SAFETY: the address is valid and has the length that is given.
    let connected = check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const host).cast(), ADDRESS) });
    println!("probe: connect {connected:?}");
    connected?;
    let mut stream = File::from(socket);
    stream.write_all(b"hello from the guest\n")?;
    let mut answer = [0; 64];
    let length = stream.read(&mut answer)?;
    println!("probe: the host said {:?}", String::from_utf8_lossy(&answer[..length]));
    Ok(())
}

fn listen() -> io::Result<()> {
    load_modules()?;
    let socket = vsock()?;
    let own = address(libc::VMADDR_CID_ANY, PORT_OF_GUEST);
    // SAFETY: the address is valid and has the length that is given.
    let caller = unsafe {
        check(libc::bind(socket.as_raw_fd(), (&raw const own).cast(), ADDRESS))?;
        check(libc::listen(socket.as_raw_fd(), 4))?;
        println!("probe: listens");
        OwnedFd::from_raw_fd(check(libc::accept(socket.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut()))?)
    };
    let mut stream = File::from(caller);
    let mut said = [0; 64];
    let length = stream.read(&mut said)?;
    stream.write_all(&said[..length])?;
    // The caller has read it all when it closes.
    stream.read(&mut said).map(drop)
}

fn wait_for_keys() -> io::Result<()> {
    // SAFETY: an empty set is valid; the calls change only how this process hears of signals.
    unsafe {
        check(libc::reboot(libc::LINUX_REBOOT_CMD_CAD_OFF))?;
        let mut keys: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut keys, libc::SIGINT);
        check(libc::sigprocmask(libc::SIG_BLOCK, &raw const keys, std::ptr::null_mut()))?;
        println!("probe: waits for keys");
        let mut signal = 0;
        libc::sigwait(&raw const keys, &raw mut signal);
    }
    println!("probe: keys");
    Ok(())
}

fn spin() -> io::Result<()> {
    for round in 0_u64.. {
        for step in 0..20_000_000_u64 {
            std::hint::black_box(step);
        }
        println!("probe: round {round}");
    }
    Ok(())
}
