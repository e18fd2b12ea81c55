use std::{ffi::OsString, os::unix::fs::PermissionsExt as _, path::Path};

use super::{LineError, parse};
use crate::{
    cli::{Cli, Command, UpArgs},
    config::firecracker::network,
};

/// A configuration file, and a line that does not know of it by name.
struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("runner.toml");
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
        Self { dir }
    }

    fn parse(&self, args: &[&str]) -> Result<Cli, LineError> {
        line(args, &self.dir.path().join("runner.toml"))
    }

    fn up(&self, args: &[&str]) -> UpArgs {
        match self.parse(args).expect("a good line").command {
            Command::Up(up) => *up,
            other => panic!("{other:?} is not `up`"),
        }
    }

    fn problem(&self, args: &[&str]) -> String {
        self.parse(args).expect_err("a bad line").to_string()
    }
}

fn line(args: &[&str], usual: &Path) -> Result<Cli, LineError> {
    let args: Vec<OsString> = std::iter::once("runner").chain(args.iter().copied()).map(OsString::from).collect();
    parse(&args, usual)
}

#[test]
fn the_file_stands_in_for_flags_and_flags_win() {
    let case = Case::new(
        "host = \"http://file.example\"\nrunner = \"box\"\npoll_timeout = 7\nlog_format = \"json\"\n[bounds]\nmax_file_count = 3\n\
         [tuning]\nsmt = true\ngovernor = \"powersave\"\n",
    );
    let up = case.up(&["up", "--poll-timeout", "9"]);
    assert_eq!((up.host.as_str(), up.runner.to_string().as_str()), ("http://file.example/", "box"));
    assert_eq!((up.poll_timeout, up.bounds.max_file_count), (9, 3));
    assert!(up.tuning.smt && !up.tuning.turbo && up.tuning.governor == "powersave");
    assert_eq!(up.bounds.max_symlinks, 40, "what nobody says is the default");
    let cli = case.parse(&["up"]).expect("the file has all that is required");
    assert_eq!(cli.log_format, crate::cli::LogFormat::Json);
}

#[test]
fn without_a_file_what_is_required_is_missed() {
    let error = line(&["up"], Path::new("/nonexistent")).expect_err("no runner is named");
    assert!(matches!(&error, LineError::Usage(_)) && error.to_string().contains("--runner"), "{error}");
    let error = Case::new("poll_timeout = 7").parse(&["up"]).expect_err("no runner is named");
    assert!(matches!(&error, LineError::Usage(_)) && error.to_string().contains("--runner"), "{error}");
}

#[test]
fn a_bad_value_is_the_files_fault_and_says_so() {
    let said = Case::new("runner = \"box\"\npoll_timeout = 901").problem(&["up"]);
    assert!(said.contains("runner.toml") && said.contains("--poll-timeout") && said.contains("901"), "{said}");
}

#[test]
fn help_and_version_do_not_need_a_good_file() {
    let case = Case::new("this is no toml");
    for args in [&["up", "--help"][..], &["--version"], &["help"]] {
        assert!(matches!(case.parse(args), Err(LineError::Usage(_))), "{args:?}");
    }
    assert!(matches!(case.parse(&["up"]), Err(LineError::File(_))));
}

#[test]
fn the_verbs_beside_up_find_the_runners_folder_in_the_file() {
    let case = Case::new("runner = \"box\"\nhost = \"http://file.example\"\n[storage]\ndata_dir = \"/srv/runner\"\n");
    let data_dir = |args: &[&str]| match case.parse(args).expect("a good line").command {
        Command::Status(args) => args.data.data_dir,
        Command::Stop(args) => args.data.data_dir,
        Command::Doctor(args) => args.data.data_dir.filter(|_| args.host.is_some()),
        Command::Cache(crate::cli::CacheCommand::List(args)) => args.data.data_dir,
        other => panic!("{other:?}"),
    };
    for args in [&["status"][..], &["stop"], &["doctor"], &["cache", "list"]] {
        assert_eq!(data_dir(args).as_deref(), Some(Path::new("/srv/runner")), "{args:?}");
    }
    assert_eq!(data_dir(&["status", "--data-dir", "/x"]).as_deref(), Some(Path::new("/x")));
}

#[test]
fn another_file_can_be_named() {
    let (usual, named) = (Case::new("poll_timeout = 1"), Case::new("runner = \"other\""));
    let path = named.dir.path().join("runner.toml");
    let up = usual.up(&["up", "--config", path.to_str().expect("text")]);
    assert_eq!((up.runner.to_string().as_str(), up.poll_timeout), ("other", 55));
}

#[test]
fn a_key_on_the_command_line_replaces_the_files_key_file() {
    let case = Case::new("runner = \"box\"\nkey_file = \"/k\"");
    let up = case.up(&["up", "--key", "K"]);
    assert!(up.key.is_some() && up.key_file.is_none());
    let up = case.up(&["up"]);
    assert!(up.key.is_none() && up.key_file.as_deref() == Some(Path::new("/k")));
}

#[test]
fn two_keys_of_the_same_place_are_refused() {
    let said = Case::new("").problem(&["up", "--runner", "box", "--key", "K", "--key-file", "/k"]);
    assert!(said.contains("on the command line"), "{said}");
    let said = Case::new("runner = \"box\"\nkey = \"K\"\nkey_file = \"/k\"").problem(&["up"]);
    assert!(said.contains("in the configuration file"), "{said}");
}

#[test]
fn a_log_level_that_is_none_is_refused() {
    let said = Case::new("runner = \"box\"").problem(&["--log-level", "info,=,", "up"]);
    assert!(said.contains("--log-level"), "{said}");
    let cli = Case::new("runner = \"box\"\nlog_level = \"debug\"").parse(&["up"]).expect("a good file");
    assert_eq!(cli.log_level.filter().to_string(), "debug");
}

#[test]
fn the_section_of_microvms_holds_for_the_daemon_the_doctor_and_runs_in_microvms() {
    let case = Case::new(
        "runner = \"box\"\n[firecracker]\nbinary_path = \"/opt/firecracker\"\nkernel_path = \"vmlinux\"\nhuge_pages = true\n\
         io_bytes_per_second = \"200MiB\"\nmodules = [\"a.ko\", \"/lib/b.ko\"]\nuid_base = 70000\nallow_networks = [\"10.1.0.0/16\", \"192.168.7.0/24\"]\n\
         nameservers = [\"10.1.0.53\"]\nnetwork_pool = \"10.9.0.0/16\"\nnetwork_rate = 1000000\n",
    );
    let folder = case.dir.path().canonicalize().expect("a path");
    let check = |firecracker: &crate::cli::FirecrackerArgs| {
        assert_eq!(firecracker.binary_path.as_deref(), Some(Path::new("/opt/firecracker")));
        assert_eq!(firecracker.kernel_path, Some(folder.join("vmlinux")), "a path is the file's neighbour");
        assert_eq!(firecracker.modules, [folder.join("a.ko"), "/lib/b.ko".into()]);
        assert_eq!((firecracker.huge_pages, firecracker.uid_base), (true, Some(70000)));
        assert_eq!(firecracker.io_bytes_per_second, Some(crate::size::ByteSize(200 << 20)));
        let network = network(firecracker).expect("a network");
        assert_eq!(network.allow, ["10.1.0.0/16".parse().unwrap(), "192.168.7.0/24".parse().unwrap()]);
        assert_eq!(network.nameservers, [std::net::Ipv4Addr::new(10, 1, 0, 53)]);
        assert_eq!((network.pool.to_string().as_str(), network.rates.bytes_per_second), ("10.9.0.0/16", 1_000_000));
    };
    check(&case.up(&["up"]).firecracker);
    let run = |args: &[&str]| match case.parse(&[&["run", "--image", "x"], args].concat()).expect("a good line").command {
        Command::Run(run) => run.firecracker,
        other => panic!("{other:?}"),
    };
    check(&run(&["--sandbox", "firecracker"]));
    assert_eq!(
        run(&["--sandbox", "firecracker", "--firecracker-kernel-path", "/k"]).kernel_path.as_deref(),
        Some(Path::new("/k"))
    );
    assert!(!run(&["--sandbox", "none"]).is_given(), "a run on the host does not look at the file");
    match case.parse(&["doctor"]).expect("a good line").command {
        Command::Doctor(doctor) => check(&doctor.firecracker),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_owner_can_want_no_network_at_all() {
    assert!(network(&Case::new("runner = \"box\"\n").up(&["up"]).firecracker).is_some());
    let up = Case::new("runner = \"box\"\n[firecracker]\nno_network = true\n").up(&["up"]);
    assert_eq!(network(&up.firecracker), None);
}

#[test]
fn values_for_microvms_are_checked() {
    for (line, part) in [
        ("allow_networks = [\"10.1.0.0\"]", "ADDRESS/BITS"),
        ("allow_networks = [\"10.1.0.0/33\"]", "ADDRESS/BITS"),
        ("allow_networks = [\"fd00::/8\"]", "ADDRESS/BITS"),
        ("nameservers = [\"dns.example\"]", "IPv4 address"),
        ("network_pool = \"10.1.0.0/40\"", "ADDRESS/BITS"),
        ("network_rate = 0", "network-rate"),
        ("cgroup_parent = \"../x\"", "one name"),
        ("uid_base = 0", "uid-base"),
        ("io_bytes_per_second = 0", "more than 0"),
        ("io_bytes_per_second = \"fast\"", "number of bytes"),
        ("modules = [1]", "a list of something else than texts"),
        ("no_jailer = true\njailer_path = \"/j\"", ""),
    ] {
        let said = Case::new(&format!("runner = \"box\"\n[firecracker]\n{line}\n")).parse(&["up"]);
        match said {
            Err(error) => assert!(error.to_string().contains(part), "{error}"),
            Ok(_) => assert_eq!(part, "", "{line}"),
        }
    }
    let up = Case::new("runner = \"box\"\n[firecracker]\nmodules = []\n").up(&["up"]);
    assert!(up.firecracker.modules.is_empty());
}
