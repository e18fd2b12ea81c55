use std::os::unix::fs::FileTypeExt;

use super::*;

fn equipment(dir: &Path, owner: Option<u32>) -> Equipment {
    let file = |name: &str, content: &str| {
        let path = dir.join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let kernel = dir.join("copy");
    keep_copy(&file("vmlinux", "kernel"), &kernel).unwrap();
    Equipment { kernel, initramfs: file("cpio", "initramfs"), disk: file("base", "disk"), config: b"secret".to_vec(), owner }
}

#[test]
fn a_jail_holds_what_the_machine_needs_and_is_removed_whole() {
    let dir = tempfile::tempdir().unwrap();
    let owner = rustix::process::geteuid().is_root().then_some(7654);
    let parent = dir.path().join("jails/firecracker");
    let jail = Jail::make(&parent, "vm-1", &equipment(dir.path(), owner)).unwrap();
    let look = |name: &str| fs::symlink_metadata(jail.within(name)).unwrap();
    let uid = owner.unwrap_or(rustix::process::geteuid().as_raw());
    for (name, mode) in [("disk", 0o600), ("config", 0o400), ("log", 0o600), ("metrics", 0o600)] {
        let found = look(name);
        assert_eq!((found.mode() & 0o7777, found.uid(), found.gid()), (mode, uid, uid), "{name}");
    }
    assert!(look("log").file_type().is_fifo());
    assert_eq!(fs::read(jail.within("config")).unwrap(), b"secret");
    // A link to the runner's own copy: one inode, which the machine's user may only read.
    assert_eq!(look("kernel").ino(), fs::metadata(dir.path().join("copy")).unwrap().ino());
    assert_eq!((look("kernel").mode() & 0o7777, look("kernel").uid()), (0o444, rustix::process::geteuid().as_raw()));
    assert_eq!(jail.disk_size, 4);
    assert!(Jail::make(&parent, "vm-1", &equipment(dir.path(), owner)).is_err());
    assert!(look("disk").is_file(), "a second one of the same name took the first one's folder with it");
    drop(jail);
    assert_eq!(fs::read_dir(&parent).unwrap().count(), 0);
    assert!(dir.path().join("copy").exists() && dir.path().join("base").exists());
}

#[test]
fn a_jail_that_cannot_be_finished_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Equipment { disk: dir.path().join("none"), ..equipment(dir.path(), None) };
    let error = Jail::make(&dir.path().join("jails"), "vm-1", &missing).unwrap_err().to_string();
    assert!(error.contains("could not open the image's disk"), "{error}");
    assert_eq!(fs::read_dir(dir.path().join("jails")).unwrap().count(), 0);
}
