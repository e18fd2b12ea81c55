use std::{env::consts::ARCH, io::Write as _, path::PathBuf};

use flate2::{Compression, write::GzEncoder};

use super::{ArchiveError, take};
use crate::install::{pins::Name, version::Version};

const VERSION: Version = Version(1, 16, 1);

/// An archive with these files, whatever their names are.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn taken(archive: &[u8], name: Name) -> Result<Vec<u8>, ArchiveError> {
    let dir = tempfile::tempdir().unwrap();
    let (from, to): (PathBuf, PathBuf) = (dir.path().join("release.tgz"), dir.path().join("out"));
    std::fs::write(&from, archive).unwrap();
    take(&from, "release.tgz", name, VERSION, &to).map(|()| std::fs::read(&to).unwrap())
}

#[test]
fn programs_are_found_under_the_names_their_makers_give_them() {
    let folder = format!("release-v1.16.1-{ARCH}");
    let files = [
        (format!("{folder}/firecracker-v1.16.1-{ARCH}.debug"), &b"debug"[..]),
        (format!("{folder}/firecracker-v1.16.1-{ARCH}"), b"vmm"),
        (format!("{folder}/jailer-v1.16.1-{ARCH}"), b"jailer"),
    ];
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    assert_eq!(taken(&archive(&files), Name::Firecracker).unwrap(), b"vmm");
    assert_eq!(taken(&archive(&files), Name::Jailer).unwrap(), b"jailer");
}

#[test]
fn a_name_that_would_lead_elsewhere_leads_nowhere() {
    // Only its last part is looked at, and what it holds goes where we want it.
    assert_eq!(taken(&archive(&[("../../../etc/firecracker", b"vmm")]), Name::Firecracker).unwrap(), b"vmm");
}

#[test]
fn what_is_not_there_or_damaged_is_said() {
    let other = archive(&[("firecracker-v1.16.0-x86_64", b"vmm")]);
    let error = taken(&other, Name::Firecracker).unwrap_err();
    assert!(matches!(&error, ArchiveError::NotThere { .. }) && error.to_string().contains("firecracker-v1.16.1"), "{error}");
    let good = archive(&[("firecracker", &[7; 100_000])]);
    assert!(matches!(taken(&good[..good.len() / 2], Name::Firecracker), Err(ArchiveError::Read { .. })));
    assert!(matches!(taken(b"no archive", Name::Firecracker), Err(ArchiveError::Read { .. })));
}

#[test]
fn a_bomb_is_not_unpacked_to_its_end() {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    let mut header = tar::Header::new_gnu();
    header.set_path("filler").unwrap();
    header.set_size(8 << 30);
    header.set_cksum();
    bomb.write_all(header.as_bytes()).unwrap();
    let zeros = vec![0_u8; 1 << 20];
    for _ in 0..1100 {
        bomb.write_all(&zeros).unwrap();
    }
    assert!(taken(&bomb.finish().unwrap(), Name::Firecracker).is_err());
}
