use std::{fs, path::Path};

use bencher_types::JobUuid;

use super::{ParcelId, Spool, SpoolError};

fn open(dir: &Path) -> (Spool, Vec<u64>) {
    let (spool, parcels) = Spool::open(dir.to_owned()).expect("the spool opens");
    (spool, parcels.iter().map(|parcel| parcel.id.0).collect())
}

fn put(spool: &mut Spool, message: &str) -> ParcelId {
    let (parcel, stored) = spool.put(JobUuid::random(), message.to_owned());
    stored.expect("the message is stored");
    parcel.id
}

fn only_file(dir: &Path) -> std::path::PathBuf {
    let files: Vec<_> =
        fs::read_dir(dir).expect("a folder").map(|file| file.expect("an entry").path()).filter(|path| path.is_file()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn messages_survive_a_restart_in_their_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut spool, found) = open(dir.path());
    assert_eq!(found, [0_u64; 0]);
    let first = put(&mut spool, "first");
    let second = put(&mut spool, "second\nwith a line");
    drop(spool);

    let (mut spool, found) = open(dir.path());
    assert_eq!(found, [first.0, second.0]);
    assert_eq!(spool.read(second).expect("it is there"), "second\nwith a line");
    spool.remove(first).expect("it is removed");
    let third = put(&mut spool, "third");
    drop(spool);

    assert_eq!(open(dir.path()).1, [second.0, third.0], "numbers are not used again");
}

#[test]
fn a_crash_while_writing_leaves_nothing_to_deliver_and_nothing_behind() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join(format!("{:020}-{}.tmp", 1, JobUuid::random())), "{\"version\":1,").expect("a file");
    assert_eq!(open(dir.path()).1, [0_u64; 0]);
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 0);
}

#[test]
fn a_crash_between_delivery_and_removal_delivers_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut spool, _) = open(dir.path());
    let id = put(&mut spool, "acknowledged, not yet removed");
    drop(spool);
    assert_eq!(open(dir.path()).1, [id.0], "the server takes a result again");
}

#[test]
fn a_damaged_file_is_put_aside_and_the_others_are_delivered() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut spool, _) = open(dir.path());
    put(&mut spool, "to be damaged");
    let path = only_file(dir.path());
    let whole = fs::read(&path).expect("the file");
    for damaged in [&whole[..whole.len() - 1], &whole[..20], b"", &[0xff, 0xfe, b'\n']] {
        fs::write(&path, damaged).expect("damage");
        let (_, found) = open(dir.path());
        assert_eq!(found, [0_u64; 0]);
        let aside = dir.path().join("quarantine").join(path.file_name().expect("a name"));
        assert_eq!(fs::read(&aside).expect("it was kept"), damaged);
    }
    fs::write(dir.path().join("notes.msg"), "?").expect("a foreign file");
    assert_eq!(open(dir.path()).1, [0_u64; 0]);
}

#[test]
fn damage_after_the_start_is_noticed_on_reading() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut spool, _) = open(dir.path());
    let id = put(&mut spool, "message");
    fs::write(only_file(dir.path()), "x").expect("damage");
    let error = spool.read(id).expect_err("it is damaged");
    assert!(matches!(error, SpoolError::Damaged { .. }), "{error}");
    spool.quarantine(id, &error);
    assert!(matches!(spool.read(id), Err(SpoolError::Unknown(_))));
}

#[test]
fn a_replaced_message_keeps_its_place_and_the_original_is_kept_aside() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut spool, _) = open(dir.path());
    let id = put(&mut spool, "far too large");
    spool.replace(id, "small".to_owned()).expect("it is replaced");
    assert_eq!(spool.read(id).expect("it is there"), "small");
    let original = fs::read_to_string(only_file(&dir.path().join("undelivered"))).expect("it was kept");
    assert!(original.ends_with("far too large"), "{original}");
    assert_eq!(open(dir.path()).1, [id.0]);
}

/// A file system of 64 KiB, gone with the guard; `None` where that takes rights this test does not have.
struct Tiny(tempfile::TempDir);

impl Tiny {
    #[expect(clippy::print_stderr, reason = "a skipped test says why on its own output")]
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder");
        let mounted =
            nix::mount::mount(Some("tmpfs"), dir.path(), Some("tmpfs"), nix::mount::MsFlags::empty(), Some("size=65536"));
        match mounted {
            Ok(()) => Some(Self(dir)),
            Err(error) if std::env::var_os("BENCHER_TEST_REQUIRE").is_some_and(|value| value == "1") => {
                panic!("mounting a tmpfs takes root: {error}")
            }
            Err(error) => {
                eprintln!("skipped: mounting a tmpfs takes root: {error}");
                None
            }
        }
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = nix::mount::umount(self.0.path());
    }
}

#[test]
fn a_full_disk_does_not_lose_the_result() {
    let Some(tiny) = Tiny::mount() else { return };
    let dir = tiny.0.path().join("spool");
    let (mut spool, _) = open(&dir);
    let large = "x".repeat(100_000);
    let (parcel, stored) = spool.put(JobUuid::random(), large.clone());
    let error = stored.expect_err("it does not fit");
    assert!(error.to_string().starts_with("could not write "), "{error}");
    assert_eq!(spool.read(parcel.id).expect("it is held in memory"), large);
    assert_eq!(fs::read_dir(&dir).expect("a folder").count(), 0, "nothing half-written stays to fill the disk");
    put(&mut spool, "what fits is stored again");
    spool.remove(parcel.id).expect("it was never on the disk");
}
