//! Several servers where one is expected.

use super::{Program, until};

#[tokio::test]
async fn a_second_server_on_one_sqlite_file_does_not_start_until_the_first_is_gone() {
    let mut first = Program::start(tempfile::tempdir().unwrap(), "info", |_, _| {});
    first.address(Program::stderr).await;
    let database = first.path("bencher.db");
    let folder = tempfile::tempdir().unwrap();
    let mut second = Program::start(folder, "info", |_, config| config["database"]["file"] = database.to_str().into());
    assert!(!second.ended().await.success());
    assert!(second.stderr().contains("another server uses the database"), "{}", second.stderr());
    assert!(second.stderr().contains("PostgreSQL"), "{}", second.stderr());

    // However it ended.
    first.signal("-KILL");
    first.ended().await;
    let third =
        Program::start(tempfile::tempdir().unwrap(), "info", |_, config| config["database"]["file"] = database.to_str().into());
    until("the third server listens", async || third.stderr().contains("listening").then_some(())).await;
}
