use super::*;

#[test]
fn the_command_for_postgres_has_no_password() {
    let command = pg_dump(&Secret::new("postgres://bencher:hunter2@db.example.com:5433/bench?password=hunter2"));
    assert_eq!(command, "pg_dump --format=custom --file=bencher.dump 'postgres://bencher@db.example.com:5433/bench'");
    assert!(!pg_dump(&Secret::new("postgres://a b:hunter2@")).contains("hunter2"));
}

#[test]
fn a_backup_is_named_after_its_database_and_its_time() {
    let time = "2026-01-02T03:04:05.678Z".parse().unwrap();
    assert_eq!(file_name(Path::new("/data/bencher.db"), time, false), "bencher-backup-20260102T030405678Z.db");
    assert_eq!(file_name(Path::new("x.sqlite"), time, true), "x-backup-20260102T030405678Z.db.gz");
}
