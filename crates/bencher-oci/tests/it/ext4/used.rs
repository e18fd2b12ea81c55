//! A disk that is written to by the kernel stays sound.

use std::{fs, os::unix::fs::FileExt as _};

use bencher_oci::sink::ext4::DiskSize;

use super::{
    crowd,
    disk::{Disk, can_mount, tree},
};
use crate::support::{Layer, run};

#[test]
fn a_disk_that_is_written_to_stays_sound() {
    if !can_mount() {
        return;
    }
    let pieces: Vec<(u64, &[u8])> = (0..2000).map(|n| (n * 8192, b"piece".as_slice())).collect();
    let layer = crowd(3000, 60).sparse("scattered", 2000 * 8192, &pieces).file("big", vec![5; 10_000_000]).file("a/b", "1");
    let tree = tree(vec![layer.pax(&[("SCHILY.xattr.user.large", &[1; 3000])]).file("attributes", "1")]);
    let disk = Disk::new(&tree, DiskSize::Bytes(2 << 30));
    disk.check();
    let mount = disk.mount("rw");
    let root = &mount.point;
    // Full leaves of the index are split, and emptied ones stay.
    for n in 0..4000 {
        fs::write(root.join(format!("crowd/new-{n}")), n.to_string()).unwrap();
        fs::create_dir(root.join(format!("a/folder-{n}"))).unwrap();
    }
    for entry in fs::read_dir(root.join("crowd")).unwrap().step_by(2) {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    // Holes are filled, beginning and end of files are changed, whole files go.
    let scattered = fs::File::options().write(true).open(root.join("scattered")).unwrap();
    for n in 0..1000 {
        scattered.write_all_at(&[7; 4096], n * 12_288 + 4096).unwrap();
    }
    scattered.set_len(3_000_000).unwrap();
    fs::write(root.join("large"), vec![9; 200_000_000]).unwrap();
    fs::remove_file(root.join("big")).unwrap();
    fs::remove_file(root.join("attributes")).unwrap();
    rustix::fs::setxattr(root.join("a/b"), "user.new", &[3; 2000], rustix::fs::XattrFlags::empty()).unwrap();
    drop(scattered);
    mount.assert_quiet();
    drop(mount);
    disk.check_used();
}

#[test]
fn no_mount_has_work_left_to_do_on_a_new_disk() {
    if !can_mount() {
        return;
    }
    let disk = Disk::new(&tree(vec![Layer::new().file("a", "1")]), DiskSize::Bytes(20 << 30));
    let groups = run(std::process::Command::new("dumpe2fs").arg(disk.path()));
    let groups: Vec<&str> = groups.lines().filter(|line| line.starts_with("Group ")).collect();
    assert_eq!(groups.len(), 160);
    // Otherwise the kernel starts a thread that zeroes the tables while the benchmark runs.
    assert!(groups.iter().all(|line| line.contains("ITABLE_ZEROED")), "{groups:#?}");
}

#[test]
fn the_index_of_a_folder_is_what_another_reader_of_the_format_sees() {
    if !can_mount() {
        return;
    }
    let disk = Disk::new(&tree(vec![crowd(20_000, 255)]), DiskSize::Fitted);
    let dump = run(std::process::Command::new("debugfs").args(["-R", "htree_dump /crowd"]).arg(disk.path()));
    assert!(dump.contains("Indirect levels: 1") && dump.contains("Hash Version: 1"), "{}", &dump[..400]);
    // Each name is printed with the hash the other program computes for it.
    assert_eq!(dump.matches("Reading directory block").count(), 20_000_usize.div_ceil(15));
}
