//! Signed images from key to result: signed with openssl as docs/signatures.md says, demanded through the command line, run by a runner.

use std::process::Command;

use serde_json::json;

use crate::support::{BMF, PROJECT, World, text};

const DOCS: &str = include_str!("../../../../docs/signatures.md");

/// Runs commands in the test's folder.
fn bash(world: &World, env: &[(&str, &str)], script: &str) {
    let mut command = Command::new("bash");
    let output =
        command.args(["-euc", script]).envs(env.iter().copied()).current_dir(world.path()).output().expect("bash starts");
    assert!(output.status.success(), "{script}: {output:?}");
}

/// The part of the guide that makes a signature: all of its script between the commands of ours.
fn signing() -> &'static str {
    let (_, script) = DOCS.split_once("```bash\n").expect("the guide has a script");
    let (_, script) = script.split_once("\ndigest=").and_then(|(_, rest)| rest.split_once('\n')).expect("it asks for the digest");
    script.split_once("\nbencher image push").expect("it pushes the signature").0
}

#[tokio::test]
async fn an_image_runs_once_it_is_signed_as_the_guide_says() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let key = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out release.pem
        openssl pkey -in release.pem -pubout -out release.pub";
    bash(&world, &[], key);
    let private = world.bencher(&["image", "policy", "set", PROJECT, "--public-key", "release.pem"]).await;
    assert!(private.code == Some(2) && private.stderr.contains("is a private key"), "{private:#?}");
    world.bencher(&["image", "policy", "set", PROJECT, "--public-key", "Release=release.pub"]).await.done();

    let (status, refusal) = world.try_submit(world.script(&image, "true")).await;
    assert_eq!(status.as_u16(), 400, "{refusal}");
    assert!(text(&refusal, "message").contains("it has no signature"), "{refusal}");

    let digest = text(&world.bencher(&["image", "view", &image, "--format", "json"]).await.json(), "digest");
    bash(&world, &[("image", &image), ("digest", &digest), ("key", "release.pem")], signing());
    let tag = format!("{PROJECT}/bench:{}.sig", digest.replace(':', "-"));
    world.bencher(&["image", "push", &tag, "--from", "sig"]).await.done();
    let shown = world.bencher(&["image", "signatures", &image]).await.done();
    assert!(shown.stdout.contains("valid") && shown.stdout.contains("Release"), "{shown:#?}");
    let submitted = world.submit(world.script(&image, &format!("echo '{BMF}'"))).await;
    world.until_status(&submitted.job, "processed").await;

    // Elsewhere it is not signed, unless its signature came along.
    let copy = |flags: &'static [&'static str], to: &'static str| {
        let (world, image) = (&world, &image);
        async move {
            let to = format!("{PROJECT}/{to}:v1");
            world.bencher(&[&["image", "copy"], flags, &[image, &to]].concat()).await.done();
            world.bencher(&["image", "tags", &format!("{PROJECT}/copied"), "--format", "json"]).await
        }
    };
    copy(&[], "plain").await;
    let tags = copy(&["--referrers"], "copied").await.json();
    assert_eq!(tags, json!([tag.rsplit_once(':').map(|(_, tag)| tag), "v1"]));
    let local = world.bencher(&["image", "copy", "--referrers", &image, "oci:layout"]).await;
    assert!(local.code == Some(2) && local.stderr.contains("oci:layout is no registry"), "{local:#?}");
    runner.stop(&world.marker).await;
}
