//! The files a benchmark leaves.

use std::os::unix::fs::symlink;

use bencher_runner::sandbox::{FileContents, IterationOutcome, SkipReason};

use super::harness::{Harness, text};

async fn collect(harness: &Harness, script: &str, paths: &[&str]) -> IterationOutcome {
    let mut plan = harness.shell(script);
    plan.file_paths = paths.iter().map(|path| (*path).to_owned()).collect();
    harness.run(&plan).await.unwrap()
}

fn reasons(outcome: &IterationOutcome) -> Vec<(&str, SkipReason)> {
    outcome.skipped_files.iter().map(|skipped| (skipped.path.as_str(), skipped.reason.clone())).collect()
}

#[tokio::test]
async fn files_are_found_wherever_they_were_written() {
    let Some(harness) = Harness::new().await else { return };
    let script = "echo 1 > /tmp/a; echo 2 > /run/b; echo 3 > c; echo 4 > /dev/shm/d; printf '\\377\\000' > /e; ln -s /tmp/a f";
    let paths = ["/tmp/a", "/run/b", "c", "/dev/shm/d", "/e", "f", "/data/input", "none"];
    let outcome = collect(&harness, script, &paths).await;
    let found: Vec<(&str, &[u8])> = outcome.files.iter().map(|(path, file)| (path.as_str(), &file.bytes[..])).collect();
    let expected: [(&str, &[u8]); 7] = [
        ("/data/input", b"from the image\n"),
        ("/dev/shm/d", b"4\n"),
        ("/e", b"\xff\0"),
        ("/run/b", b"2\n"),
        ("/tmp/a", b"1\n"),
        ("c", b"3\n"),
        ("f", b"1\n"),
    ];
    assert_eq!(found, expected);
    assert_eq!(reasons(&outcome), [("none", SkipReason::Missing)]);
}

#[tokio::test]
async fn patterns_stand_for_every_file_that_matches() {
    let Some(harness) = Harness::new().await else { return };
    let script =
        "mkdir -p /r/a /r/b /r/dir.svg; for f in r/a/1.svg r/a/2.svg r/b/3.svg r/a/.4.svg 'r/lit*.svg'; do echo x > /$f; done";
    let outcome = collect(&harness, script, &["/r/?/*.svg", "/r/*.svg", "/r/none*"]).await;
    let found: Vec<&str> = outcome.files.keys().map(String::as_str).collect();
    assert_eq!(found, ["/r/a/1.svg", "/r/a/2.svg", "/r/b/3.svg", "/r/lit*.svg"]);
    assert_eq!(reasons(&outcome), [("/r/none*", SkipReason::Missing)]);
}

#[tokio::test]
async fn no_link_leads_to_the_host() {
    let Some(harness) = Harness::new().await else { return };
    let secret = harness.dir.path().join("secret");
    std::fs::write(&secret, "of the host").unwrap();
    symlink(&secret, harness.tree().join("data/absolute")).unwrap();
    let up = format!("{}{}", "../".repeat(30), secret.display());
    symlink(&up, harness.tree().join("data/relative")).unwrap();
    symlink("/proc/1/root", harness.tree().join("data/magic")).unwrap();
    let through_magic = format!("/data/magic{}", secret.display());
    let kernel = "/sys/kernel/uevent_seqnum";
    let paths =
        ["/data/absolute", "/data/relative", &through_magic, &up, kernel, "/proc/self/environ", "/pipe", "/dev/zero", "/tmp"];
    let outcome = collect(&harness, "mkfifo /pipe", &paths).await;
    assert_eq!(outcome.files.keys().collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(outcome.skipped_files.len(), paths.len());
}

#[tokio::test]
async fn files_are_bounded_in_size_number_and_links() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness
        .shell("head -c 5000 /dev/zero > big; echo x > s1; echo x > s2; echo y > z; ln -s s1 l1; ln -s l1 l2; ln -s loop loop");
    plan.file_paths = ["big", "l2", "l1", "loop", "s1", "s2", "z"].map(str::to_owned).to_vec();
    plan.output.max_output_size = 4096;
    plan.output.max_symlinks = 1;
    plan.output.max_file_count = 3;
    let outcome = harness.run(&plan).await.unwrap();
    assert_eq!(outcome.files.keys().collect::<Vec<_>>(), ["l1", "s1", "s2"]);
    let expected = [
        ("big", SkipReason::TooLarge { size: 5000, max: 4096 }),
        ("l2", SkipReason::TooManySymlinks { max: 1 }),
        ("loop", SkipReason::TooManySymlinks { max: 1 }),
        ("z", SkipReason::TooMany { max: 3 }),
    ];
    assert_eq!(reasons(&outcome), expected);

    plan.file_contents = FileContents::SizeOnly;
    plan.file_paths = vec!["big".to_owned()];
    let outcome = harness.run(&plan).await.unwrap();
    assert_eq!((outcome.files["big"].size, outcome.files["big"].bytes.len()), (5000, 0));
}

#[tokio::test]
async fn a_straggler_may_finish_its_file_within_the_grace_period() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("(sleep 0.2; echo late > late) & exit 0");
    plan.file_paths = vec!["late".to_owned()];
    plan.grace_period = super::harness::LONG;
    let outcome = harness.run(&plan).await.unwrap();
    assert_eq!(text(&outcome.files["late"].bytes), "late\n");
}
