use std::process::{Command, Stdio};

use super::*;

struct Files {
    dir: tempfile::TempDir,
    init: PathBuf,
    modules: Vec<PathBuf>,
}

/// A first process and two modules, of sizes that need padding and do not.
fn files() -> Files {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, [b"\x7fELF", text].concat()).unwrap();
        path
    };
    let (init, modules) = (file("bencher-init", b"program"), vec![file("b.ko", b"four"), file("a.ko", b"x")]);
    fs::create_dir(dir.path().join("kept")).unwrap();
    Files { init, modules, dir }
}

impl Files {
    fn folder(&self) -> PathBuf {
        self.dir.path().join("kept")
    }

    fn keep(&self) -> Result<PathBuf, InitramfsError> {
        keep(&self.folder(), &self.init, &self.modules)
    }
}

fn names(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says why on its own output")]
fn cpio_reads_what_was_written() {
    let files = files();
    let archive = files.keep().unwrap();
    let list = Command::new("cpio").args(["-itv", "--quiet"]).stdin(File::open(&archive).unwrap()).output();
    let Ok(list) = list else {
        let missing = "this test needs `cpio`: install the Debian package of that name";
        assert!(std::env::var_os("BENCHER_TEST_REQUIRE").is_none_or(|value| value != "1"), "{missing}");
        eprintln!("not run: {missing}");
        return;
    };
    assert!(list.status.success() && list.stderr.is_empty(), "{}", String::from_utf8_lossy(&list.stderr));
    let list = String::from_utf8(list.stdout).unwrap();
    let entries: Vec<(&str, &str)> = list
        .lines()
        .map(|line| (line.split(' ').next().unwrap_or_default(), line.rsplit(' ').next().unwrap_or_default()))
        .collect();
    let expected = [
        ("drwxr-xr-x", "dev"),
        ("crw-------", "dev/console"),
        ("crw-rw-rw-", "dev/null"),
        ("-rwxr-xr-x", "init"),
        ("drwxr-xr-x", "modules"),
        ("-rw-r--r--", "modules/b.ko"),
        ("-rw-r--r--", "modules/a.ko"),
        ("-rw-r--r--", "modules/order"),
    ];
    assert_eq!(entries, expected);
    let out = files.dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut unpack = Command::new("cpio");
    unpack.args(["-id", "--quiet", "init", "modules/*"]).current_dir(&out).stdin(Stdio::from(File::open(&archive).unwrap()));
    assert!(unpack.status().unwrap().success());
    assert_eq!(fs::read(out.join("init")).unwrap(), b"\x7fELFprogram");
    assert_eq!(fs::read(out.join("modules/a.ko")).unwrap(), b"\x7fELFx");
    assert_eq!(fs::read_to_string(out.join("modules/order")).unwrap(), "b.ko\na.ko\n");
}

#[test]
fn it_is_written_once_and_again_when_something_changes() {
    let files = files();
    let first = files.keep().unwrap();
    let written = fs::metadata(&first).unwrap().modified().unwrap();
    assert_eq!(files.keep().unwrap(), first);
    assert_eq!(fs::metadata(&first).unwrap().modified().unwrap(), written);
    fs::write(&files.init, b"\x7fELFanother").unwrap();
    let second = files.keep().unwrap();
    assert_ne!(first, second);
    assert!(!first.exists() && second.exists());
    assert_eq!(names(&files.folder()), 1);
}

#[test]
fn one_that_was_cut_off_is_written_again() {
    let files = files();
    let archive = files.keep().unwrap();
    let whole = fs::read(&archive).unwrap();
    fs::write(&archive, &whole[..100]).unwrap();
    fs::write(files.folder().join("initramfs-new"), "half").unwrap();
    assert_eq!(files.keep().unwrap(), archive);
    assert!(fs::read(&archive).unwrap() == whole);
    assert_eq!(names(&files.folder()), 1);
}

#[test]
fn the_order_of_the_modules_matters() {
    let files = files();
    let mut other = files.modules.clone();
    other.reverse();
    assert_ne!(archive(&files.init, &files.modules).unwrap(), archive(&files.init, &other).unwrap());
}

#[test]
fn what_is_no_program_is_refused() {
    let check = |files: &Files, expected: &str| {
        let dir = files.dir.path().to_str().unwrap();
        assert_eq!(files.keep().unwrap_err().to_string().replace(dir, "@"), expected);
    };
    let mut it = files();
    fs::write(&it.init, "#!/bin/sh").unwrap();
    check(&it, "@/bencher-init is no program: it does not begin like an ELF file; build it with `cargo xtask guest`");
    it = files();
    fs::write(&it.modules[1], [0xfd, b'7', b'z', b'X', b'Z', 0]).unwrap();
    check(
        &it,
        "@/a.ko is no kernel module that can be loaded as it is: it does not begin like an ELF file; unpack a compressed one",
    );
    it = files();
    it.modules[1] = it.modules[0].clone();
    check(&it, "two kernel modules are called b.ko");
    it = files();
    it.modules.push(it.dir.path().join("gone.ko"));
    check(&it, "could not read @/gone.ko");
    it = files();
    File::create(&it.init).unwrap().set_len(MAX_GUEST_FILE_SIZE + 1).unwrap();
    check(&it, "@/bencher-init has more than 67108864 bytes, which is no guest's first process and no kernel module");
}
