//! What hides, and what only seems to.

use super::Case;
use crate::support::Layer;

fn l() -> Layer {
    Layer::new()
}

const EMPTY: &[&str] = &["/ 755 dir"];

pub(super) fn cases() -> Vec<Case> {
    [refused(), against_links(), opaque(), harmless()].into_iter().flatten().collect()
}

fn refused() -> Vec<Case> {
    let (out, nothing) = ("the path leaves the image", "a whiteout names nothing");
    vec![
        Case::refused("hiding above", vec![l().file("../.wh.canary", "")], out),
        Case::refused("hiding by a way around", vec![l().file("a/../.wh.b", "")], out),
        Case::refused("hiding all above", vec![l().file("../.wh..wh..opq", "")], out),
        Case::refused("hiding nothing", vec![l().file(".wh.", "")], nothing),
        Case::refused("hiding a dot", vec![l().file(".wh..", "")], nothing),
        Case::refused("hiding two dots", vec![l().file("a/.wh...", "")], nothing),
        Case::refused(
            "hiding in a circle of links",
            vec![l().symlink("a", "b").symlink("b", "a"), l().file("a/.wh.x", "")],
            "more than 40 symbolic links",
        ),
        Case::refused("hiding a name with a zero byte", vec![l().file(b".wh.a\0b", "")], "NUL"),
    ]
}

fn against_links() -> Vec<Case> {
    vec![
        Case::tree(
            "hiding through a link",
            vec![l().file("d/x", "1").symlink("o", "d"), l().file("o/.wh.x", "")],
            &["/ 755 dir", "/d 755 dir", "/o 777 -> d"],
        ),
        Case::tree(
            "hiding a link, not its target",
            vec![l().file("d/x", "1").symlink("o", "d"), l().file(".wh.o", "")],
            &["/ 755 dir", "/d 755 dir", "/d/x 644 file \"1\""],
        ),
        Case::tree(
            "hiding through a link to the host",
            vec![l().symlink("o", "/etc"), l().file("o/.wh.passwd", "")],
            &["/ 755 dir", "/o 777 -> /etc"],
        ),
        Case::tree(
            "hiding through a link upwards",
            vec![l().file("x", "1").symlink("o", "../../.."), l().file("o/.wh.x", "")],
            &["/ 755 dir", "/o 777 -> ../../.."],
        ),
        Case::tree(
            "hiding through a link of the same layer",
            vec![l().file("d/x", "1"), l().symlink("o", "d").file("o/.wh.x", "")],
            // What hides looks at the layers below, and there the link is not.
            &["/ 755 dir", "/d 755 dir", "/d/x 644 file \"1\"", "/o 777 -> d"],
        ),
        Case::tree(
            "hiding one of two names",
            vec![l().file("a", "1").hard_link("b", "a"), l().file(".wh.a", "")],
            &["/ 755 dir", "/b 644 file \"1\""],
        ),
    ]
}

fn opaque() -> Vec<Case> {
    let below = || l().file("d/x", "1").file("d/e/y", "1");
    vec![
        Case::tree("an opaque folder", vec![below(), l().file("d/.wh..wh..opq", "")], &["/ 755 dir", "/d 755 dir"]),
        Case::tree(
            "an opaque mark behind what it keeps",
            vec![below(), l().file("d/n", "2").file("d/.wh..wh..opq", "")],
            &["/ 755 dir", "/d 755 dir", "/d/n 644 file \"2\""],
        ),
        Case::tree("an opaque root", vec![below(), l().file(".wh..wh..opq", "")], EMPTY),
        Case::tree(
            "an opaque link",
            vec![below().symlink("o", "d"), l().file("o/.wh..wh..opq", "")],
            &["/ 755 dir", "/d 755 dir", "/o 777 -> d"],
        ),
        Case::tree("an opaque link to the root", vec![below().symlink("o", "/"), l().file("o/.wh..wh..opq", "")], EMPTY),
        Case::tree(
            "an opaque file",
            vec![l().file("f", "1"), l().file("f/.wh..wh..opq", "")],
            &["/ 755 dir", "/f 644 file \"1\""],
        ),
        Case::tree("an opaque folder that is not there", vec![l().file("n/.wh..wh..opq", "")], EMPTY),
    ]
}

fn harmless() -> Vec<Case> {
    let one = || l().file("a", "1");
    vec![
        Case::tree("hiding what is not there", vec![l().file("x/y/.wh.z", "")], EMPTY),
        Case::tree("hiding in the lowest layer", vec![l().file("a", "1").file(".wh.a", "")], &["/ 755 dir", "/a 644 file \"1\""]),
        Case::tree(
            "hiding and adding again",
            vec![one(), l().file("a", "2").file(".wh.a", "")],
            &["/ 755 dir", "/a 644 file \"2\""],
        ),
        Case::tree("hiding by a folder", vec![one(), l().dir(".wh.a", 0o755)], EMPTY),
        Case::tree("hiding by a link", vec![one(), l().symlink(".wh.a", "/etc")], EMPTY),
        Case::tree("hiding with slashes behind", vec![one(), l().file(".wh.a//", "")], EMPTY),
        Case::tree("hiding with content", vec![one(), l().file(".wh.a", "content that nobody wants")], EMPTY),
        Case::tree("hiding what hides", vec![one(), l().file(".wh..wh.a", "")], &["/ 755 dir", "/a 644 file \"1\""]),
        Case::tree(
            "hiding the same three times",
            vec![one(), l().file(".wh.a", "").file("./.wh.a", "").file("/.wh.a", "")],
            EMPTY,
        ),
        Case::tree("hiding a full folder", vec![l().file("d/e/f", "1"), l().file(".wh.d", "")], EMPTY),
        Case::tree("hiding below a file", vec![one(), l().file("a/.wh.b", "")], &["/ 755 dir", "/a 644 file \"1\""]),
    ]
}
