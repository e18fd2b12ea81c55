//! The stand-in for Firecracker's jailer: makes the jail, enters it, gives up its rights and becomes the jailed program.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program's own words to who started it")]

mod cgroup;
mod cli;
mod error;
mod jail;
mod limits;

use std::{
    convert::Infallible,
    env, fs,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{self, Command, ExitCode},
};

use clap::Parser as _;
use firecracker_stand_in::tools::Tools;
use nix::{
    libc,
    sched::{CloneFlags, setns, unshare},
    unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid},
};

use crate::{
    cgroup::{Setting, Version, checked_parent},
    cli::Args,
    error::JailError,
    jail::Jail,
    limits::Limits,
};

fn main() -> ExitCode {
    // SAFETY: nothing but the standard streams is open in this program yet.
    unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            println!("Arguments parsing error: {error} \n\nFor more information try --help.");
            return ExitCode::FAILURE;
        }
        Err(help) => {
            println!("{help}");
            return ExitCode::SUCCESS;
        }
    };
    if args.version {
        println!("Jailer v1.16.1");
        return ExitCode::SUCCESS;
    }
    match run(args) {
        Ok(Done::Detached) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Jailer error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// This process has nothing left to do.
enum Done {
    Detached,
}

fn run(args: Args) -> Result<Done, JailError> {
    let id = checked_id(args.id.unwrap_or_default())?;
    let (program, name) = checked_program(args.exec_file.unwrap_or_default())?;
    let base = canonical(args.chroot_base_dir)?;
    if !base.is_dir() {
        return Err(JailError::NotADirectory(base));
    }
    let jail = Jail {
        root: base.join(&name).join(&id).join("root"),
        uid: args.uid.unwrap_or_default(),
        gid: args.gid.unwrap_or_default(),
    };
    let parent = args.parent_cgroup.unwrap_or_else(|| PathBuf::from(&name));
    let parent = checked_parent(&parent)?;
    let version = Version::parse(&args.cgroup_version)?;
    let settings = args.cgroup.iter().map(|text| Setting::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let limits = Limits::parse(&args.resource_limit)?;
    let exe = env::current_exe().map_err(|error| JailError::Canonicalize { path: "/proc/self/exe".into(), error })?;
    let tools = Tools::beside(&exe, env::var_os("PATH").as_deref())?;

    jail.copy(&program, &name)?;
    if let Some(netns) = &args.netns {
        join_network(netns)?;
    }
    limits.set()?;
    cgroup::enter(version, &settings, parent, &id)?;
    let null = args.daemonize.then(open_null).transpose()?;
    let faults = jail::userfaultfd();
    jail.enter(&tools)?;
    jail.set_up()?;
    if let Some((device, major, minor)) = faults {
        jail.make_device(device, major, minor)?;
    }

    if let Some(null) = null {
        let detached = |errno: nix::Error| JailError::Setsid(errno.into());
        if is_parent()?.is_some() {
            return Ok(Done::Detached);
        }
        setsid().map_err(detached)?;
        dup2_stdin(&null).and_then(|()| dup2_stdout(&null)).and_then(|()| dup2_stderr(&null)).map_err(detached)?;
    }
    if args.new_pid_ns {
        new_process_namespace()?;
        if let Some(child) = is_parent()? {
            save_pid(&name, child)?;
            return Ok(Done::Detached);
        }
    } else {
        save_pid(&name, process::id())?;
    }
    // The guest's processes need a namespace, which the jailed user has no right to make.
    new_process_namespace()?;
    match become_program(&jail, &name, &id, &args.program) {
        Ok(never) => match never {},
        Err(error) => Err(JailError::Exec(error)),
    }
}

fn become_program(jail: &Jail, name: &str, id: &str, arguments: &[String]) -> io::Result<Infallible> {
    let mut command = Command::new(Path::new("/").join(name));
    command.args(["--id", id, "--start-time-us", "0", "--start-time-cpu-us", "0", "--parent-cpu-time-us", "0"]);
    Err(command.args(arguments).env_clear().uid(jail.uid).gid(jail.gid).exec())
}

fn checked_id(id: String) -> Result<String, JailError> {
    if id.is_empty() || id.len() > 64 {
        return Err(JailError::IdLength(id.len()));
    }
    match id.chars().enumerate().find(|(_, c)| !c.is_ascii_alphanumeric() && *c != '-') {
        Some((position, character)) => Err(JailError::IdChar { character, position }),
        None => Ok(id),
    }
}

fn canonical(path: PathBuf) -> Result<PathBuf, JailError> {
    path.canonicalize().map_err(|error| JailError::Canonicalize { path, error })
}

fn checked_program(path: PathBuf) -> Result<(PathBuf, String), JailError> {
    let program = canonical(path)?;
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !program.is_file() {
        return Err(JailError::NotAFile(program));
    }
    if !name.contains("firecracker") {
        return Err(JailError::ExecFileName(name));
    }
    Ok((program, name))
}

fn join_network(path: &Path) -> Result<(), JailError> {
    let file = File::open(path).map_err(|error| JailError::Open { path: path.to_owned(), error })?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(|errno| JailError::SetNetNs(errno.into()))
}

fn open_null() -> Result<File, JailError> {
    let path = PathBuf::from("/dev/null");
    OpenOptions::new().read(true).write(true).open(&path).map_err(|error| JailError::Open { path, error })
}

fn new_process_namespace() -> Result<(), JailError> {
    unshare(CloneFlags::CLONE_NEWPID).map_err(|errno| JailError::Clone(errno.into()))
}

/// The child's number in the parent, and none in the child.
fn is_parent() -> Result<Option<u32>, JailError> {
    // SAFETY: this program has one thread.
    match unsafe { fork() }.map_err(|errno| JailError::Clone(errno.into()))? {
        ForkResult::Parent { child } => Ok(Some(child.as_raw().cast_unsigned())),
        ForkResult::Child => Ok(None),
    }
}

/// Beside the program, as `<program>.pid`, new.
fn save_pid(name: &str, pid: u32) -> Result<(), JailError> {
    let path = Path::new("/").join(format!("{name}.pid"));
    let file = fs::OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = file.map_err(|error| JailError::Open { path: path.clone(), error })?;
    write!(file, "{pid}").map_err(|error| JailError::Write { path, error })
}
