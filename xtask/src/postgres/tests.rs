use std::process::Command;

use super::*;
use crate::process;

#[test]
fn a_cluster_answers_and_leaves_nothing_behind() {
    if programs().is_none() {
        assert!(std::env::var_os("BENCHER_TEST_REQUIRE").is_none(), "PostgreSQL is not installed; run `cargo xtask setup`");
        eprintln!("skipped: PostgreSQL is not installed");
        return;
    }
    let postgres = PrivatePostgres::start(Durability::None).unwrap();
    let home = postgres.home.dir.path().to_path_buf();
    let psql = programs().unwrap().join("psql");
    let answer = process::output(Command::new(psql).args([postgres.url(), "-tAc", "select 6 * 7"])).unwrap();
    let pid = postgres.child.id();
    postgres.stop().unwrap();

    assert_eq!(answer.trim(), "42");
    assert!(!home.exists(), "{} is left behind", home.display());
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the server still runs");
}

#[test]
fn sweep_removes_what_no_process_owns() {
    let base = tempfile::tempdir().unwrap();
    let folder = |name: &str, lock: bool| {
        let path = base.path().join(name);
        fs::create_dir(&path).unwrap();
        lock.then(|| File::create(path.join("owner.lock")).unwrap())
    };
    drop(folder("bencher-test-postgres-abandoned", true));
    let live = folder("bencher-test-postgres-live", true).unwrap();
    live.try_lock().unwrap();
    folder("bencher-test-postgres-not-ours", false);
    drop(folder("somebody-else", true));

    sweep(base.path(), None).unwrap();

    let mut left: Vec<_> =
        fs::read_dir(base.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["bencher-test-postgres-live", "bencher-test-postgres-not-ours", "somebody-else"]);
}
