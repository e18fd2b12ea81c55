use std::{fs, path::PathBuf, process::Command};

use super::*;
use crate::sandbox::host::mounts::enter_private_namespace;

/// An image with a file in it, made with these options; `None` where the machine lacks something that is not required.
#[expect(clippy::print_stderr, reason = "a skipped test says why on its own output")]
fn image(dir: &Path, options: &[&str]) -> Option<PathBuf> {
    if !rustix::process::geteuid().is_root() || !Path::new("/sbin/mke2fs").exists() {
        let missing = "this test needs root and the Debian package e2fsprogs";
        assert!(std::env::var_os("BENCHER_TEST_REQUIRE").is_none_or(|value| value != "1"), "{missing}");
        eprintln!("skipped: {missing}");
        return None;
    }
    let (tree, image) = (dir.join("tree"), dir.join("image"));
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("file"), "of the image").unwrap();
    let mut command = Command::new("/sbin/mke2fs");
    command.args(["-q", "-F", "-t", "ext4"]).args(options).arg("-d").arg(&tree).arg(&image).arg("8M");
    assert!(command.status().unwrap().success());
    Some(image)
}

/// The line of the kernel's list for an image that is mounted in a namespace of this test's own.
fn mounted(image: &Path, dir: &Path) -> String {
    let place = dir.join("place");
    fs::create_dir(&place).unwrap();
    let base = Base::mount(image, dir).unwrap();
    std::thread::scope(|scope| {
        let look = scope.spawn(|| {
            enter_private_namespace().unwrap();
            base.move_to(place.to_str().unwrap()).unwrap();
            assert_eq!(fs::read_to_string(place.join("file")).unwrap(), "of the image");
            assert_eq!(fs::write(place.join("file"), "x").unwrap_err().kind(), std::io::ErrorKind::ReadOnlyFilesystem);
            let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
            mounts.lines().find(|line| line.contains(place.to_str().unwrap())).unwrap().to_owned()
        });
        look.join().unwrap()
    })
}

#[test]
fn an_image_that_asks_for_a_panic_on_errors_does_not_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let Some(image) = image(dir.path(), &["-O", "^has_journal", "-e", "panic"]) else { return };
    let line = mounted(&image, dir.path());
    let (place, file_system) = line.split_once(" - ").unwrap();
    assert!(place.contains(" ro,nodev"), "{line}");
    // A read-only file system stays as it is after an error; the kernel shows what differs from the superblock.
    assert!(file_system.contains("errors=remount-ro") && !file_system.contains("errors=panic"), "{line}");
}

#[test]
fn nothing_is_written_to_an_image_that_was_not_unmounted_well() {
    let dir = tempfile::tempdir().unwrap();
    let Some(image) = image(dir.path(), &["-O", "has_journal", "-E", "lazy_journal_init=0"]) else { return };
    // The flag that says the journal holds changes: byte 0x60 of the superblock, the bit 4.
    let mut bytes = fs::read(&image).unwrap();
    bytes[1024 + 0x60] |= 4;
    fs::write(&image, &bytes).unwrap();
    if let Ok(base) = Base::mount(&image, dir.path()) {
        assert!(base.tree().unwrap().open_file("/file", 0).is_ok());
    }
    assert!(fs::read(&image).unwrap() == bytes, "the image has changed");
}

#[test]
fn what_is_no_file_system_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let Some(image) = image(dir.path(), &[]) else { return };
    fs::write(&image, vec![7; 100_000]).unwrap();
    let error = Base::mount(&image, dir.path()).unwrap_err().to_string();
    assert!(error.contains(image.to_str().unwrap()) && error.contains("runner cache verify --remove"), "{error}");
}
