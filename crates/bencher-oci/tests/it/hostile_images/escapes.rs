//! Names and links that point out of the image.

use super::Case;
use crate::support::Layer;

fn l() -> Layer {
    Layer::new()
}

pub(super) fn cases() -> Vec<Case> {
    [upwards(), through_links(), hard_links(), odd_names()].into_iter().flatten().collect()
}

fn upwards() -> Vec<Case> {
    let out = "the path leaves the image";
    vec![
        Case::refused("dots first", vec![l().file("../canary", "x")], out),
        Case::refused("dots in the middle", vec![l().file("a/../../canary", "x")], out),
        Case::refused("dots alone", vec![l().file("..", "x")], out),
        Case::refused("dots at the end", vec![l().file("a/..", "x")], out),
        Case::refused("dots behind a slash", vec![l().file("/../canary", "x")], out),
        Case::refused("dots behind a dot", vec![l().file("./../canary", "x")], out),
        Case::refused("dots that come back", vec![l().file("a/../b", "x")], out),
        Case::refused("dots deep down", vec![l().file("a/b/c/../../../../../../../../etc/passwd", "x")], out),
        Case::refused("a folder above", vec![l().dir("../d", 0o777)], out),
        Case::refused("a link above", vec![l().symlink("../l", "x")], out),
        Case::refused("a device above", vec![l().device("../sda", 8, 0)], out),
        Case::refused("a pipe above", vec![l().fifo("../p")], out),
        Case::refused("dots in the second layer", vec![l().file("a", "1"), l().file("../canary", "x")], out),
        Case::tree("an absolute name", vec![l().file("/canary", "1")], &["/ 755 dir", "/canary 644 file \"1\""]),
        Case::tree("many slashes", vec![l().file("///a////b", "1")], &["/ 755 dir", "/a 755 dir", "/a/b 644 file \"1\""]),
        Case::tree("dots that stay", vec![l().file("./././a", "1")], &["/ 755 dir", "/a 644 file \"1\""]),
        Case::tree("backslashes", vec![l().file("..\\..\\a", "1")], &["/ 755 dir", "/..\\..\\a 644 file \"1\""]),
        Case::tree("three dots", vec![l().file(".../a", "1")], &["/ 755 dir", "/... 755 dir", "/.../a 644 file \"1\""]),
        Case::tree(
            "dots by percent",
            vec![l().file("%2e%2e/a", "1")],
            &["/ 755 dir", "/%2e%2e 755 dir", "/%2e%2e/a 644 file \"1\""],
        ),
        Case::tree("dots that only look so", vec![l().file("․․/a", "1")], &["/ 755 dir", "/․․ 755 dir", "/․․/a 644 file \"1\""]),
        Case::tree("a tilde", vec![l().file("~/a", "1")], &["/ 755 dir", "/~ 755 dir", "/~/a 644 file \"1\""]),
    ]
}

fn through_links() -> Vec<Case> {
    let looped = "more than 40 symbolic links";
    vec![
        Case::tree(
            "through a link to a folder of the host",
            vec![l().symlink("o", "/etc").file("o/x", "1")],
            &["/ 755 dir", "/etc 755 dir", "/etc/x 644 file \"1\"", "/o 777 -> /etc"],
        ),
        Case::tree(
            "through a link upwards",
            vec![l().symlink("o", "../../../e").file("o/x", "1")],
            &["/ 755 dir", "/e 755 dir", "/e/x 644 file \"1\"", "/o 777 -> ../../../e"],
        ),
        Case::tree(
            "through a link of the layer below",
            vec![l().symlink("o", "/e"), l().file("o/x", "1")],
            &["/ 755 dir", "/e 755 dir", "/e/x 644 file \"1\"", "/o 777 -> /e"],
        ),
        Case::tree(
            "through a link to the process's root",
            vec![l().symlink("o", "/proc/self/root").file("o/x", "1")],
            &[
                "/ 755 dir",
                "/o 777 -> /proc/self/root",
                "/proc 755 dir",
                "/proc/self 755 dir",
                "/proc/self/root 755 dir",
                "/proc/self/root/x 644 file \"1\"",
            ],
        ),
        Case::tree(
            "through three links",
            vec![l().symlink("a", "b").symlink("b", "/c/..").symlink("c", "d").file("a/x", "1")],
            &["/ 755 dir", "/a 777 -> b", "/b 777 -> /c/..", "/c 777 -> d", "/d 755 dir", "/x 644 file \"1\""],
        ),
        Case::tree(
            "a link that is replaced between two writes",
            vec![l().dir("d", 0o755).symlink("o", "/etc").dir("o", 0o755).file("o/x", "1")],
            &["/ 755 dir", "/d 755 dir", "/o 755 dir", "/o/x 644 file \"1\""],
        ),
        Case::tree(
            "a folder that becomes a link",
            vec![l().file("o/x", "1").symlink("o", "/etc").file("o/y", "2")],
            &["/ 755 dir", "/etc 755 dir", "/etc/y 644 file \"2\"", "/o 777 -> /etc"],
        ),
        Case::tree("a file over a link", vec![l().symlink("o", "/canary").file("o", "1")], &["/ 755 dir", "/o 644 file \"1\""]),
        Case::tree("a device over a link", vec![l().symlink("o", "/canary").fifo("o")], &["/ 755 dir", "/o 600 fifo"]),
        Case::refused("two links in a circle", vec![l().symlink("a", "b").symlink("b", "a").file("a/x", "")], looped),
        Case::refused("a link to itself", vec![l().symlink("a", "a").file("a/x", "")], looped),
        Case::refused("a link below itself", vec![l().symlink("a", "a/a/a").file("a/x", "")], looped),
        Case::refused(
            "a link to a file as a folder",
            vec![l().file("f", "").symlink("o", "f").file("o/x", "")],
            "neither a folder nor a link to one",
        ),
        Case::refused("a link to nowhere", vec![l().symlink("o", "")], "points to nothing"),
        Case::refused("a link as the root", vec![l().symlink("/", "/etc")], "the root of the image is not a folder"),
    ]
}

fn hard_links() -> Vec<Case> {
    let (out, missing, folder) = ("the path leaves the image", "which is not there", "which is a folder");
    vec![
        Case::refused("another name for a file of the host", vec![l().hard_link("a", "/etc/passwd")], missing),
        Case::refused("another name for a file above", vec![l().hard_link("a", "../canary")], out),
        Case::refused("another name above", vec![l().file("a", "1").hard_link("../b", "a")], out),
        Case::refused("another name through a link", vec![l().symlink("o", "/etc").hard_link("a", "o/passwd")], missing),
        Case::refused("another name for a folder", vec![l().dir("d", 0o755).hard_link("a", "d")], folder),
        Case::refused("another name for the root", vec![l().hard_link("a", "/")], folder),
        Case::refused("another name for nothing", vec![l().hard_link("a", "")], folder),
        Case::refused("another name for itself", vec![l().hard_link("a", "a")], missing),
        Case::refused("another name for what comes later", vec![l().hard_link("a", "b").file("b", "1")], missing),
        Case::refused(
            "another name for what was hidden",
            vec![l().file("a", "1"), l().file(".wh.a", "").hard_link("b", "a")],
            missing,
        ),
        Case::tree(
            "another name for a link to the host",
            vec![l().symlink("o", "/etc/passwd").hard_link("p", "o")],
            &["/ 755 dir", "/o 777 -> /etc/passwd #0", "/p 777 -> /etc/passwd #0"],
        ),
        Case::tree(
            "another name, then another file under the first",
            vec![l().file("a", "1").hard_link("b", "a"), l().file("a", "2")],
            &["/ 755 dir", "/a 644 file \"2\"", "/b 644 file \"1\""],
        ),
    ]
}

fn odd_names() -> Vec<Case> {
    let long = "n".repeat(256);
    let path = ["p".repeat(200).as_str(); 21].join("/");
    let deep = vec!["d"; 258].join("/");
    vec![
        Case::refused("a name with a zero byte", vec![l().file(b"a\0/../b", "")], "NUL"),
        Case::refused("a link with a zero byte", vec![l().symlink("a", b"b\0c")], "NUL"),
        Case::refused("no name at all", vec![l().file("", "x")], "the root of the image is not a folder"),
        Case::refused("only a dot", vec![l().file(".", "x")], "the root of the image is not a folder"),
        Case::refused("a name too long", vec![l().file(&long, "")], "a name on its path is longer than 255 bytes"),
        Case::refused("a path too long", vec![l().file(&path, "")], "its path is longer than 4095 bytes"),
        Case::refused("a link too long", vec![l().symlink("a", &path)], "its path is longer than 4095 bytes"),
        Case::refused("too deep", vec![l().file(&deep, "")], "more than 256 folders deep"),
        Case::tree(
            "a name that is not text",
            vec![l().file(b"\xff\xfe", "1")],
            &["/ 755 dir", "/\u{fffd}\u{fffd} 644 file \"1\""],
        ),
        Case::tree("a name with a line's end", vec![l().file("a\nb", "1")], &["/ 755 dir", "/a\nb 644 file \"1\""]),
        Case::tree(
            "a name that commands a terminal",
            vec![l().file("\u{1b}[2J", "1")],
            &["/ 755 dir", "/\u{1b}[2J 644 file \"1\""],
        ),
        Case::tree("a name like an option", vec![l().file("-rf", "1")], &["/ 755 dir", "/-rf 644 file \"1\""]),
        Case::refused("a file as a folder", vec![l().file("a", "").file("a/b", "")], "neither a folder nor a link to one"),
        Case::refused("a pipe as a folder", vec![l().fifo("a").file("a/b", "")], "neither a folder nor a link to one"),
    ]
}
