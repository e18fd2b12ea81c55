//! Starting the benchmark's first process, as the user, where, and within the limits that were asked for.

use std::{
    ffi::{CString, OsString},
    fs::DirBuilder,
    io::{self, PipeWriter, Read as _, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{ffi::OsStringExt as _, fs::DirBuilderExt as _, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use bencher_init::{
    GuestConfig,
    config::{self, Rlimit},
    control::GuestFailure,
};
use nix::{
    sys::signal::SigSet,
    unistd::{Gid, Pid, Uid, execve, fchown, setgid, setgroups, setsid, setuid},
};
use rustix::process::{Resource, chdir, setrlimit};

use crate::{
    account::{self, Account},
    cgroup::Group,
    clock::Moment,
    command, failure, limits,
    tree::{Tree, read_bounded},
};

/// Everything that was looked up once, to start the same command any number of times.
#[derive(Debug)]
pub(crate) struct Launch {
    child: Arc<Child>,
    pub(crate) max_output_size: u64,
    /// The host wants to know what it prints while it runs.
    pub(crate) live: bool,
}

/// What the new process needs to become the benchmark.
#[derive(Debug)]
struct Child {
    command: String,
    path: CString,
    args: Vec<CString>,
    env: Vec<CString>,
    working_dir: PathBuf,
    account: Account,
    rlimits: Vec<Rlimit>,
    group: Option<Group>,
}

/// A benchmark that runs.
#[derive(Debug)]
pub(crate) struct Started {
    pub(super) pid: Pid,
    /// When its process became it.
    pub(super) at: Moment,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

/// How far the new process came, as it tells before it does the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Step {
    Session,
    Group,
    WorkingDir,
    Limits,
    User,
    Execute,
}

/// A step's number, and the time.
const REPORT: usize = 9;

impl Step {
    const ALL: [Self; 6] = [Self::Session, Self::Group, Self::WorkingDir, Self::Limits, Self::User, Self::Execute];
}

impl Launch {
    /// Looks up user and command in the image, which is the root by now, and makes the working directory.
    pub(crate) fn prepare(config: &GuestConfig) -> Result<Self, GuestFailure> {
        let account = account(config)?;
        let working_dir = PathBuf::from(&config.working_dir);
        let made = DirBuilder::new().recursive(true).mode(0o755).create(&working_dir);
        made.map_err(failure::system(format!("create the working directory {}", working_dir.display())))?;
        let path = command::find(config)?;
        let words = |words: Vec<String>| words.into_iter().map(word).collect::<Result<Vec<_>, _>>();
        let mut env: Vec<String> = config.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !config.env.iter().any(|(name, _)| name == "HOME") {
            env.push(format!("HOME={}", account.home));
        }
        let child = Child {
            command: config.args.first().cloned().unwrap_or_default(),
            path: word(path.into_os_string())?,
            args: words(config.args.clone())?,
            env: words(env)?,
            working_dir,
            account,
            rlimits: config.rlimits.clone(),
            group: Group::create(config.max_pids),
        };
        Ok(Self { child: Arc::new(child), max_output_size: config.bounds.max_output_size, live: config.live })
    }

    /// Starts it. Returns when its program is loaded.
    pub(super) fn start(&self) -> Result<Started, GuestFailure> {
        let (mut reports, report) = io::pipe().map_err(failure::system("make a pipe"))?;
        // The program named here is never started by the library: the last thing done in the new process starts ours.
        let mut command = Command::new("/proc/self/exe");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = Arc::clone(&self.child);
        // SAFETY: this process has one thread, so its copy may do everything it could do itself.
        unsafe { command.pre_exec(move || child.become_the_benchmark(&report)) };
        let spawned = command.spawn();
        // The pipe ends when the new process and this one have closed their ends.
        drop(command);
        let mut told = Vec::new();
        let read = reports.read_to_end(&mut told);
        read.map_err(failure::system("hear of the benchmark's process"))?;
        let last = told.chunks_exact(REPORT).next_back().and_then(report_of);
        match (spawned, last) {
            (Ok(mut child), Some((Step::Execute, at))) => {
                let lost = || failure::system("read the benchmark's output")("its pipes are gone");
                let stdout = child.stdout.take().ok_or_else(lost)?.into();
                let stderr = child.stderr.take().ok_or_else(lost)?.into();
                // The number of a process fits.
                let pid = Pid::from_raw(i32::try_from(child.id()).map_err(failure::system("name a process"))?);
                Ok(Started { pid, at, stdout, stderr })
            }
            (Err(error), Some((step, _))) => Err(self.child.failed(step, &error)),
            (Err(error), None) => Err(failure::system("start the benchmark's process")(error)),
            (Ok(_), _) => Err(failure::system("start the benchmark's process")("it did not say that it starts")),
        }
    }
}

impl Child {
    /// In the new process. Only returns where something failed.
    fn become_the_benchmark(&self, mut report: &PipeWriter) -> io::Result<()> {
        let mut about_to = |step: Step| report.write_all(&report_bytes(step));
        about_to(Step::Session)?;
        setsid()?;
        // What is blocked for this program's own needs is not for the benchmark. The library resets what is ignored.
        SigSet::empty().thread_set_mask()?;
        about_to(Step::Group)?;
        if let Some(Group { procs }) = &self.group {
            (&*procs).write_all(b"0")?;
        }
        about_to(Step::WorkingDir)?;
        chdir(&self.working_dir)?;
        about_to(Step::Limits)?;
        for limit in &self.rlimits {
            let new = rustix::process::Rlimit { current: Some(limit.soft), maximum: Some(limit.hard) };
            setrlimit(resource(limit.resource), new)?;
        }
        about_to(Step::User)?;
        self.become_the_user()?;
        about_to(Step::Execute)?;
        match execve(&self.path, &self.args, &self.env)? {}
    }

    fn become_the_user(&self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.account.uid), Gid::from_raw(self.account.gid));
        // So that it may open /dev/stdout, which is the pipe by another name.
        fchown(io::stdout().as_fd(), Some(uid), None)?;
        fchown(io::stderr().as_fd(), Some(uid), None)?;
        let groups: Vec<Gid> = self.account.additional_gids.iter().copied().map(Gid::from_raw).collect();
        setgroups(&groups)?;
        setgid(gid)?;
        setuid(uid)?;
        Ok(())
    }

    fn failed(&self, step: Step, error: &io::Error) -> GuestFailure {
        let Account { uid, gid, .. } = self.account;
        let action = match step {
            Step::Execute => {
                return GuestFailure::ExecFailed { command: self.command.clone(), reason: error.to_string() };
            }
            Step::Session => "give the benchmark a session of its own".to_owned(),
            Step::Group => "put the benchmark into its control group".to_owned(),
            Step::WorkingDir => format!("enter the working directory {}", self.working_dir.display()),
            Step::Limits => "set the benchmark's resource limits".to_owned(),
            Step::User => format!("become user {uid} with group {gid}"),
        };
        failure::system(action)(error)
    }
}

fn report_bytes(step: Step) -> [u8; REPORT] {
    let mut bytes = [step as u8; REPORT];
    bytes[1..].copy_from_slice(&Moment::now().0.to_le_bytes());
    bytes
}

fn report_of(bytes: &[u8]) -> Option<(Step, Moment)> {
    let (step, at) = bytes.split_first()?;
    let step = Step::ALL.into_iter().find(|known| *known as u8 == *step)?;
    Some((step, Moment(u64::from_le_bytes(at.try_into().ok()?))))
}

fn resource(resource: config::Resource) -> Resource {
    match resource {
        config::Resource::Core => Resource::Core,
        config::Resource::Fsize => Resource::Fsize,
        config::Resource::Memlock => Resource::Memlock,
        config::Resource::Nofile => Resource::Nofile,
        config::Resource::Nproc => Resource::Nproc,
        config::Resource::Stack => Resource::Stack,
    }
}

/// A word of a command line or of an environment.
fn word(word: impl Into<OsString>) -> Result<CString, GuestFailure> {
    let word = CString::new(word.into().into_vec());
    word.map_err(|_| GuestFailure::Config { reason: "a word of the command line or the environment holds a NUL".to_owned() })
}

/// Who the image's own files say the configured user is.
fn account(config: &GuestConfig) -> Result<Account, GuestFailure> {
    let tree = Tree::open(Path::new("/")).map_err(failure::system("open the image's tree"))?;
    let read = |path: &str| {
        let unreadable = |reason: String| GuestFailure::ImageUnreadable { path: path.to_owned(), reason };
        let file = match tree.open_file(path.as_bytes(), limits::MAX_SYMLINKS) {
            Ok(file) => file,
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let max = limits::MAX_ACCOUNT_FILE;
        let bytes = read_bounded(file, max).map_err(|error| unreadable(error.to_string()))?;
        bytes.ok_or_else(|| unreadable(format!("it has more than {max} bytes")))
    };
    account::resolve(config.user.as_deref(), &read("/etc/passwd")?, &read("/etc/group")?)
}
