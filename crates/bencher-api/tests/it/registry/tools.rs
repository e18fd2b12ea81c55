//! The tools that people use: skopeo and buildah, against a real server.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

use super::{OCI_INDEX, keeper};
use crate::{setup::TestUser, support::TestServer};

/// skopeo and buildah with storage of their own, and who they log in as.
pub(super) struct Tools {
    folder: tempfile::TempDir,
    pub(super) registry: String,
    key: String,
}

impl Tools {
    /// `None` where the tools are not installed and nobody insists.
    pub(super) async fn new(server: &TestServer, user: &TestUser) -> Option<Self> {
        if !["skopeo", "buildah"].into_iter().all(is_installed) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.json"), r#"{"default":[{"type":"insecureAcceptAnything"}]}"#).unwrap();
        std::fs::write(folder.path().join("registries.conf"), "unqualified-search-registries = []\n").unwrap();
        // buildah insists that the file is there.
        std::fs::write(folder.path().join("auth.json"), "{}").unwrap();
        let path = format!("/v0/users/{}/keys", user.uuid);
        let created = server.create(&path, user, json!({ "name": "for tools" })).await;
        let key = created["key"].as_str().unwrap().to_owned();
        Some(Self { folder, registry: server.url.strip_prefix("http://").unwrap().to_owned(), key })
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(super) fn creds(&self) -> String {
        format!("keeper@example.com:{}", self.key)
    }

    pub(super) fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command
            .env("HOME", self.folder.path())
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env("CONTAINERS_REGISTRIES_CONF", self.path("registries.conf"))
            .env("REGISTRY_AUTH_FILE", self.path("auth.json"))
            .env("BUILDAH_ISOLATION", "chroot")
            .current_dir(self.folder.path());
        command
    }

    pub(super) async fn run(&self, mut command: Command) -> Output {
        let running = tokio::task::spawn_blocking(move || command.output().expect("the tool starts"));
        tokio::time::timeout(std::time::Duration::from_secs(120), running).await.expect("the tool ends").unwrap()
    }

    pub(super) async fn skopeo(&self, arguments: &[&str]) -> String {
        let mut command = self.command("skopeo");
        command.args(["--policy", &self.path("policy.json")]).args(arguments);
        succeeded("skopeo", arguments, self.run(command).await)
    }

    async fn buildah(&self, arguments: &[&str]) -> String {
        let mut command = self.command("buildah");
        command.args(["--root", &self.path("root"), "--runroot", &self.path("run"), "--storage-driver", "vfs"]);
        // Only some of buildah's commands know the option.
        let (verb, rest) = arguments.split_first().unwrap();
        command.arg(verb);
        if matches!(*verb, "from" | "commit" | "push" | "pull") {
            command.args(["--signature-policy", &self.path("policy.json")]);
        }
        command.args(rest);
        succeeded("buildah", arguments, self.run(command).await)
    }

    /// An image of two layers in buildah's storage.
    pub(super) async fn build(&self, name: &str, architecture: &str) {
        let mut base = "scratch".to_owned();
        for layer in ["one", "two"] {
            let file = self.path(&format!("{architecture}-{layer}"));
            std::fs::write(&file, super::bytes(300_000, u64::from(layer == "two") + 2 * u64::from(architecture == "arm64")))
                .unwrap();
            let container = self.buildah(&["from", "--pull-never", &base]).await;
            self.buildah(&["copy", &container, &file, &format!("/opt/{layer}")]).await;
            let entrypoint = format!(r#"["/opt/{layer}"]"#);
            self.buildah(&["config", "--arch", architecture, "--entrypoint", &entrypoint, "--env", "A=B", &container]).await;
            self.buildah(&["commit", "--rm", &container, name]).await;
            name.clone_into(&mut base);
        }
    }
}

/// Whether a program of a Debian package of its name is there. Fails where it must be.
pub(super) fn is_installed(tool: &str) -> bool {
    let is_there = Command::new(tool).arg("--version").output().is_ok();
    assert!(
        is_there || std::env::var_os("BENCHER_TEST_REQUIRE").is_none(),
        "{tool} is not installed: `cargo xtask test` installs it (Debian package {tool})"
    );
    if !is_there {
        say_skipped(tool);
    }
    is_there
}

#[expect(clippy::print_stderr, reason = "says why a test did nothing")]
pub(super) fn say_skipped(tool: &str) {
    eprintln!("not run: {tool} is not installed");
}

#[track_caller]
pub(super) fn succeeded(tool: &str, arguments: &[&str], output: Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The files of an OCI layout that are named by their digests.
fn blobs(layout: &str) -> Vec<String> {
    let files = std::fs::read_dir(Path::new(layout).join("blobs/sha256")).unwrap();
    let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn skopeo_and_buildah_push_an_image_and_pull_the_same_one() {
    let server = TestServer::start().await;
    let user = keeper(&server).await;
    push_and_pull(&server, &user).await;
}

/// All that the tools do with an image.
pub(super) async fn push_and_pull(server: &TestServer, user: &TestUser) {
    let Some(tools) = Tools::new(server, user).await else { return };
    let (registry, creds) = (tools.registry.clone(), tools.creds());
    let remote = format!("docker://{registry}/shop/tools/deep:v1");
    tools.build("localhost/image", "amd64").await;

    tools.buildah(&["push", "--tls-verify=false", "--creds", &creds, "localhost/image", &remote]).await;
    let text = tools.skopeo(&["inspect", "--tls-verify=false", "--creds", &creds, &remote]).await;
    let inspected: Value = serde_json::from_str(&text).unwrap();
    let digest = inspected["Digest"].as_str().unwrap().to_owned();
    assert_eq!(inspected["Layers"].as_array().unwrap().len(), 2);
    assert_eq!(inspected["RepoTags"], json!(["v1"]));

    // Down into a layout, up again elsewhere, down again: nothing changes on the way. The project is public, so pulling needs no log-in.
    let (first, second) = (tools.path("first"), tools.path("second"));
    tools.skopeo(&["copy", "--src-tls-verify=false", &remote, &format!("oci:{first}:x")]).await;
    let copy = format!("docker://{registry}/shop:copy");
    tools
        .skopeo(&[
            "copy",
            "--preserve-digests",
            "--dest-tls-verify=false",
            "--dest-creds",
            &creds,
            &format!("oci:{first}:x"),
            &copy,
        ])
        .await;
    tools.skopeo(&["copy", "--src-tls-verify=false", &copy, &format!("oci:{second}:x")]).await;
    assert_eq!(blobs(&first), blobs(&second));
    assert!(blobs(&first).contains(&digest.strip_prefix("sha256:").unwrap().to_owned()));

    let pulled = tools.buildah(&["pull", "--tls-verify=false", &format!("{registry}/shop@{digest}")]).await;
    let container = tools.buildah(&["from", "--pull-never", &pulled]).await;
    let text = tools.buildah(&["inspect", "--format", "{{.OCIv1.Config.Entrypoint}}", &container]).await;
    assert_eq!(text, "[/opt/two]");

    tools.skopeo(&["delete", "--tls-verify=false", "--creds", &creds, &copy]).await;
    let mut command = tools.command("skopeo");
    command.args(["inspect", "--tls-verify=false", "--creds", &creds, &copy]);
    let output = tools.run(command).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("manifest unknown"), "{error}");
}

#[tokio::test]
async fn an_image_for_several_architectures_travels_whole() {
    let server = TestServer::start().await;
    let user = keeper(&server).await;
    let Some(tools) = Tools::new(&server, &user).await else { return };
    let (registry, creds) = (tools.registry.clone(), tools.creds());
    tools.buildah(&["manifest", "create", "localhost/both"]).await;
    for architecture in ["amd64", "arm64"] {
        let name = format!("localhost/{architecture}");
        tools.build(&name, architecture).await;
        tools.buildah(&["manifest", "add", "localhost/both", &name]).await;
    }
    let remote = format!("docker://{registry}/shop/both:v1");
    tools
        .buildah(&[
            "manifest",
            "push",
            "--all",
            "--format",
            "oci",
            "--tls-verify=false",
            "--creds",
            &creds,
            "localhost/both",
            &remote,
        ])
        .await;
    let text = tools.skopeo(&["inspect", "--raw", "--tls-verify=false", "--creds", &creds, &remote]).await;
    let index: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&index["mediaType"], index["manifests"].as_array().unwrap().len()), (&json!(OCI_INDEX), 2));

    // Within the registry, with mounts where the tool sees a chance.
    let copy = format!("docker://{registry}/shop/copy:v1");
    let (from, to) = (["--src-tls-verify=false", "--src-creds", &creds], ["--dest-tls-verify=false", "--dest-creds", &creds]);
    tools.skopeo(&[&["copy", "--all"], &from[..], &to[..], &[&*remote, &*copy]].concat()).await;
    let copied = tools.skopeo(&["inspect", "--raw", "--tls-verify=false", "--creds", &creds, &copy]).await;
    assert_eq!(copied, text);
}

#[tokio::test]
async fn a_tool_says_why_it_may_not_push() {
    let server = TestServer::start().await;
    let user = keeper(&server).await;
    let stranger = server.sign_up("Stranger").await;
    let Some(tools) = Tools::new(&server, &stranger).await else { return };
    let (registry, creds) = (tools.registry.clone(), tools.creds());
    server.push_image("shop", &user, "v1", 1).await;
    tools.build("localhost/image", "amd64").await;
    for (creds, expected) in [(creds.as_str(), "denied"), ("keeper@example.com:wrong", "unauthorized")] {
        let remote = format!("docker://{registry}/shop:v2");
        let mut command = tools.command("buildah");
        command.args(["--root", &tools.path("root"), "--runroot", &tools.path("run"), "--storage-driver", "vfs", "push"]);
        command.args(["--signature-policy", &tools.path("policy.json"), "--tls-verify=false", "--creds", creds]);
        command.args(["localhost/image", &remote]);
        let output = tools.run(command).await;
        let error = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(!output.status.success() && error.contains(expected), "expected `{expected}` in: {error}");
    }
}

#[tokio::test]
async fn a_log_in_is_kept_by_the_tool_and_good_for_pushing_pulling_and_listing() {
    let server = TestServer::start().await;
    let user = keeper(&server).await;
    server.project(&user, "bank", "private").await;
    let Some(tools) = Tools::new(&server, &user).await else { return };
    let registry = tools.registry.clone();
    tools.build("localhost/image", "amd64").await;
    let remote = format!("docker://{registry}/bank/web:v1");
    let (user_name, key) = ("keeper@example.com", tools.key.clone());
    for tool in ["skopeo", "buildah"] {
        let log_in = async |password: &str| {
            let mut command = tools.command(tool);
            command.args(["login", "--tls-verify=false", "--username", user_name, "--password", password, &registry]);
            tools.run(command).await
        };
        assert!(!log_in("wrong").await.status.success());
        succeeded(tool, &["login"], log_in(&key).await);
        match tool {
            "skopeo" => {
                tools.buildah(&["push", "--tls-verify=false", "localhost/image", &remote]).await;
                let tags = tools.skopeo(&["list-tags", "--tls-verify=false", &remote.replace(":v1", "")]).await;
                assert_eq!(serde_json::from_str::<Value>(&tags).unwrap()["Tags"], json!(["v1"]));
            }
            _ => drop(tools.buildah(&["pull", "--tls-verify=false", &format!("{registry}/bank/web:v1")]).await),
        }
        let mut command = tools.command(tool);
        succeeded(
            tool,
            &["logout"],
            tools
                .run({
                    command.args(["logout", &registry]);
                    command
                })
                .await,
        );
        let mut command = tools.command("skopeo");
        command.args(["inspect", "--tls-verify=false", &remote]);
        assert!(!tools.run(command).await.status.success(), "the project is private");
    }
}

#[tokio::test]
async fn what_umoci_makes_travels_through_layouts_unchanged() {
    let server = TestServer::start().await;
    let user = keeper(&server).await;
    let Some(tools) = Tools::new(&server, &user).await else { return };
    if !is_installed("umoci") {
        return;
    }
    let umoci = async |arguments: &[&str]| {
        let mut command = tools.command("umoci");
        command.args(arguments);
        succeeded("umoci", arguments, tools.run(command).await)
    };
    let (made, back) = (tools.path("made"), tools.path("back"));
    let (image, file) = (format!("{made}:v1"), tools.path("file"));
    std::fs::write(&file, super::bytes(300_000, 7)).unwrap();
    umoci(&["init", "--layout", &made]).await;
    umoci(&["new", "--image", &image]).await;
    umoci(&["insert", "--image", &image, &file, "/opt/file"]).await;
    umoci(&["config", "--image", &image, "--config.entrypoint", "/opt/file"]).await;
    let remote = format!("docker://{}/shop/umoci:v1", tools.registry);
    let creds = tools.creds();
    tools.skopeo(&["copy", "--dest-tls-verify=false", "--dest-creds", &creds, &format!("oci:{image}"), &remote]).await;
    tools.skopeo(&["copy", "--src-tls-verify=false", &remote, &format!("oci:{back}:v1")]).await;
    let bundle = tools.path("bundle");
    umoci(&["unpack", "--rootless", "--image", &format!("{back}:v1"), &bundle]).await;
    let unpacked = std::fs::read(Path::new(&bundle).join("rootfs/opt/file")).unwrap();
    assert!(unpacked == super::bytes(300_000, 7));
}
