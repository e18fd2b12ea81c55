//! Archives that are broken, or say what cannot be.

use tar::{EntryType, Header};

use super::{
    Case, Verdict,
    draft::{Draft, Packed},
};
use crate::support::{Layer, gzip};

fn l() -> Layer {
    Layer::new()
}

/// An archive as it is, compressed and not: contents are read in different ways.
fn tar(bytes: Vec<u8>) -> Draft {
    if bytes.len().is_multiple_of(1024) { Draft::packed(vec![Packed::new(gzip(&bytes), &bytes)]) } else { plain(bytes) }
}

fn plain(bytes: Vec<u8>) -> Draft {
    Draft::packed(vec![Packed::new(bytes.clone(), &bytes)])
}

fn header(kind: u8, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_path("a").unwrap();
    header.set_entry_type(EntryType::new(kind));
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

/// One member with this header, content as it is, and the end of the archive.
fn member(mut header: Header, content: &[u8]) -> Draft {
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512) + 1024, 0);
    tar(bytes)
}

/// A member whose header was changed field by field.
fn field(range: std::ops::Range<usize>, value: &[u8]) -> Draft {
    let mut header = header(b'0', 0);
    header.as_mut_bytes()[range][..value.len()].copy_from_slice(value);
    member(header, b"")
}

/// A member behind an extended header of these bytes.
fn pax(text: &[u8]) -> Draft {
    let mut extended = header(b'x', text.len() as u64);
    extended.set_cksum();
    let mut bytes = extended.as_bytes().to_vec();
    bytes.extend(text);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    let mut described = header(b'0', 0);
    described.set_cksum();
    bytes.extend(described.as_bytes());
    bytes.resize(bytes.len() + 1024, 0);
    tar(bytes)
}

fn record(key: &str, value: &str) -> Draft {
    Draft::layers(vec![l().pax(&[(key, value.as_bytes())]).raw(header(b'0', 0), b"a", None, b"")])
}

pub(super) fn cases() -> Vec<Case> {
    [shapes(), fields(), extended(), sparse(), types()].into_iter().flatten().collect()
}

fn shapes() -> Vec<Case> {
    let (middle, sum) = ("it ends in the middle of a member", "the checksum of a header is wrong");
    let whole = l().file("a", [7; 3000]).tar();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        plain(bytes)
    };
    let one = vec!["/ 755 dir", "/a 644 file \"1\""];
    let small = l().file("a", "1").tar();
    let (cut, behind) = (small[..small.len() - 1024].to_vec(), [&small[..], &l().file("b", "2").tar()].concat());
    let unpadded = small[..small.len() - 1024 - 511].to_vec();
    vec![
        Case::draft("a header cut", with(&|b| b.truncate(300)), middle),
        Case::draft("the second header cut", with(&|b| b.truncate(1024 + 300)), middle),
        Case::draft("a content cut", with(&|b| b.truncate(b.len() - 1024 - 600)), middle),
        Case::draft("a wrong checksum", with(&|b| b[100] ^= 1), sum),
        Case::draft("a checksum that is no number", with(&|b| b[148..156].fill(b'z')), sum),
        Case::draft("a header of ones", plain(vec![0xff; 1024]), sum),
        Case::new("no end of the archive", move || plain(cut), Verdict::Tree(one.clone())),
        Case::new(
            "no filling behind the last content",
            move || plain(unpadded),
            Verdict::Tree(vec!["/ 755 dir", "/a 644 file \"1\""]),
        ),
        Case::new(
            "a second archive behind the end",
            move || plain(behind),
            Verdict::Tree(vec!["/ 755 dir", "/a 644 file \"1\""]),
        ),
        Case::new("only the end", || plain(vec![0; 1024]), Verdict::Tree(vec!["/ 755 dir"])),
        Case::draft("a size of more than there is", member(header(b'0', 1 << 20), b"x"), middle),
    ]
}

fn fields() -> Vec<Case> {
    let huge = [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    vec![
        Case::draft("a size that is no number", field(124..136, b"zzzzzzzzzzz\0"), "a size is not a number"),
        Case::draft("a size of 16 EiB", field(124..136, &huge), ""),
        Case::draft("a size below zero", field(124..136, &[0xff; 12]), ""),
        Case::draft("a mode that is no number", field(100..108, b"rwxr-xr\0"), "the mode is not a number"),
        Case::draft("an owner that is no number", field(108..116, b"root\0\0\0\0"), "the owner is not a number"),
        Case::draft("a group that is no number", field(116..124, b"root\0\0\0\0"), "the group is not a number"),
        Case::draft("an owner beyond the kernel's", field(108..116, &[0x80, 0, 0, 1, 0, 0, 0, 0]), "its owner is 4294967296"),
        Case::draft("the owner that means none", record("uid", "4294967295"), "its owner is 4294967295"),
        Case::draft("the group that means none", record("gid", "4294967295"), "its group is 4294967295"),
    ]
}

fn extended() -> Vec<Case> {
    let unreadable = "an extended header is unreadable";
    let nothing = {
        let mut last = header(b'x', 0);
        last.set_size(10);
        last.set_cksum();
        let mut bytes = last.as_bytes().to_vec();
        bytes.extend(b"10 path=b\n");
        bytes.resize(1024 + 1024, 0);
        bytes
    };
    vec![
        Case::draft("a record of no length", pax(b"0 path=b\n"), unreadable),
        Case::draft("a record without a length", pax(b" path=b\n"), unreadable),
        Case::draft("a record longer than all", pax(b"99 path=b\n"), unreadable),
        Case::draft("a record shorter than itself", pax(b"5 path=b\n"), unreadable),
        Case::draft("a record with a length of many digits", pax(b"99999999999999999999999 path=b\n"), unreadable),
        Case::draft("a record that does not end", pax(b"9 path=bb"), unreadable),
        Case::draft("a record without a value", pax(b"8 pathb\n"), unreadable),
        Case::draft("a record with a signed length", pax(b"-9 path=b\n"), unreadable),
        Case::draft("records for nothing", plain(nothing), "extended headers describe nothing"),
        Case::draft("a record's size that is no number", record("size", "many"), "`size` is not a number"),
        Case::draft("a record's size beyond all", record("size", "18446744073709551616"), "`size` is not a number"),
        Case::draft("a record's size of more than there is", record("size", "1000000"), "it ends in the middle of a member"),
        Case::draft("a record's owner that is no number", record("uid", "-1"), "the owner is not a number"),
        Case::draft("a record's time that is none", record("mtime", "yesterday"), "a time is unreadable"),
        Case::draft("a record's time with a broken fraction", record("mtime", "1.5e3"), "a time is unreadable"),
        Case::draft("a record's path upwards", pax(b"13 path=../a\n"), "the path leaves the image"),
        Case::draft("an attribute without a name", record("SCHILY.xattr.", "x"), "an impossible name"),
        Case::draft("an attribute with a zero byte", record("SCHILY.xattr.user.\0", "x"), "an impossible name"),
        Case::tree(
            "a time before the universe",
            vec![l().pax(&[("mtime", b"-9223372036854775808")]).file("a", "1")],
            &["/ 755 dir", "/a 644 file \"1\""],
        ),
        Case::tree(
            "a time after its end",
            vec![l().pax(&[("mtime", b"9223372036854775807.999999999")]).file("a", "1")],
            &["/ 755 dir", "/a 644 file \"1\""],
        ),
        Case::tree(
            "attributes that command an overlay",
            vec![l().pax(&[("SCHILY.xattr.trusted.overlay.redirect", b"/etc")]).dir("d", 0o755)],
            &["/ 755 dir", "/d 755 dir"],
        ),
    ]
}

fn sparse() -> Vec<Case> {
    let map = |map: &'static str, size: &'static str| {
        let records: [(&str, &[u8]); 2] = [("GNU.sparse.map", map.as_bytes()), ("GNU.sparse.size", size.as_bytes())];
        Draft::layers(vec![l().pax(&records).raw(header(b'0', 4), b"a", None, b"data")])
    };
    let leading = |text: &'static [u8]| {
        let records: [(&str, &[u8]); 3] =
            [("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"100")];
        let mut content = text.to_vec();
        content.resize(512, 0);
        content.extend(b"data");
        Draft::layers(vec![l().pax(&records).raw(header(b'0', content.len() as u64), b"a", None, &content)])
    };
    let unreadable = "the map of a sparse file is unreadable or too long";
    vec![
        Case::draft("pieces that overlap", map("0,3,2,1", "10"), "overlap"),
        Case::draft("pieces out of order", map("8,2,0,2", "10"), "overlap"),
        Case::draft("pieces behind the end", map("8,4", "10"), "behind its end"),
        Case::draft("pieces that wrap around", map("18446744073709551615,4", "10"), "behind its end"),
        Case::draft("pieces of more than is stored", map("0,5", "10"), "do not add up"),
        Case::draft("pieces of less than is stored", map("0,3", "10"), "do not add up"),
        Case::draft("half a piece", map("0,4,7", "10"), unreadable),
        Case::draft("pieces that are no numbers", map("0,four", "10"), unreadable),
        Case::draft("a sparse file of no size", map("0,4", ""), "`GNU.sparse.size` is not a number"),
        Case::draft("a sparse file of 8 EiB", map("0,4", "9223372036854775807"), "unpacks to more than"),
        Case::draft("a leading map of no numbers", leading(b"pieces\n"), unreadable),
        Case::draft("a leading map of millions", leading(b"4000000\n"), unreadable),
        Case::draft("a leading map that does not end", leading(b"2\n0\n4\n"), ""),
        Case::draft(
            "a sparse format of the future",
            Draft::layers(vec![l().pax(&[("GNU.sparse.major", b"7"), ("GNU.sparse.minor", b"0")]).file("a", "1")]),
            "",
        ),
        Case::draft("an old sparse file without a map", member(header(b'S', 4), b"data"), "do not add up"),
    ]
}

fn types() -> Vec<Case> {
    let odd = |kind: u8| member(header(kind, 0), b"");
    vec![
        Case::draft("a volume's label", odd(b'V'), "it is of the type `V`"),
        Case::draft("a file that goes on elsewhere", odd(b'M'), "it is of the type `M`"),
        Case::draft("a folder's listing", odd(b'D'), "it is of the type `D`"),
        Case::draft("a socket by an unknown type", odd(b's'), "it is of the type `s`"),
        Case::draft("a type that is no letter", odd(0xff), "it is of the type"),
        Case::new(
            "a folder by its slash alone",
            || {
                let mut folder = header(0, 0);
                folder.set_path("d/").unwrap();
                folder.set_mode(0o700);
                member(folder, b"")
            },
            Verdict::Tree(vec!["/ 755 dir", "/d 700 dir"]),
        ),
        Case::new(
            "a link that has a size",
            || {
                let mut link = header(b'2', 1 << 30);
                link.set_link_name("b").unwrap();
                member(link, b"")
            },
            Verdict::Tree(vec!["/ 755 dir", "/a 644 -> b"]),
        ),
        Case::new(
            "a folder that has a size",
            || member(header(b'5', 1 << 30), b""),
            Verdict::Tree(vec!["/ 755 dir", "/a 644 dir"]),
        ),
    ]
}
