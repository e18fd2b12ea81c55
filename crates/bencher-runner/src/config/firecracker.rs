//! What microVMs are made with: found where the owner says, else where `runner install-deps` puts it, else where programs are.
//!
//! Looks at files and asks programs for their versions; starts no microVM. Everything that is wrong is said at once.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::{
    cli::{FirecrackerArgs, SandboxLogLevel},
    install::{
        self,
        elf::{self, ElfError},
        version::{self, OLDEST_FIRECRACKER, Version, VersionError},
    },
    sandbox::{
        command::DEFAULT_PATH,
        firecracker::network::{NetworkConfig, Rates},
    },
};

/// What microVMs are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MicroVms {
    pub firecracker: PathBuf,
    /// `None`: without one, as the owner wants it.
    pub jailer: Option<PathBuf>,
    pub kernel: PathBuf,
    /// In the order in which they are loaded.
    pub modules: Vec<PathBuf>,
    pub init: PathBuf,
    pub uid_base: Option<u32>,
    pub uid_count: Option<u32>,
    pub huge_pages: bool,
    pub boot_args: Option<String>,
    pub cgroup_parent: Option<String>,
    pub io_bytes_per_second: Option<u64>,
    pub network: Option<NetworkConfig>,
    pub log_level: SandboxLogLevel,
}

/// Where things are looked for that nobody named.
#[derive(Clone, Debug)]
pub struct Places {
    /// Where `install-deps` puts its files.
    pub installed: PathBuf,
    /// Folders of programs.
    pub path: Vec<PathBuf>,
    /// The folder of this program.
    pub own: Option<PathBuf>,
}

/// Why no microVM can be started: everything that was found to be wrong.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.0.iter().map(|problem| crate::chain::chain(problem)).collect::<Vec<_>>().join("; "))]
pub struct Unusable(pub Vec<Problem>);

/// One thing that is missing or does not work.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{what} is missing: looked for {}; {help}", looked_for.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))]
    Missing { what: Part, looked_for: Vec<PathBuf>, help: &'static str },
    #[error("{what} {path} cannot be executed; run `chmod 755 {path}`")]
    NotExecutable { what: Part, path: PathBuf },
    #[error("the version of {what} {path} is not known")]
    Version {
        what: Part,
        path: PathBuf,
        #[source]
        source: VersionError,
    },
    #[error(
        "{what} {path} is of version {found}: expected {OLDEST_FIRECRACKER} or a later 1.x; `runner install-deps` installs one"
    )]
    Unsupported { what: Part, path: PathBuf, found: Version },
    #[error("firecracker is of version {firecracker} and jailer of {jailer}: both have to be of one release")]
    Differ { firecracker: Version, jailer: Version },
    #[error("{what} {path} cannot be used")]
    Elf {
        what: Part,
        path: PathBuf,
        #[source]
        source: ElfError,
    },
}

/// What a microVM needs of the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Firecracker,
    Jailer,
    Kernel,
    Module,
    Init,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Firecracker => "the program firecracker",
            Self::Jailer => "the program jailer",
            Self::Kernel => "the guest's kernel",
            Self::Module => "the guest's kernel module",
            Self::Init => "the guest's first process",
        })
    }
}

/// Versions of the programs that were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    pub firecracker: Version,
    pub jailer: Option<Version>,
}

impl Places {
    /// Those of this machine.
    #[must_use]
    pub fn usual() -> Self {
        Self {
            installed: install::place::current(Path::new(install::INSTALL_DIR)),
            path: DEFAULT_PATH.split(':').map(PathBuf::from).collect(),
            own: std::env::current_exe().ok().and_then(|own| own.parent().map(Path::to_owned)),
        }
    }

    fn program(&self, name: &str) -> Vec<PathBuf> {
        std::iter::once(&self.installed).chain(&self.path).map(|folder| folder.join(name)).collect()
    }

    fn init(&self) -> Vec<PathBuf> {
        self.own.iter().chain(std::iter::once(&self.installed)).map(|folder| folder.join("bencher-init")).collect()
    }
}

/// The network of microVMs whose spec asks for one; `None` where the owner wants there to be none.
pub(super) fn network(args: &FirecrackerArgs) -> Option<NetworkConfig> {
    let usual = NetworkConfig::default();
    let rates = Rates { bytes_per_second: args.network_rate.unwrap_or(usual.rates.bytes_per_second), ..usual.rates };
    (!args.no_network).then(|| NetworkConfig {
        pool: args.network_pool.unwrap_or(usual.pool),
        allow: args.allow_networks.clone(),
        nameservers: args.nameservers.clone(),
        rates,
        ..usual
    })
}

impl MicroVms {
    /// Finds everything.
    ///
    /// # Errors
    /// What is missing, where it was looked for, and what to do.
    pub fn find(args: &FirecrackerArgs, log_level: SandboxLogLevel, places: &Places) -> Result<Self, Unusable> {
        const INSTALL: &str = "`runner install-deps` installs it, [firecracker] in runner.toml names it";
        const BUILD: &str = "install it beside `runner`, or name it with init_path in [firecracker]";
        const NAMED: &str = "a path in [firecracker], a flag or the environment names it wrongly";

        let mut problems = Vec::new();
        let mut look = |what, named: Option<&PathBuf>, usual: Vec<PathBuf>, help| {
            let (looked_for, help) = named.map_or((usual, help), |path| (vec![path.clone()], NAMED));
            let found = looked_for.iter().find(|path| path.is_file()).cloned();
            found.unwrap_or_else(|| {
                problems.push(Problem::Missing { what, looked_for, help });
                PathBuf::new()
            })
        };
        let firecracker = look(Part::Firecracker, args.binary_path.as_ref(), places.program("firecracker"), INSTALL);
        let jailer = (!args.no_jailer).then(|| look(Part::Jailer, args.jailer_path.as_ref(), places.program("jailer"), INSTALL));
        let kernel = look(Part::Kernel, args.kernel_path.as_ref(), vec![places.installed.join("vmlinux")], INSTALL);
        let modules = args.modules.iter().map(|module| look(Part::Module, Some(module), Vec::new(), NAMED)).collect();
        let init = look(Part::Init, args.init_path.as_ref(), places.init(), BUILD);
        for (what, path) in [(Part::Firecracker, Some(&firecracker)), (Part::Jailer, jailer.as_ref())] {
            if let Some(path) = path.filter(|path| path.is_file() && access(path.as_path(), Access::EXEC_OK).is_err()) {
                problems.push(Problem::NotExecutable { what, path: path.clone() });
            }
        }
        if !problems.is_empty() {
            return Err(Unusable(problems));
        }
        // What a link leads to now is used until the end: an installation beside a running runner changes nothing for it.
        let settled = |path: PathBuf| std::fs::canonicalize(&path).unwrap_or(path);
        Ok(Self {
            firecracker: settled(firecracker),
            jailer: jailer.map(settled),
            kernel: settled(kernel),
            modules,
            init: settled(init),
            uid_base: args.uid_base,
            uid_count: args.uid_count,
            huge_pages: args.huge_pages,
            boot_args: args.boot_args.clone(),
            cgroup_parent: args.cgroup_parent.clone(),
            io_bytes_per_second: args.io_bytes_per_second.map(|size| size.0),
            network: network(args),
            log_level,
        })
    }

    /// Asks the programs for their versions and looks into kernel and first process.
    ///
    /// # Errors
    /// What does not fit, and what was expected.
    pub async fn check(&self) -> Result<Versions, Unusable> {
        let mut problems = Vec::new();
        let firecracker = supported(Part::Firecracker, &self.firecracker).await.map_err(|problem| problems.push(problem)).ok();
        let jailer = match &self.jailer {
            Some(path) => supported(Part::Jailer, path).await.map_err(|problem| problems.push(problem)).ok(),
            None => None,
        };
        if let (Some(firecracker), Some(jailer)) = (firecracker, jailer)
            && firecracker != jailer
        {
            problems.push(Problem::Differ { firecracker, jailer });
        }
        let read =
            [(Part::Kernel, &self.kernel, elf::kernel(&self.kernel)), (Part::Init, &self.init, elf::static_program(&self.init))];
        for (what, path, read) in read {
            if let Err(source) = read {
                problems.push(Problem::Elf { what, path: path.clone(), source });
            }
        }
        match firecracker {
            Some(firecracker) if problems.is_empty() => Ok(Versions { firecracker, jailer }),
            _ => Err(Unusable(problems)),
        }
    }
}

async fn supported(what: Part, path: &Path) -> Result<Version, Problem> {
    let path = path.to_owned();
    match version::ask(&path).await {
        Ok(found) if found.is_supported() => Ok(found),
        Ok(found) => Err(Problem::Unsupported { what, path, found }),
        Err(source) => Err(Problem::Version { what, path, source }),
    }
}

#[cfg(test)]
mod tests;
