use std::path::PathBuf;

use proptest::prelude::*;

use super::{ElfError, kernel, kernel_version, own_machine, read, static_program};
use crate::install::version::Version;

const PT_LOAD: u32 = 1;
const OFFSET: usize = 64;

/// An ELF file with these segments, of a type and contents each, and something behind them.
fn elf(entry: u64, segments: &[(u32, &[u8])], rest: &[u8]) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(OFFSET, 0);
    file[18..20].copy_from_slice(&own_machine().to_le_bytes());
    file[24..32].copy_from_slice(&entry.to_le_bytes());
    file[32..40].copy_from_slice(&(OFFSET as u64).to_le_bytes());
    file[54..56].copy_from_slice(&56_u16.to_le_bytes());
    file[56..58].copy_from_slice(&u16::try_from(segments.len()).unwrap().to_le_bytes());
    let mut at = OFFSET + 56 * segments.len();
    let mut contents = Vec::new();
    for (kind, bytes) in segments {
        let mut header = [0_u8; 56];
        header[0..4].copy_from_slice(&kind.to_le_bytes());
        header[8..16].copy_from_slice(&(at as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        file.extend(header);
        contents.extend_from_slice(bytes);
        at += bytes.len();
    }
    file.extend(contents);
    file.extend_from_slice(rest);
    file
}

/// A note as kernels have them.
fn note(owner: &[u8], kind: u32, description: &[u8]) -> Vec<u8> {
    let mut note = Vec::new();
    for number in [owner.len(), description.len()] {
        note.extend(u32::try_from(number).unwrap().to_le_bytes());
    }
    note.extend(kind.to_le_bytes());
    for part in [owner, description] {
        note.extend_from_slice(part);
        note.resize(note.len().next_multiple_of(4), 0);
    }
    note
}

struct Case(tempfile::TempDir);

impl Case {
    fn new(bytes: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), bytes).unwrap();
        Self(dir)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("file")
    }
}

#[test]
fn a_kernel_is_known_by_its_entries() {
    let notes = [note(b"GNU\0", 3, b"some id"), note(b"Xen\0", 18, &[0; 4])].concat();
    let found = kernel(&Case::new(&elf(1, &[(PT_LOAD, b"x"), (4, &notes)], b"")).path()).unwrap();
    assert!(found.has_pvh_entry && !found.has_interpreter);
    let found = kernel(&Case::new(&elf(0x100_0000, &[(4, &note(b"GNU\0", 18, b""))], b"")).path()).unwrap();
    assert!(!found.has_pvh_entry && found.entry == 0x100_0000);
    assert!(matches!(kernel(&Case::new(&elf(0, &[], b"")).path()), Err(ElfError::NoEntry)));
}

#[test]
fn what_is_no_kernel_is_told_what_it_is() {
    let mut compressed = vec![0_u8; 0x300];
    compressed[0x202..0x206].copy_from_slice(b"HdrS");
    assert!(matches!(kernel(&Case::new(&compressed).path()), Err(ElfError::Compressed)));
    assert!(matches!(kernel(&Case::new(b"#!/bin/sh\n").path()), Err(ElfError::NotElf)));
    let mut foreign = elf(1, &[], b"");
    foreign[18] = 40;
    assert!(matches!(kernel(&Case::new(&foreign).path()), Err(ElfError::Machine)));
    let whole = elf(1, &[(4, &note(b"Xen\0", 18, &[0; 4]))], b"");
    assert!(matches!(kernel(&Case::new(&whole[..whole.len() - 1]).path()), Err(ElfError::Damaged)));
}

#[test]
fn a_program_with_a_loader_is_not_static() {
    assert!(static_program(&Case::new(&elf(1, &[(PT_LOAD, b"x")], b"")).path()).is_ok());
    let dynamic = Case::new(&elf(1, &[(3, b"/lib/ld.so\0")], b""));
    assert!(matches!(static_program(&dynamic.path()), Err(ElfError::Dynamic)));
}

#[test]
fn a_kernels_version_is_found_wherever_its_banner_lies() {
    let version = |before: usize, text: &str| {
        let mut file = elf(1, &[], &vec![b'.'; before]);
        file.extend_from_slice(text.as_bytes());
        kernel_version(&Case::new(&file).path()).unwrap()
    };
    assert_eq!(version(0, "Linux version 6.1.141 (root@box)"), Some(Version(6, 1, 141)));
    // The first is a format string of the kernel's.
    assert_eq!(version(0, "Linux version %s (%s)\0Linux version 5.10.0-rc1"), Some(Version(5, 10, 0)));
    for before in (1 << 20) - 120..(1 << 20) - 40 {
        assert_eq!(version(before, "Linux version 6.1.141 (root@box) and some more text behind it"), Some(Version(6, 1, 141)));
    }
    assert_eq!(version(0, "nothing"), None);
}

proptest! {
    #[test]
    fn no_file_breaks_the_reader(
        mut damage in prop::collection::vec((0_usize..300, any::<u8>()), 0..20),
        length in 0_usize..400,
    ) {
        let mut file = elf(1, &[(4, &note(b"Xen\0", 18, &[0; 4])), (3, b"/lib/ld.so\0")], &[0; 64]);
        damage.retain(|(at, _)| *at < file.len());
        for (at, byte) in damage {
            file[at] = byte;
        }
        file.truncate(length);
        let _ = read(&Case::new(&file).path());
    }
}
