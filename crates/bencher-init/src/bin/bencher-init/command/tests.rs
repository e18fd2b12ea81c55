use std::{fs, os::unix::fs::symlink};

use bencher_init::config::{Bounds, FileContents, Token};

use super::*;

fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, mode: u32| {
        fs::write(dir.path().join(name), "").unwrap();
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for folder in ["first", "second", "first/folder"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    file("first/plain", 0o644);
    file("second/plain", 0o711);
    file("second/only", 0o755);
    file("first/text", 0o644);
    file("second/folder", 0o755);
    symlink("only", dir.path().join("second/link")).unwrap();
    dir
}

/// `@` stands for the folder of the tree.
fn check(command: &str, path: Option<&str>, working_dir: &str, expected: &str) {
    let dir = tree();
    let root = dir.path().to_str().unwrap();
    let full = |text: &str| text.replace('@', root);
    let config = GuestConfig {
        version: 1,
        token: Token([0; 16]),
        hostname: String::new(),
        args: vec![full(command)],
        env: path.map(|path| ("PATH".to_owned(), full(path))).into_iter().collect(),
        working_dir: full(working_dir),
        user: None,
        rlimits: Vec::new(),
        max_pids: None,
        bounds: Bounds { max_output_size: 0, max_files_size: 0, max_file_count: 0, max_symlinks: 0 },
        file_paths: Vec::new(),
        file_contents: FileContents::Read,
        grace_period_ms: 0,
        live: false,
        network: None,
    };
    let found = find(&config).map_or_else(|failure| failure.to_string(), |path| path.display().to_string());
    assert_eq!(found.replace(root, "@"), expected, "{command}");
}

#[test]
fn the_first_executable_file_in_the_path_is_taken() {
    check("only", Some("@/first:@/second"), "/", "@/second/only");
    check("plain", Some("@/first:@/second"), "/", "@/second/plain");
    check("folder", Some("@/first:@/second"), "/", "@/second/folder");
    check("link", Some("@/second"), "/", "@/second/link");
}

#[test]
fn a_path_is_relative_to_the_working_directory() {
    check("only", Some("second"), "@", "@/second/only");
    check("only", Some(""), "@/second", "@/second/only");
    check("second/only", Some("/nowhere"), "@", "@/second/only");
    check("@/second/only", None, "/", "@/second/only");
}

#[test]
fn what_is_missing_is_said_with_where_it_was_looked_for() {
    check("gone", Some("@/first:@/second"), "/", "command `gone` not found in the image; looked in @/first, @/second");
    check("./gone", Some("@/first"), "@/second", "command `./gone` not found in the image; looked in @/second");
    check("@/gone", None, "/", "command `@/gone` not found in the image; looked in /");
    check("text", Some("@/first:@/second"), "/", "command `text` is in the image at @/first/text but is not an executable file");
    check("", None, "/", "no command was given");
}

#[test]
fn without_a_path_the_usual_folders_are_looked_through() {
    check("sh", None, "/", &find_sh());
}

fn find_sh() -> String {
    DEFAULT_PATH.split(':').map(|folder| format!("{folder}/sh")).find(|path| Path::new(path).exists()).unwrap()
}
