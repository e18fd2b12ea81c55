//! The real program runs real jobs: an image of busybox from the world's registry, executed by root on the host.

use std::path::Path;

use bencher_types::{
    Digest, JobUuid,
    wire::channel::{FromRunner, IterationOutput, ToRunner},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    binary::Program,
    world::{KEY, Kind, Seen, World, job},
};

const BUSYBOX: &str = "/bin/busybox";

/// A server with one image, and a runner that may run it.
struct Setting {
    world: World,
    data: tempfile::TempDir,
    program: Program,
    image: Digest,
}

fn missing_requirement() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("these tests need root".to_owned());
    }
    for (path, package) in [(BUSYBOX, "busybox-static"), ("/usr/bin/crun", "crun")] {
        if !Path::new(path).exists() {
            return Some(format!("{path} is missing: install the Debian package {package}"));
        }
    }
    None
}

impl Setting {
    /// `None`, and the reason on the test's output, where the machine lacks something; a failure where that is required.
    #[expect(clippy::print_stderr, reason = "a skipped test says why on its own output")]
    async fn new(args: &[&str]) -> Option<Self> {
        if let Some(missing) = missing_requirement() {
            assert!(std::env::var_os("BENCHER_TEST_REQUIRE").is_none_or(|value| value != "1"), "{missing}");
            eprintln!("skipped: {missing}");
            return None;
        }
        let world = World::start(Kind::Ours).await;
        let image = push_image(&world, architecture());
        let data = tempfile::tempdir().unwrap();
        let program = up(&world, data.path(), args);
        Some(Self { world, data, program, image })
    }

    /// Offers a job that runs a script; `more` goes over its configuration.
    fn offer(&self, image: &Digest, script: &str, more: Value) -> JobUuid {
        let (uuid, mut job) = job(None);
        let config = &mut job["config"];
        config["registry"] = format!("http://{}/", self.world.addr).into();
        config["digest"] = image.to_string().into();
        config["entrypoint"] = json!(["/bin/sh", "-c"]);
        config["cmd"] = json!([script]);
        let Value::Object(more) = more else { panic!("an object") };
        for (key, value) in more {
            config[key] = value;
        }
        self.world.offer(job);
        uuid
    }

    async fn run(&mut self, script: &str, more: Value) -> (Vec<IterationOutput>, Option<String>) {
        let image = self.image.clone();
        self.run_image(&image, script, more).await
    }

    /// The results and the error of one job. A runner that polls already is nudged by a lost connection.
    async fn run_image(&mut self, image: &Digest, script: &str, more: Value) -> (Vec<IterationOutput>, Option<String>) {
        let uuid = self.offer(image, script, more);
        self.world.cut();
        let ended = self.world.until(|seen| match seen {
            Seen::Message(FromRunner::Completed { job, results, .. }) if *job == uuid => Some((results.clone(), None)),
            Seen::Message(FromRunner::Failed { job, results, error, .. }) if *job == uuid => {
                Some((results.clone(), Some(error.clone())))
            }
            _ => None,
        });
        ended.await
    }

    async fn fails(&mut self, script: &str, more: Value) -> (Vec<IterationOutput>, String) {
        let (results, error) = self.run(script, more).await;
        (results, error.expect("the job fails"))
    }

    /// Waits until a job's benchmark itself runs.
    async fn until_running(&mut self) {
        self.program.says("running the benchmark").await;
    }

    fn assert_clean(&self) {
        let left: Vec<_> =
            std::fs::read_dir(self.data.path().join("sandbox")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["lock"]);
    }
}

fn up(world: &World, data: &Path, args: &[&str]) -> Program {
    let args: Vec<&str> = ["--danger-allow-no-sandbox"].iter().chain(args).copied().collect();
    Program::with(world, data, KEY, &args)
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// An image of nothing but busybox as `/bin/sh`.
fn push_image(world: &World, architecture: &str) -> Digest {
    let mut tar = tar::Builder::new(Vec::new());
    let header = |kind, size| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        header
    };
    for directory in ["bin/", "tmp/"] {
        tar.append_data(&mut header(tar::EntryType::Directory, 0), directory, std::io::empty()).unwrap();
    }
    let busybox = std::fs::read(BUSYBOX).unwrap();
    let size = busybox.len() as u64;
    tar.append_data(&mut header(tar::EntryType::Regular, size), "bin/sh", busybox.as_slice()).unwrap();
    let layer = tar.into_inner().unwrap();
    let layer_digest = Digest::sha256(&layer);
    let config = json!({
        "architecture": architecture, "os": "linux", "config": { "Env": ["PATH=/bin"] },
        "rootfs": { "type": "layers", "diff_ids": [layer_digest] },
    });
    let config = config.to_string().into_bytes();
    let config_digest = Digest::sha256(&config);
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": manifest_type,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config.len() },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer_digest, "size": layer.len() }],
    });
    let manifest = manifest.to_string().into_bytes();
    let digest = Digest::sha256(&manifest);
    world.store(&layer_digest, "application/octet-stream", layer);
    world.store(&config_digest, "application/octet-stream", config);
    world.store(&digest, manifest_type, manifest);
    digest
}

#[tokio::test]
async fn a_job_is_fetched_run_and_delivered_and_the_next_one_finds_its_image_cached() {
    let Some(mut setting) = Setting::new(&[]).await else { return };
    let script = "echo out; echo err >&2; echo file > /tmp/f";
    let (results, error) = setting.run(script, json!({ "iter": 2, "file_paths": ["/tmp/f"] })).await;
    assert_eq!((error, results.len()), (None, 2));
    for result in results {
        assert_eq!((result.exit_code, result.stdout.as_deref(), result.stderr.as_deref()), (0, Some("out\n"), Some("err\n")));
        assert_eq!(result.output.unwrap()["/tmp/f"], "file\n");
    }
    assert_eq!(setting.world.fetched().len(), 3, "manifest, configuration and layer");

    let (results, error) = setting.run("echo again", json!({ "build_time": true })).await;
    assert_eq!((error, results[0].stdout.as_deref()), (None, Some("again\n")));
    let metrics: Value = serde_json::from_str(&results[0].output.as_ref().unwrap()["\0bencher"]).unwrap();
    assert!(metrics["/bin/sh -c echo again"]["build-time"]["value"].is_number(), "{metrics}");
    assert_eq!(setting.world.fetched(), [""; 0]);
    setting.assert_clean();
}

#[tokio::test]
async fn what_a_benchmark_does_wrong_is_said_in_the_jobs_error() {
    let Some(mut setting) = Setting::new(&[]).await else { return };
    let (results, error) = setting.fails("echo partial; exit 7", json!({})).await;
    assert_eq!((error.as_str(), results[0].exit_code), ("Benchmark exited with non-zero exit code: 7", 7));
    assert_eq!(results[0].stdout.as_deref(), Some("partial\n"));

    let (results, error) = setting.run("exit 7", json!({ "allow_failure": true })).await;
    assert_eq!((error, results[0].exit_code), (None, 7));

    let (results, error) = setting.fails("kill -9 $$", json!({})).await;
    assert_eq!((error.as_str(), results[0].exit_code), ("Benchmark was killed by signal 9 (SIGKILL)", 137));

    let (results, error) = setting.fails("echo so far; sleep 1000 & sleep 1000", json!({ "timeout": 1 })).await;
    assert_eq!(error, "Benchmark did not finish within 1 seconds");
    assert_eq!(results[0].stdout.as_deref(), Some("so far\n"));

    let (_, error) = setting.fails("", json!({ "entrypoint": ["nosuch"] })).await;
    assert!(error.contains("command `nosuch` not found in the image"), "{error}");

    let (results, error) = setting.fails("head -c 104857600 /dev/zero", json!({})).await;
    assert!(error.contains("the server takes at most 4194304 in one message"), "{error}");
    assert!(results[0].stdout.as_deref().is_some_and(|stdout| stdout.contains("bytes left out")));
    setting.assert_clean();
}

#[tokio::test]
async fn an_image_that_is_not_there_or_for_another_machine_fails_its_job() {
    let Some(mut setting) = Setting::new(&[]).await else { return };
    let (_, error) = setting.run_image(&Digest::sha256(b"nowhere"), "true", json!({})).await;
    assert!(error.as_deref().is_some_and(|error| error.contains("there is no image")), "{error:?}");

    let foreign = push_image(&setting.world, "riscv64");
    let (_, error) = setting.run_image(&foreign, "true", json!({})).await;
    let error = error.unwrap();
    assert!(error.contains("image is for linux/riscv64, this host is linux/"), "{error}");
}

#[tokio::test]
async fn a_cancel_stops_the_benchmark() {
    let Some(mut setting) = Setting::new(&[]).await else { return };
    let image = setting.image.clone();
    let uuid = setting.offer(&image, "sleep 1000", json!({}));
    setting.world.cut();
    setting.until_running().await;
    setting.world.heartbeat(uuid).await;
    setting.world.push(ToRunner::Cancel);
    setting
        .world
        .until(|seen| matches!(seen, Seen::Message(FromRunner::Canceled { job, .. }) if *job == uuid).then_some(()))
        .await;
    setting.assert_clean();
}

#[tokio::test]
async fn a_runner_that_is_killed_leaves_nothing_running_and_reports_the_job_at_its_next_start() {
    let Some(mut setting) = Setting::new(&[]).await else { return };
    let image = setting.image.clone();
    let uuid = setting.offer(&image, "sleep 1000", json!({}));
    setting.world.cut();
    setting.until_running().await;
    setting.program.signal(Signal::SIGKILL);
    assert_eq!(setting.program.exit_code().await, None);

    setting.program = up(&setting.world, setting.data.path(), &[]);
    let error = setting.world.until(|seen| match seen {
        Seen::Message(FromRunner::Failed { job, error, .. }) if *job == uuid => Some(error.clone()),
        _ => None,
    });
    let error = error.await;
    assert!(error.contains("the runner was restarted while the job ran"), "{error}");
    setting.assert_clean();
}

#[tokio::test]
async fn sigterm_cancels_the_job_where_that_is_the_policy() {
    let Some(mut setting) = Setting::new(&["--on-shutdown", "cancel"]).await else { return };
    let image = setting.image.clone();
    let uuid = setting.offer(&image, "sleep 1000", json!({}));
    setting.world.cut();
    setting.until_running().await;
    setting.program.signal(Signal::SIGTERM);
    setting
        .world
        .until(|seen| matches!(seen, Seen::Message(FromRunner::Canceled { job, .. }) if *job == uuid).then_some(()))
        .await;
    assert_eq!(setting.program.exit_code().await, Some(0));
    setting.assert_clean();
}
