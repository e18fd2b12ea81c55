//! Layers that real tools wrote, merged and compared with what those tools make of them.

use std::{fs, path::Path, process::Command};

use bencher_oci::{
    DiskSize, Layout, Limits, Platform,
    merge::{self, LayerInput},
    sink::{
        TreeSink as _,
        ext4::{Ext4Options, Ext4Sink},
    },
};
use tokio_util::sync::CancellationToken;

use crate::support::{gzip, have_root, have_tool, input, merge_inputs, mounted::Mounted, run};

/// Everything the kernel says of a folder's content, one line per name. Sizes and links of folders are the file system's
/// business, and so is its own `lost+found`.
fn listing(root: &Path) -> String {
    let script = r#"find . -path ./lost+found -prune -o -printf '%p %y %m %U:%G %s %T@ %n %l\n' |
            sed 's/^\(.* d [^ ]* [^ ]*\) [0-9]* \([^ ]*\) [0-9]* \(.*\)$/\1 \2 \3/' | sort
        find . -type f -links +1 -printf '%i %p\n' | sort | awk '{ if ($1 == last) printf " %s", $2; else printf "\n%s", $2; last = $1 }' | sort
        find . -type f -print0 | sort -z | xargs -0 sha256sum"#;
    run(Command::new("sh").arg("-c").arg(script).current_dir(root))
}

/// What the kernel makes of the disk that is made of layers.
fn mounted(inputs: &[LayerInput], disk: &Path) -> Mounted {
    let tree = merge_inputs(inputs, &Limits::default()).unwrap();
    Ext4Sink::new(disk, Ext4Options::of_size(DiskSize::Fitted)).write(&tree, &CancellationToken::new()).unwrap();
    Mounted::image(disk)
}

fn make_content(root: &Path) {
    let script = r#"
        mkdir -p usr/bin etc/deep/er "etc/with space" var
        printf hello > etc/file; chmod 4755 etc/file; ln etc/file etc/deep/hard
        ln -s ../etc/file usr/link; mkfifo var/fifo; mknod var/null c 1 3
        chown 12:34 etc/deep; chmod 1777 var; printf x > "$(printf 'etc/latin\351')"
        truncate -s 5M var/sparse; printf end >> var/sparse; printf mid | dd of=var/sparse bs=1 seek=2000000 conv=notrunc 2>/dev/null
        head -c 3000000 /dev/urandom > var/random
        touch -h -d '2050-01-02 03:04:05.123456789 UTC' etc/file usr/link var/random
        name=$(head -c 180 /dev/zero | tr '\0' n); mkdir $name; printf long > $name/$name; ln $name/$name $name/other
        touch -d '1965-01-01 UTC' etc/deep"#;
    run(Command::new("sh").arg("-ec").arg(script).current_dir(root));
}

#[test]
fn what_gnu_tar_writes_in_any_format_comes_back_the_same() {
    if !have_root() || !have_tool("tar") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (source, archive) = (dir.path().join("source"), dir.path().join("layer.tar"));
    fs::create_dir(&source).unwrap();
    make_content(&source);
    for (n, format) in [
        ["--format=posix"].as_slice(),
        &["--format=posix", "--sparse"],
        &["--format=posix", "--sparse", "--sparse-version=0.1"],
        &["--format=gnu", "--sparse"],
        &["--format=gnu"],
    ]
    .into_iter()
    .enumerate()
    {
        run(Command::new("tar").args(format).arg("-cf").arg(&archive).arg("-C").arg(&source).arg("."));
        let tar = fs::read(&archive).unwrap();
        let (ours, theirs) = (dir.path().join(format!("ours{n}")), dir.path().join(format!("theirs{n}")));
        let ours = mounted(&[input(&gzip(&tar), &tar)], &ours);
        fs::create_dir(&theirs).unwrap();
        run(Command::new("tar").args(["-xpf"]).arg(&archive).arg("-C").arg(&theirs));
        assert_eq!(listing(ours.root()), listing(&theirs), "{format:?}");
    }
}

/// Runs buildah with storage of its own below `dir`.
fn buildah(dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("buildah");
    command.arg("--root").arg(dir.join("storage")).arg("--runroot").arg(dir.join("run"));
    command.args(["--storage-driver", "vfs"]).args(arguments).env("BUILDAH_ISOLATION", "chroot");
    run(&mut command).trim().to_owned()
}

#[test]
fn an_image_that_buildah_made_in_layers_is_what_buildah_mounts() {
    if !have_root() || !have_tool("buildah") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let change = |from: &str, script: &str, name: &str| {
        let container = buildah(path, &["from", "--pull-never", from]);
        let mount = buildah(path, &["mount", &container]);
        run(Command::new("sh").arg("-ec").arg(script).current_dir(&mount));
        buildah(path, &["umount", &container]);
        buildah(path, &["commit", "--quiet", "--rm", &container, name]);
    };
    change(
        "scratch",
        "mkdir -p a/b old gone; echo 1 > a/f; echo 2 > a/b/g; ln a/f a/hard; echo 3 > old/x; echo 4 > gone/y; ln -s a/f link; mkdir usr; ln -s usr lib",
        "localhost/one",
    );
    change(
        "localhost/one",
        "rm a/b/g; rm -r gone; rm -r old; mkdir old; echo 5 > old/new; rm link; mkdir link; echo 6 > link/in; chmod 700 a; chown 5:6 a/hard; echo 7 > lib/through",
        "localhost/two",
    );
    change(
        "localhost/two",
        "rm -r a; echo 8 > a; setfattr -n user.k -v v a 2>/dev/null || true; mkdir -p old/z",
        "localhost/three",
    );
    let layout_dir = path.join("layout");
    buildah(path, &["push", "--quiet", "localhost/three", &format!("oci:{}:three", layout_dir.display())]);

    let layout = Layout::open(&layout_dir).unwrap();
    let image = layout.resolve(Some("three"), &Platform::host(), &Limits::default()).unwrap();
    assert_eq!(image.layers.len(), 3);
    let inputs: Vec<_> = image
        .layers
        .iter()
        .map(|layer| LayerInput { layer: layer.clone(), file: layout.open_blob(&layer.blob.digest).unwrap().into() })
        .collect();
    let ours = mounted(&inputs, &path.join("ours"));

    let container = buildah(path, &["from", "--pull-never", "localhost/three"]);
    let mount = buildah(path, &["mount", &container]);
    assert_eq!(listing_without_root(ours.root()), listing_without_root(Path::new(&mount)));
    buildah(path, &["umount", &container]);
    buildah(path, &["rm", &container]);
}

/// The root's own attributes are the storage's, not the image's, with this tool.
fn listing_without_root(root: &Path) -> String {
    listing(root).lines().filter(|line| !line.starts_with(". d ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_spool_leaves_no_file_behind() {
    let dir = tempfile::tempdir().unwrap();
    let tar = crate::support::Layer::new().file("a", "content").tar();
    let tree = merge::merge(&[input(&gzip(&tar), &tar)], &Limits::default(), dir.path(), &CancellationToken::new());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    drop(tree);
}
