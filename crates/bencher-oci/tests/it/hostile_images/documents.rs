//! Indexes, manifests and configurations that are odd.

use serde_json::{Value, json};

use super::{Case, Verdict, draft::Draft};
use bencher_oci::Limits;

const PLAIN: [&str; 2] = ["/ 755 dir", "/a 644 file \"1\""];

pub(super) fn cases() -> Vec<Case> {
    [layouts(), indexes(), manifests(), configurations()].into_iter().flatten().collect()
}

fn draft() -> Draft {
    Draft::plain()
}

fn fine(name: &'static str, draft: Draft) -> Case {
    Case::new(name, || draft, Verdict::Tree(PLAIN.to_vec()))
}

fn layouts() -> Vec<Case> {
    let not = "is not an OCI image layout";
    vec![
        Case::draft("no mark of a layout", draft().file("oci-layout", None), not),
        Case::draft("an empty mark", draft().file("oci-layout", Some(b"")), not),
        Case::draft("a mark that is a list", draft().file("oci-layout", Some(b"[]")), not),
        Case::draft("a mark of a megabyte", draft().file("oci-layout", Some(&[b' '; 1 << 20])), not),
        Case::draft(
            "a layout of the future",
            draft().file("oci-layout", Some(br#"{"imageLayoutVersion":"9.0.0"}"#)),
            "has the layout version 9.0.0",
        ),
        Case::draft("no index", draft().file("index.json", None), "could not read"),
    ]
}

fn indexes() -> Vec<Case> {
    let broken = "the index is not valid JSON of its kind";
    let platform = |os: &'static str, architecture: &'static str| {
        move |index: &mut Value| index["manifests"][0]["platform"] = json!({ "os": os, "architecture": architecture })
    };
    vec![
        Case::draft("an empty index", draft().index_bytes(""), broken),
        Case::draft("an index of noise", draft().index_bytes(vec![0xfe; 100]), broken),
        Case::draft("an index with a byte order mark", draft().index_bytes("\u{feff}{}"), broken),
        Case::draft("an index that is a list", draft().index_bytes("[]"), broken),
        Case::draft("an index that is cut", draft().index_bytes(r#"{"schemaVersion":2,"manifests":[{"#), broken),
        Case::draft("an index of a thousand brackets", draft().index_bytes("[".repeat(100_000)), broken),
        Case::draft("an index of five megabytes", draft().index_bytes(" ".repeat(5 << 20)), "at most 4194304 are accepted"),
        Case::draft("an index without images", draft().index(|index| index["manifests"] = json!([])), "it has no image"),
        Case::draft(
            "an index of two without a choice",
            draft().index(|index| {
                let one = index["manifests"][0].clone();
                index["manifests"] = json!([one, one]);
            }),
            "has several images",
        ),
        Case::draft("an index with a size below zero", draft().index(|index| index["manifests"][0]["size"] = json!(-1)), broken),
        Case::draft("indexes without an end", draft().indexes(9), "indexes point to indexes more than 3 levels deep"),
        fine("two indexes", draft().indexes(2)),
        // The layout's own index may say what it wants of a platform: the configuration decides.
        fine("an index for another system", draft().index(platform("plan9", "mips"))),
    ]
}

fn manifests() -> Vec<Case> {
    let broken = "the manifest is not valid JSON of its kind";
    let edit = |edit: fn(&mut Value)| Draft::plain().manifest(edit);
    let small = Limits { layers: 2, ..Limits::default() };
    vec![
        Case::draft("an empty manifest", draft().manifest_bytes(""), broken),
        Case::draft("a manifest of noise", draft().manifest_bytes(vec![0x80; 100]), broken),
        Case::draft("a manifest with something behind", draft().manifest_bytes("{\"schemaVersion\":2} {}"), broken),
        Case::draft("a manifest of five megabytes", draft().manifest_bytes(" ".repeat(5 << 20)), "at most 4194304 are accepted"),
        Case::draft("a manifest of the first kind", edit(|m| m["schemaVersion"] = json!(1)), "schema version 1"),
        Case::draft(
            "a manifest of no kind",
            edit(|m| drop(m.as_object_mut().unwrap().remove("schemaVersion"))),
            "schema version 0",
        ),
        Case::draft(
            "a manifest that calls itself an index",
            edit(|m| m["mediaType"] = json!("application/vnd.oci.image.index.v1+json")),
            broken,
        ),
        Case::draft("a manifest without layers", edit(|m| drop(m.as_object_mut().unwrap().remove("layers"))), broken),
        Case::draft("a manifest whose layers are none", edit(|m| m["layers"] = Value::Null), broken),
        Case::draft("a manifest without a configuration", edit(|m| drop(m.as_object_mut().unwrap().remove("config"))), broken),
        Case::draft(
            "a chart",
            edit(|m| m["config"]["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json")),
            "is not a container image",
        ),
        Case::draft(
            "a layer of an odd kind",
            edit(|m| m["layers"][0]["mediaType"] = json!("text/html")),
            "layer 0 has the media type `text/html`",
        ),
        Case::draft("a layer with a size below zero", edit(|m| m["layers"][0]["size"] = json!(-5)), broken),
        Case::draft("a layer with half a byte", edit(|m| m["layers"][0]["size"] = json!(10.5)), broken),
        Case::draft("a layer of 16 EiB", edit(|m| m["layers"][0]["size"] = json!(u64::MAX)), "but at most"),
        Case::draft(
            "layers whose sizes wrap around",
            edit(|m| {
                let mut one = m["layers"][0].clone();
                one["size"] = json!(1_u64 << 63);
                m["layers"] = json!([one, one, one]);
            }),
            "the layers of the image are 18446744073709551615 bytes together",
        ),
        Case::draft(
            "a configuration of 5 GB",
            edit(|m| m["config"]["size"] = json!(5_000_000_000_u64)),
            "the image configuration is 5000000000 bytes",
        ),
        Case::draft(
            "more layers than are accepted",
            edit(|m| {
                let one = m["layers"][0].clone();
                m["layers"] = json!([one, one, one]);
            }),
            "the image has 3 layers, but at most 2 are accepted",
        )
        .within(small),
    ]
}

fn configurations() -> Vec<Case> {
    let broken = "the image configuration is not valid JSON of its kind";
    let edit = |edit: fn(&mut Value)| Draft::plain().config(edit);
    vec![
        Case::draft("an empty configuration", draft().config_bytes(""), broken),
        Case::draft("a configuration of noise", draft().config_bytes(vec![0xc0; 64]), broken),
        Case::draft("a configuration that is a list", draft().config_bytes("[]"), broken),
        Case::draft("a configuration without an end", draft().config_bytes("{\"a\":".repeat(100_000)), broken),
        Case::draft("a configuration without layers", edit(|c| drop(c.as_object_mut().unwrap().remove("rootfs"))), broken),
        Case::draft("a configuration for another system", edit(|c| c["os"] = json!("windows")), "image is for windows/amd64"),
        Case::draft(
            "a configuration for another processor",
            edit(|c| c["architecture"] = json!("s390x")),
            "image is for linux/s390x",
        ),
        Case::draft(
            "a diff id that is a path",
            edit(|c| c["rootfs"]["diff_ids"][0] = json!("sha256:../../../etc/passwd")),
            "names a digest that cannot be used",
        ),
        Case::draft("a diff id that is a number", edit(|c| c["rootfs"]["diff_ids"][0] = json!(7)), broken),
        Case::draft("a command that is a text", edit(|c| c["config"] = json!({ "Cmd": "rm -rf /" })), broken),
        fine("fields nobody knows", edit(|c| c["exploit"] = json!({ "deep": [[[[1]]]] }))),
    ]
}
