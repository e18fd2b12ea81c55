use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{MicroVms, Places, Unusable};
use crate::cli::{FirecrackerArgs, SandboxLogLevel};

/// A machine of folders: one for what was installed, one of programs, one of our own program.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for folder in ["installed", "bin", "own"] {
            fs::create_dir(machine.path(folder)).unwrap();
        }
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        // Links in the way to the temporary folder are followed in what is found.
        self.0.path().canonicalize().unwrap().join(path)
    }

    fn file(&self, path: &str, contents: &[u8], mode: u32) -> &Self {
        fs::write(self.path(path), contents).unwrap();
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn program(&self, path: &str, says: &str) -> &Self {
        self.file(path, format!("#!/bin/sh\necho '{says}'\n").as_bytes(), 0o755)
    }

    fn complete(&self) -> &Self {
        self.program("installed/firecracker", "Firecracker v1.16.1").program("installed/jailer", "Jailer v1.16.1");
        self.file("installed/vmlinux", &tiny_elf(), 0o644).file("own/bencher-init", &tiny_elf(), 0o755)
    }

    fn find(&self, args: &FirecrackerArgs) -> Result<MicroVms, Unusable> {
        let places = Places { installed: self.path("installed"), path: vec![self.path("bin")], own: Some(self.path("own")) };
        MicroVms::find(args, SandboxLogLevel::Warning, &places)
    }

    async fn problem(&self, args: &FirecrackerArgs) -> String {
        match self.find(args) {
            Ok(found) => found.check().await.expect_err("something does not fit").to_string(),
            Err(unusable) => unusable.to_string(),
        }
    }
}

/// Headers and nothing else.
fn tiny_elf() -> Vec<u8> {
    let own = fs::read("/proc/self/exe").unwrap();
    let mut elf = own[..64].to_vec();
    // No program headers, so no loader.
    elf[56..58].fill(0);
    elf
}

#[tokio::test]
async fn what_was_installed_is_found_and_fits() {
    let machine = Machine::new();
    machine.complete().program("bin/firecracker", "Firecracker v1.99.0");
    let found = machine.find(&FirecrackerArgs::default()).unwrap();
    assert_eq!(found.firecracker, machine.path("installed/firecracker"), "before what is among the programs");
    assert_eq!(found.init, machine.path("own/bencher-init"));
    let versions = found.check().await.unwrap();
    assert_eq!((versions.firecracker.to_string(), versions.jailer), ("1.16.1".to_owned(), Some(versions.firecracker)));
}

#[tokio::test]
async fn everything_that_is_missing_is_said_at_once_with_where_it_was_looked_for() {
    let machine = Machine::new();
    let problem = machine.problem(&FirecrackerArgs::default()).await;
    for part in ["the program firecracker", "the program jailer", "the guest's kernel", "the guest's first process"] {
        assert!(problem.contains(&format!("{part} is missing: looked for /")), "{problem}");
    }
    for place in ["installed/firecracker", "bin/firecracker", "own/bencher-init", "install-deps"] {
        assert!(problem.contains(place), "{problem}");
    }
}

#[tokio::test]
async fn what_is_named_is_looked_for_nowhere_else() {
    let machine = Machine::new();
    machine.complete();
    let args = FirecrackerArgs { kernel_path: Some(PathBuf::from("/nonexistent/vmlinux")), ..FirecrackerArgs::default() };
    let problem = machine.problem(&args).await;
    assert!(problem.starts_with("the guest's kernel is missing: looked for /nonexistent/vmlinux;"), "{problem}");
    let args = FirecrackerArgs { modules: vec![PathBuf::from("/nonexistent/vsock.ko")], ..FirecrackerArgs::default() };
    assert!(machine.problem(&args).await.contains("kernel module is missing: looked for /nonexistent/vsock.ko"));
}

#[tokio::test]
async fn a_jailer_is_left_out_only_expressly() {
    let machine = Machine::new();
    machine.complete();
    fs::remove_file(machine.path("installed/jailer")).unwrap();
    assert!(machine.problem(&FirecrackerArgs::default()).await.contains("jailer is missing"));
    let bare = FirecrackerArgs { no_jailer: true, ..FirecrackerArgs::default() };
    let found = machine.find(&bare).unwrap();
    assert_eq!((found.jailer.as_deref(), found.check().await.unwrap().jailer), (None::<&Path>, None));
}

#[tokio::test]
async fn what_does_not_fit_is_said_with_what_was_expected() {
    let with = async |change: fn(&Machine)| {
        let machine = Machine::new();
        change(machine.complete());
        machine.problem(&FirecrackerArgs::default()).await
    };
    let said = with(|machine| {
        machine.program("installed/firecracker", "Firecracker v1.15.0");
    })
    .await;
    assert!(said.contains("of version 1.15.0: expected 1.16.1 or a later 1.x"), "{said}");
    let said = with(|machine| {
        machine.program("installed/jailer", "Jailer v1.17.0");
    })
    .await;
    assert!(said.contains("firecracker is of version 1.16.1 and jailer of 1.17.0"), "{said}");
    let said = with(|machine| {
        machine.program("installed/jailer", "hello");
    })
    .await;
    assert!(said.contains("no version that can be read: `hello`"), "{said}");
    let said = with(|machine| {
        machine.file("installed/jailer", b"", 0o644);
    })
    .await;
    assert!(said.contains("cannot be executed; run `chmod 755"), "{said}");
    let said = with(|machine| {
        machine.file("installed/vmlinux", b"no kernel", 0o644);
    })
    .await;
    assert!(said.contains("the guest's kernel") && said.contains("no ELF file"), "{said}");
    let said = with(|machine| {
        machine.file("own/bencher-init", &fs::read("/bin/sh").unwrap(), 0o755);
    })
    .await;
    assert!(said.contains("the guest's first process") && said.contains("has to be static"), "{said}");
}
