use std::process::{Command, Stdio};

use super::*;

#[tokio::test]
async fn processes_in_a_jail_are_ended_and_the_jail_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let jails = dir.path().join("jails");
    let root = jails.join("firecracker/vm-1/root");
    fs::create_dir_all(&root).unwrap();
    std::os::unix::net::UnixListener::bind(root.join("v.sock_5000")).unwrap();
    let mut inside = Command::new("sleep").arg("600").current_dir(&root).stdin(Stdio::null()).spawn().unwrap();
    let cgroups = CgroupHost::detect("", "bencher");
    assert_eq!(sweep(&jails, &cgroups).await.unwrap(), 1);
    assert!(!inside.wait().unwrap().success());
    assert_eq!(fs::read_dir(jails.join("firecracker")).unwrap().count(), 0);
    assert_eq!(sweep(&jails, &cgroups).await.unwrap(), 0);
    assert_eq!(sweep(&dir.path().join("never"), &cgroups).await.unwrap(), 0);
}
