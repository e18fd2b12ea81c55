use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
    mpsc as blocking,
};

use futures::future;

use super::*;

/// A disk whose syncs take until they are let go, and how often it was asked.
struct Disk {
    begun: blocking::Receiver<()>,
    go: blocking::Sender<io::Result<()>>,
    syncs: Arc<AtomicUsize>,
}

fn disk() -> (Disk, GroupSync) {
    let (begin, begun) = blocking::channel();
    let (go, wait) = blocking::channel::<io::Result<()>>();
    let (syncs, wait) = (Arc::new(AtomicUsize::new(0)), Mutex::new(wait));
    let counted = syncs.clone();
    let sync = start(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        begin.send(()).ok();
        wait.lock().unwrap().recv().unwrap_or(Ok(()))
    });
    (Disk { begun, go, syncs }, sync.unwrap())
}

#[tokio::test]
async fn who_comes_during_a_sync_waits_for_the_next_one() {
    let (disk, sync) = disk();
    let first = tokio::spawn({
        let sync = sync.clone();
        async move { sync.durable(sync.since()).await }
    });
    tokio::task::yield_now().await;
    let begun = disk.begun;
    let begun = tokio::task::spawn_blocking(move || begun.recv().map(|()| begun)).await.unwrap().unwrap();
    // The first sync is on its way; what comes now may not be in it.
    let late: Vec<_> = (0..10)
        .map(|_| {
            let sync = sync.clone();
            tokio::spawn(async move { sync.durable(sync.since()).await })
        })
        .collect();
    tokio::task::yield_now().await;
    disk.go.send(Ok(())).unwrap();
    first.await.unwrap().unwrap();
    let begun = tokio::task::spawn_blocking(move || begun.recv().map(|()| begun)).await.unwrap().unwrap();
    assert!(late.iter().all(|one| !one.is_finished()), "their sync has only begun");
    disk.go.send(Ok(())).unwrap();
    // All ten, or those that were late again need one more.
    drop(disk.go);
    for one in late {
        one.await.unwrap().unwrap();
    }
    drop(begun);
    let syncs = disk.syncs.load(Ordering::SeqCst);
    assert!((2..=3).contains(&syncs), "{syncs} syncs for eleven commits");
}

#[tokio::test]
async fn a_disk_that_failed_once_is_not_believed_again() {
    let (disk, sync) = disk();
    disk.go.send(Err(io::Error::other("a bad sector"))).unwrap();
    let error = sync.durable(sync.since()).await.unwrap_err();
    assert_eq!(error.0.to_string(), "a bad sector");
    let outcomes = future::join_all((0..5).map(|_| sync.durable(sync.since()))).await;
    assert!(outcomes.iter().all(Result::is_err));
    assert_eq!(disk.syncs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_log_that_is_not_there_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let sync = super::sync(&folder.path().join("bencher.db")).unwrap();
    sync.durable(sync.since()).await.unwrap();
}
