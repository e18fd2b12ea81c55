//! `bencher image build --setup`: what the command of a repository can reach, and what it cannot.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use serde_json::Value;

use crate::{
    image_places::{Offline, repository},
    support::Ended,
};

/// Whether this machine can make a jail; with `BENCHER_TEST_REQUIRE=1` it must.
#[expect(clippy::print_stderr, reason = "whoever runs the tests has to see that one did nothing")]
fn jails() -> bool {
    let made = Command::new("bwrap").args(["--unshare-all", "--ro-bind", "/", "/", "true"]).output();
    if made.as_ref().is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var_os("BENCHER_TEST_REQUIRE").is_none_or(|value| value != "1"), "bubblewrap makes no jail: {made:?}");
    eprintln!("skipped: bubblewrap makes no jail here: {made:?}");
    false
}

fn set_up(here: &Offline, setup: &str, more: &[&str]) -> Ended {
    let args = ["image", "build", "-t", "shop:v1", "root", "--git", "./repo", "--setup", setup, "-o", "out"];
    here.bencher(&[&args[..], more, &["--format", "json"]].concat())
}

fn succeeds(here: &Offline, setup: &str, more: &[&str]) -> Value {
    let ended = set_up(here, setup, more);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(fs::read_dir(here.world.dir.path().join("cache/bencher/transfers")).unwrap().count(), 0, "nothing is left");
    ended.json()
}

#[test]
fn a_setup_reaches_its_clone_and_nothing_else_of_the_user() {
    if !jails() {
        return;
    }
    let here = Offline::new();
    repository(&here);
    here.file("secret", "of the user");
    let dir = here.world.dir.path();
    let secret = dir.join("secret").display().to_string();
    let script = format!(
        "set -eu
        no() {{ if \"$@\"; then exit 9; fi; }}
        no cat {secret}
        no touch {0}/planted
        no touch /usr/planted
        no cat /etc/shadow
        no ls -d /run/* /home/* \"/root\"
        # To nothing of the kernel, whoever it is that starts the jail.
        test -z \"$(find /proc -not -path '/proc/[0-9]*' -not -path '/proc/self*' -not -path '/proc/thread-self*' \
            -type f -writable 2>/dev/null)\"
        no mount -t tmpfs none /tmp
        test -z \"${{BENCHER_HOST:-}}\"
        test \"$(ls -d /proc/[0-9]* | wc -l)\" -lt 10
        mkdir root && tr a-z A-Z < source > root/built
        # Folders that cannot be emptied, as some tools leave them.
        mkdir -p left/behind && chmod 555 left/behind left",
        dir.display()
    );
    let built = succeeds(&here, &script, &[]);
    assert!(!here.has("planted"));
    // What comes of it is the same as without a jail.
    let on_host = "mkdir root && tr a-z A-Z < source > root/built";
    assert_eq!(succeeds(&here, on_host, &["--setup-on-host"])["digest"], built["digest"]);
}

#[test]
fn a_clone_of_a_repository_on_this_machine_shares_nothing_with_it() {
    if !jails() {
        return;
    }
    let here = Offline::new();
    repository(&here);
    let script = "chmod -R u+w .git && find .git/objects -type f -exec sh -c ': > \"$1\"' _ {} ';' && mkdir root";
    succeeds(&here, script, &[]);
    let checked =
        Command::new("git").arg("-C").arg(here.world.dir.path().join("repo")).args(["fsck", "--full"]).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn a_setup_has_a_network_unless_it_is_to_have_none() {
    if !jails() {
        return;
    }
    let here = Offline::new();
    repository(&here);
    let interfaces = fs::read_to_string("/proc/net/dev").unwrap().matches(':').count();
    let counts = |expected: usize| format!("mkdir root && test \"$(grep -c : /proc/net/dev)\" = {expected}");
    succeeds(&here, &counts(interfaces), &[]);
    succeeds(&here, &counts(1), &["--no-network"]);
}

/// An image with a shell and two programs for it, and links where a jail puts things.
fn base(here: &Offline, outside: &Path) {
    fs::create_dir_all(here.world.dir.path().join("links")).unwrap();
    for link in ["src", "proc", "dev"] {
        symlink(outside, here.world.dir.path().join("links").join(link)).unwrap();
    }
    let programs = ["sh", "cat", "mkdir", "cp"].map(|name| format!("/bin/{name}:/bin/{name}"));
    let mut args = vec!["links", "--env", "MARK=base", "--add", "/etc/hostname:/etc/hosts", "-o", "base"];
    args.extend(programs.iter().flat_map(|program| ["--add", program]));
    here.build(&args);
}

#[test]
fn a_setup_runs_the_programs_of_an_image_whatever_that_image_is_like() {
    if !jails() {
        return;
    }
    let here = Offline::new();
    repository(&here);
    let outside = tempfile::TempDir::new().unwrap();
    base(&here, outside.path());
    let script = "set -eu
        test \"$MARK\" = base
        test ! -e /usr/bin/env
        # It is the image's copy that is written to.
        echo x > /planted; cp /bin/cat /bin/copy
        mkdir root; cat source > root/built";
    succeeds(&here, script, &["--setup-in", "oci:base"]);
    succeeds(&here, script, &["--base", "oci:base"]);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "nothing went where the image's links lead");
}

#[test]
fn nothing_from_outside_of_a_clone_gets_into_an_image_by_way_of_its_links() {
    let here = Offline::new();
    here.file("secret/key", "of the user");
    fs::create_dir_all(here.world.dir.path().join("repo")).unwrap();
    let secret = here.world.dir.path().join("secret");
    symlink(secret.join("key"), here.world.dir.path().join("repo/bench")).unwrap();
    symlink(&secret, here.world.dir.path().join("repo/folder")).unwrap();
    repository(&here);
    for args in [
        &["bench"][..],
        &["folder"],
        &["folder/key"],
        &["/bin/true", "--add", "bench:/bench"],
        &["/bin/true", "--add", "folder:/x"],
    ] {
        let ended = here.bencher(&[&["image", "build", "-t", "shop:v1", "--git", "./repo", "-o", "out"], args].concat());
        assert_eq!(ended.code, Some(7), "{ended:?}");
        assert!(ended.stderr.contains("of the clone leads out of it"), "{ended:?}");
    }
}

#[test]
fn a_machine_that_makes_no_jail_is_told_before_anything_is_cloned() {
    let here = Offline::new();
    repository(&here);
    let build = ["image", "build", "-t", "shop:v1", "root", "--git", "./repo", "--setup", "mkdir root", "-o", "out"];
    let empty = here.world.dir.path().join("empty");
    let ended = here.run(&build, &[("PATH", empty.to_str().unwrap())], b"");
    assert_eq!(ended.code, Some(7), "{ended:?}");
    assert!(ended.stderr.contains("bubblewrap") && ended.stderr.contains("--setup-on-host"), "{ended:?}");
    assert!(!here.has("out"));
}
