use futures::FutureExt as _;

use super::*;

#[test]
fn a_commit_that_waits_for_the_disk_does_not_ring_for_the_one_that_follows() {
    let bell = Arc::new(LocalBell::default());
    let is_rung = || bell.rung.notified().now_or_never().is_some();
    bell.note("metric");
    assert!(bell.ringer().is_none(), "nothing was written to the log");

    bell.note("event");
    let first = bell.ringer().expect("the first wrote");
    // The next one writes while the first waits for the disk.
    bell.note("event");
    drop(first);
    assert!(is_rung());
    let second = bell.ringer().expect("the second wrote, too");
    assert!(!is_rung());
    drop(second);
    assert!(is_rung());
}
