//! Images of real programs, run in a chroot of what came out.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use bencher_oci::{
    CachedImage, DiskSize, Images, Layout,
    assemble::{Add, AssembleError, Assembled, Compression, Program, Recipe, Source, assemble},
    images::ImagesOptions,
};
use tokio_util::sync::CancellationToken;

use crate::support::{have, have_root, have_tool, mounted::Mounted, run};

fn programs(files: &[&Path]) -> Recipe {
    let program = |file: &&Path| Program { file: file.to_path_buf(), dest: None };
    Recipe::new(Source::Programs(files.iter().map(program).collect()))
}

fn build(recipe: &Recipe, dir: &Path) -> Assembled {
    assemble(recipe, &Layout::create(&dir.join("layout")).unwrap(), "v1").unwrap()
}

async fn unpack(dir: &Path) -> CachedImage {
    let images = Images::open(&dir.join("images"), ImagesOptions::default()).unwrap();
    let layout = Layout::open(&dir.join("layout")).unwrap();
    images.ensure_from_layout(&layout, Some("v1"), DiskSize::Fitted, &CancellationToken::new()).await.unwrap()
}

/// Runs a command with the image as its root, in a mount namespace of its own with what programs expect of a kernel.
fn in_image(image: &CachedImage, command: &[&str]) -> String {
    let root = Mounted::image(&image.rootfs());
    let script = r#"mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@""#;
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-ec", script]).arg(root.root()).args(command);
    run(unshare.env_clear().env("PATH", "/usr/sbin:/usr/bin")).trim().to_owned()
}

fn compile(dir: &Path, output: &str, source: &str, flags: &[&str]) -> PathBuf {
    let (code, output) = (dir.join("code.c"), dir.join(output));
    fs::write(&code, source).unwrap();
    fs::create_dir_all(output.parent().unwrap()).unwrap();
    // Flags after the source: libraries are looked for on behalf of what came before.
    run(Command::new("cc").arg("-o").arg(&output).arg(&code).args(flags).current_dir(dir));
    output
}

#[tokio::test]
async fn a_dynamic_program_runs_in_its_image() {
    let gzip = Path::new("/usr/bin/gzip");
    if !have_root() || !have_tool("unshare") || !have("/usr/bin/gzip", gzip.exists()) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let assembled = build(&programs(&[gzip]), dir.path());
    assert!(assembled.libraries.iter().any(|path| path.ends_with("libc.so.6")), "{:?}", assembled.libraries);
    let image = unpack(dir.path()).await;
    assert_eq!(image.process().entrypoint, ["/usr/local/bin/gzip"]);
    assert_eq!(in_image(&image, &["/usr/local/bin/gzip", "--version"]), run(Command::new(gzip).arg("--version")).trim());
    let mounted = Mounted::image(&image.rootfs());
    let root = mounted.root();
    assert_eq!(fs::metadata(root.join("tmp")).unwrap().mode() & 0o7777, 0o1777);
    assert!(fs::read_to_string(root.join("etc/passwd")).unwrap().starts_with("root:x:0:0"));
}

#[tokio::test]
async fn a_benchmark_tool_runs_other_programs_of_the_image_on_its_data() {
    let tools = ["/usr/bin/hyperfine", "/usr/bin/gzip", "/usr/bin/xz"].map(Path::new);
    if !have_root() || !tools.iter().all(|tool| have(tool.to_str().unwrap(), tool.exists())) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("corpus")).unwrap();
    fs::write(dir.path().join("corpus/text"), "some text\n".repeat(1000)).unwrap();
    let mut recipe = programs(&tools);
    recipe.add = vec![format!("{}:/data", dir.path().join("corpus").display()).parse::<Add>().unwrap()];
    recipe.compression = Compression::Zstd;
    build(&recipe, dir.path());
    let image = unpack(dir.path()).await;
    let command = ["/usr/local/bin/hyperfine", "-N", "--runs", "2", "/usr/local/bin/xz -kc /data/text"];
    assert!(in_image(&image, &command).contains("Time (mean"));
}

#[test]
fn the_same_input_has_the_same_digest_and_other_input_another() {
    if !have_tool("cc") {
        return;
    }
    let digests = |compression, text: &str| {
        let dir = tempfile::tempdir().unwrap();
        let program = compile(dir.path(), "bench", "int main(void) { return 0; }", &["-Wl,--build-id=none"]);
        let folder = dir.path().join("data");
        fs::create_dir(&folder).unwrap();
        for name in ["b", "a", "c"] {
            fs::write(folder.join(name), text).unwrap();
        }
        fs::hard_link(folder.join("b"), folder.join("a2")).unwrap();
        let mut recipe = programs(&[&program]);
        recipe.add = vec![Add { source: folder, dest: "/data".to_owned() }];
        recipe.labels = (0..20).map(|n| (format!("label{n}"), "x".to_owned())).collect();
        recipe.compression = compression;
        build(&recipe, dir.path()).digest
    };
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        assert_eq!(digests(compression, "1"), digests(compression, "1"));
        assert_ne!(digests(compression, "1"), digests(compression, "2"));
    }
}

#[tokio::test]
async fn libraries_beside_the_program_are_found_by_its_run_path() {
    if !have_root() || !have_tool("cc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    for (flag, name) in [("--enable-new-dtags", "runpath"), ("--disable-new-dtags", "rpath")] {
        compile(
            path,
            "pkg/lib/libinner.so.1",
            "int inner(void) { return 42; }",
            &["-shared", "-fPIC", "-Wl,-soname,libinner.so.1"],
        );
        let outer_flags =
            ["-shared", "-fPIC", "-Wl,-soname,libouter.so.2", "pkg/lib/libinner.so.1", &format!("-Wl,{flag},-rpath,$ORIGIN")];
        compile(path, "pkg/lib/libouter.so.2.1.0", "int inner(void); int outer(void) { return inner(); }", &outer_flags);
        let _ = symlink("libouter.so.2.1.0", path.join("pkg/lib/libouter.so.2"));
        let source = "#include <stdio.h>\nint outer(void); int main(void) { printf(\"%d\\n\", outer()); }";
        let flags = ["pkg/lib/libouter.so.2", &format!("-Wl,{flag},-rpath,$ORIGIN/../lib")];
        let program = compile(path, "pkg/bin/bench", source, &flags);

        let here = path.join(name);
        let mut recipe = programs(&[]);
        recipe.source = Source::Programs(vec![Program { file: program, dest: Some("/opt/bench/bin/bench".to_owned()) }]);
        build(&recipe, &here);
        let image = unpack(&here).await;
        assert_eq!(in_image(&image, &["/opt/bench/bin/bench"]), "42", "{name}");
        let mounted = Mounted::image(&image.rootfs());
        let link = mounted.root().join("opt/bench/lib/libouter.so.2");
        assert_eq!(fs::read_link(link).unwrap(), Path::new("libouter.so.2.1.0"));
    }
}

#[test]
fn a_missing_library_names_who_needs_it_and_where_it_was_looked_for() {
    if !have_tool("cc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let library =
        compile(dir.path(), "libgone.so", "int gone(void) { return 1; }", &["-shared", "-fPIC", "-Wl,-soname,libgone.so"]);
    let program = compile(
        dir.path(),
        "bench",
        "int gone(void); int main(void) { return gone(); }",
        &["libgone.so", "-Wl,-rpath,/opt/nowhere"],
    );
    fs::remove_file(library).unwrap();
    let layout = Layout::create(&dir.path().join("layout")).unwrap();
    let error = assemble(&programs(&[&program]), &layout, "v1").unwrap_err().to_string();
    assert!(error.contains("bench needs the library libgone.so, which is in none of /opt/nowhere, "), "{error}");
    assert!(error.contains("/usr/lib"), "{error}");
}

#[tokio::test]
async fn a_static_program_needs_nothing_else() {
    if !have_root() || !have_tool("cc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path(), "bench", "#include <stdio.h>\nint main(void) { puts(\"static\"); }", &["-static"]);
    let assembled = build(&programs(&[&program]), dir.path());
    assert_eq!(assembled.libraries, Vec::<PathBuf>::new());
    assert_eq!(in_image(&unpack(dir.path()).await, &["/usr/local/bin/bench"]), "static");
}

#[tokio::test]
async fn a_folder_arrives_as_it_is() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("folder");
    fs::create_dir_all(folder.join("z/deep")).unwrap();
    fs::write(folder.join("z/deep/file"), "content").unwrap();
    fs::set_permissions(folder.join("z/deep/file"), fs::Permissions::from_mode(0o4711)).unwrap();
    fs::hard_link(folder.join("z/deep/file"), folder.join("z/other")).unwrap();
    fs::hard_link(folder.join("z/deep/file"), folder.join("a-name")).unwrap();
    symlink("/nowhere", folder.join("link")).unwrap();
    let long = format!("{}/{}", "n".repeat(120), "m".repeat(120));
    fs::create_dir_all(folder.join(&long)).unwrap();
    fs::create_dir(folder.join("etc")).unwrap();
    fs::write(folder.join("etc/passwd"), "mine").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
    let mut recipe = Recipe::new(Source::Folder(folder.clone()));
    recipe.user = Some("1:2".to_owned());
    recipe.working_dir = Some("/srv/here".to_owned());
    recipe.env = vec!["PATH=/z".to_owned()];
    recipe.timestamp = 1_700_000_000;
    let assembled = build(&recipe, dir.path());
    assert_eq!(assembled.skipped, [folder.join("socket")]);

    let image = unpack(dir.path()).await;
    let mounted = Mounted::image(&image.rootfs());
    let root = mounted.root();
    let file = fs::metadata(root.join("z/deep/file")).unwrap();
    assert_eq!((file.mode() & 0o7777, file.uid(), file.nlink(), file.mtime()), (0o4711, 0, 3, 1_700_000_000));
    assert_eq!(fs::read(root.join("a-name")).unwrap(), b"content");
    assert_eq!(fs::read_link(root.join("link")).unwrap(), Path::new("/nowhere"));
    assert!(root.join(&long).is_dir() && root.join("srv/here").is_dir());
    assert_eq!(fs::read(root.join("etc/passwd")).unwrap(), b"mine");
    let process = image.process();
    assert_eq!((process.user.as_str(), process.working_dir.as_str()), ("1:2", "/srv/here"));
    assert_eq!((process.entrypoint, process.env), (Vec::<String>::new(), vec!["PATH=/z".to_owned()]));
    assert_eq!(image.config().created().as_deref(), Some("2023-11-14T22:13:20Z"));
}

#[test]
fn other_tools_read_what_was_made() {
    if !have_tool("skopeo") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a"), "1").unwrap();
    let mut recipe = Recipe::new(Source::Folder(folder));
    recipe.labels = [("dev.bencher.image".to_owned(), "command: [a]".to_owned())].into();
    let assembled = build(&recipe, dir.path());
    let layout = dir.path().join("layout");
    let inspect = run(Command::new("skopeo").arg("inspect").arg(format!("oci:{}:v1", layout.display())));
    assert!(inspect.contains(&assembled.digest.to_string()) && inspect.contains("command: [a]"), "{inspect}");
    let copy = dir.path().join("copy");
    run(Command::new("skopeo")
        .arg("--insecure-policy")
        .arg("copy")
        .arg(format!("oci:{}:v1", layout.display()))
        .arg(format!("dir:{}", copy.display())));
}

#[test]
fn a_file_that_a_program_calls_its_loader_is_taken_only_if_it_is_a_program() {
    if !have_tool("cc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("secret"), "of the user").unwrap();
    let loader = format!("-Wl,--dynamic-linker={}", dir.path().join("secret").display());
    let program = compile(dir.path(), "program", "int main(void) { return 0; }", &[&loader]);
    let layout = Layout::create(&dir.path().join("layout")).unwrap();
    let refused = assemble(&programs(&[&program]), &layout, "v1").unwrap_err();
    assert!(refused.to_string().contains("which a program names as its loader"), "{refused}");
}

#[test]
fn what_cannot_be_an_image_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(&dir.path().join("layout")).unwrap();
    let script = dir.path().join("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    let fails = |recipe: Recipe| assemble(&recipe, &layout, "v1").unwrap_err();
    assert!(fails(programs(&[&script])).to_string().contains("but a script"));
    assert!(matches!(fails(programs(&[])), AssembleError::NoProgram));
    assert!(matches!(fails(programs(&[Path::new("/nonexistent")])), AssembleError::Io(_)));
    let mut other_platform = programs(&[&std::env::current_exe().unwrap()]);
    other_platform.platform = Some(bencher_oci::Platform::new("linux", "s390x"));
    assert!(fails(other_platform).to_string().contains("the image is for linux/s390x"));
    let mut env = programs(&[&std::env::current_exe().unwrap()]);
    env.env = vec!["NOVALUE".to_owned()];
    assert!(matches!(fails(env), AssembleError::Env(_)));
    let mut cut = fs::read(std::env::current_exe().unwrap()).unwrap();
    cut.truncate(70);
    fs::write(&script, cut).unwrap();
    assert!(matches!(fails(programs(&[&script])), AssembleError::Elf { .. }));
}
