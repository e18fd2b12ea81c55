//! Running the command that makes of a clone what goes into an image: in a jail, unless the user wants it otherwise.

use std::{
    fs, io,
    os::{fd::AsFd as _, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use bencher_oci::{Layout, Limits, Platform, ResolvedImage, flatten};
use tempfile::TempDir;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::{
    ImageError, folder,
    jail::{self, Jail, Network, Root},
    on,
    origin::Opened,
    transfer::Transfer,
};
use crate::{
    cli::image::{Build, place::Place},
    commands::Context,
    limits,
};

/// Where the clone is in a jail.
const CLONE: &str = "/src";
/// What makes a folder of an unpacked image fit for a jail: places to mount something at, and the names of other machines.
const UNPACK: &str = "tar --extract --no-same-owner --preserve-permissions --file - && \
    for dir in dev etc proc root src tmp; do [ -d $dir ] && [ ! -L $dir ] || { rm -f ./$dir && mkdir $dir; } || exit 1; done && \
    rm -f etc/hosts etc/resolv.conf && cp /etc/hosts etc/hosts && \
    if [ -e /etc/resolv.conf ]; then cp /etc/resolv.conf etc/resolv.conf; fi";

/// The command, and where it runs.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    pub command: &'a str,
    place: SetupPlace<'a>,
    /// What it may use as the time.
    timestamp: i64,
}

#[derive(Clone, Copy, Debug)]
enum SetupPlace<'a> {
    /// On this machine, with all that the user may do.
    Host,
    /// In a jail with this machine's programs.
    Jail(Network),
    /// In a jail with an image's programs.
    Image(&'a Place, Network),
}

impl<'a> Setup<'a> {
    pub(super) fn of(args: &'a Build) -> Option<Self> {
        let network = if args.no_network { Network::None } else { Network::Shared };
        let place = match args.setup_in.as_ref().or(args.base.as_ref()) {
            _ if args.setup_on_host => SetupPlace::Host,
            Some(image) => SetupPlace::Image(image, network),
            None => SetupPlace::Jail(network),
        };
        Some(Self { command: args.setup.as_deref()?, place, timestamp: args.timestamp })
    }

    /// Whether it can run where it is to, before anything is made for it.
    pub(super) fn check(&self) -> Result<(), ImageError> {
        match self.place {
            SetupPlace::Host => Ok(()),
            SetupPlace::Jail(_) | SetupPlace::Image(..) => jail::check(),
        }
    }

    /// Runs the command in a clone.
    pub(super) async fn run(&self, transfer: &Transfer<'_>, clone: &Path) -> Result<(), ImageError> {
        let context = transfer.context;
        let say = |what: &str| context.out.talk(&format!("running {what}, in a fresh clone: {}", self.command));
        let env = vec![("SOURCE_DATE_EPOCH".to_owned(), self.timestamp.to_string())];
        match self.place {
            SetupPlace::Host => {
                say("on this machine");
                let mut command = std::process::Command::new("/bin/sh");
                command.args(["-c", self.command]).current_dir(clone).envs(env);
                self.end(command).await
            }
            SetupPlace::Jail(network) => {
                say("in a jail with this machine's programs");
                let tmp = Scratch::new(context)?;
                let writable = [(clone, CLONE), (tmp.path(), "/tmp")];
                let jail = Jail { root: Root::ThisMachine, network, writable: &writable, dir: CLONE, env: &env };
                self.end(jail.command("/bin/sh", &["-c", self.command])).await
            }
            SetupPlace::Image(place, network) => {
                let image = Unpacked::of(transfer, place).await?;
                say(&format!("in a jail with the programs of {place}"));
                let env = [image.env.as_slice(), &env].concat();
                let root = Root::Folder(image.folder.path());
                let jail = Jail { root, network, writable: &[(clone, CLONE)], dir: CLONE, env: &env };
                self.end(jail.command("/bin/sh", &["-c", self.command])).await
            }
        }
    }

    async fn end(&self, mut command: std::process::Command) -> Result<(), ImageError> {
        let failed = |source| ImageError::Setup { command: self.command.to_owned(), source };
        // What it prints is talk: standard output is for the result.
        let talk = io::stderr().as_fd().try_clone_to_owned().map_err(failed)?;
        command.stdin(Stdio::null()).stdout(talk);
        let mut command = Command::from(command);
        let ended = tokio::time::timeout(limits::SETUP_TIMEOUT, command.kill_on_drop(true).status()).await;
        let status = ended.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?.map_err(failed)?;
        if status.success() { Ok(()) } else { Err(failed(ended_badly(status))) }
    }
}

fn ended_badly(status: ExitStatus) -> io::Error {
    io::Error::other(status.to_string())
}

/// An image's files in a folder, to be thrown away.
struct Unpacked {
    folder: Scratch,
    env: Vec<(String, String)>,
}

impl Unpacked {
    async fn of(transfer: &Transfer<'_>, place: &Place) -> Result<Self, ImageError> {
        let context = transfer.context;
        let of_this_machine = transfer.on_platform(Platform::host());
        let opened = Opened::open(&of_this_machine, place).await?;
        let blobs = folder(context)?;
        let unusable = |source| ImageError::Layout { dir: blobs.path().to_owned(), source: Box::new(source) };
        let layout = Layout::create(blobs.path()).map_err(unusable)?;
        let copied = of_this_machine.copy_into(&opened, &layout, &format!("fetch {place}")).await?;
        let image = layout.resolve(Some(&copied.digest.to_string()), &Platform::host(), &Limits::default()).map_err(unusable)?;
        let env = image.config.config().as_ref().and_then(|config| config.env().clone()).unwrap_or_default();
        let env = env.iter().filter_map(|text| text.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned()));

        let made = Self { folder: Scratch::new(context)?, env: env.collect() };
        let (target, spool, name) = (made.folder.path().to_owned(), blobs.path().to_owned(), place.to_string());
        let stop = CancellationToken::new();
        let _stop_when_dropped = stop.clone().drop_guard();
        let unpacking = move || unpack(&layout, &image, (&target, &spool), &name, &stop);
        tokio::task::spawn_blocking(unpacking).await.map_err(|source| ImageError::Aborted { source })??;
        Ok(made)
    }
}

/// Unpacks in a jail that sees nothing but the folder, so that no name in the image leads anywhere else.
fn unpack(
    layout: &Layout,
    image: &ResolvedImage,
    (target, spool): (&Path, &Path),
    place: &str,
    stop: &CancellationToken,
) -> Result<(), ImageError> {
    let failed = |source| ImageError::UnpackFailed { place: place.to_owned(), source };
    let jail = Jail { root: Root::ThisMachine, network: Network::None, writable: &[(target, "/mnt")], dir: "/mnt", env: &[] };
    let mut child =
        jail.command("/bin/sh", &["-c", UNPACK]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let written = match child.stdin.take() {
        Some(input) => flatten((layout, image), &Limits::default(), spool, io::BufWriter::new(input), stop),
        None => Ok(()),
    };
    // It ends by itself: nothing more comes.
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().map_or_else(|| output.status.to_string(), str::to_owned);
        return Err(failed(io::Error::other(said)));
    }
    written.map_err(|source| ImageError::Flatten { place: place.to_owned(), source: Box::new(source) })
}

/// A folder for the time being that is removed whatever is in it: a command may leave folders that cannot be emptied.
#[derive(Debug)]
pub(super) struct Scratch(TempDir);

impl Scratch {
    pub(super) fn new(context: &Context) -> Result<Self, ImageError> {
        folder(context).map(Self)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = make_removable(self.0.path());
    }
}

/// Gives every folder back to its owner. Follows no link.
pub(super) fn make_removable(dir: &Path) -> io::Result<()> {
    let mut open: Vec<PathBuf> = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        let mode = fs::symlink_metadata(&dir)?.permissions().mode();
        if mode & 0o700 != 0o700 {
            fs::set_permissions(&dir, fs::Permissions::from_mode(mode | 0o700))?;
        }
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Ok(())
}

/// What a path of a clone leads to, if that is in the clone: whoever wrote the repository may have put links there.
pub(super) fn within(root: &Path, path: &Path) -> Result<(), ImageError> {
    let real_root = fs::canonicalize(root).map_err(on("find", root))?;
    match fs::canonicalize(path) {
        Ok(real) if !real.starts_with(&real_root) => {
            Err(ImageError::LeavesClone { path: path.strip_prefix(root).unwrap_or(path).to_owned(), target: real })
        }
        // What is not there is told by whoever looks for it.
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
