//! `runner run --sandbox firecracker`: one image in a guest, without a server.

use std::{path::Path, process::Stdio};

use crate::support::{Finished, PATIENCE, binary, child, image::BUSYBOX, machine, vm::MicroVms};

/// What a program printed, in a folder and without a server.
async fn run(folder: &Path, program: &str, arguments: &[std::ffi::OsString]) -> Finished {
    let mut command = child::owned(&binary(program));
    command.args(arguments).current_dir(folder).env("HOME", folder).stdin(Stdio::null());
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts");
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

#[tokio::test]
async fn an_image_runs_in_a_guest_without_a_server() {
    let marker = format!("benchmark-{}", uuid::Uuid::new_v4().simple());
    let (Some(()), Some(vms)) = (machine::require(), MicroVms::find(&marker)) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let build = ["image", "build", "--tag", "shop/bench:v1", "--output", "layout", BUSYBOX].map(Into::into);
    run(folder.path(), "bencher", &build).await.done();

    let image = ["run", "--sandbox", "firecracker", "--image", "layout", "--data-dir", "data", "--memory", "128", "--disk", "64"];
    let files = ["--output", "/tmp/out", "--output-dir", "files"];
    let guest = async |script: &str| {
        let mut arguments: Vec<std::ffi::OsString> = image.iter().chain(&files).map(Into::into).collect();
        arguments.extend(vms.arguments());
        arguments.extend(["--", "sh", "-c", script].map(Into::into));
        run(folder.path(), "runner", &arguments).await
    };
    let well = guest("hostname; echo aside >&2; echo kept > /tmp/out").await.done();
    assert_eq!(well.stdout, "bencher\n", "{well:#?}");
    assert!(well.stderr.contains("aside"), "{well:#?}");
    let kept = std::fs::read_to_string(folder.path().join("files/tmp/out")).expect("the file was collected");
    assert_eq!(kept, "kept\n");

    let failed = guest("echo so far; exit 4").await;
    assert_eq!((failed.code, &*failed.stdout), (Some(3), "so far\n"), "{failed:#?}");
    assert!(failed.stderr.contains("exit code: 4"), "{failed:#?}");
    assert_eq!(vms.left(folder.path(), None), [""; 0]);
}
