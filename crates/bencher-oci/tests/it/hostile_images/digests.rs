//! Images whose parts are not what other parts say of them.

use bencher_types::Digest;
use serde_json::json;

use super::{
    Case, Verdict,
    draft::{Draft, Packed},
};
use crate::support::{Layer, gzip};

fn tar(content: &str) -> Vec<u8> {
    Layer::new().file("a", content).tar()
}

fn one() -> Packed {
    let tar = tar("1");
    Packed::new(gzip(&tar), &tar)
}

pub(super) fn cases() -> Vec<Case> {
    [layers(), blobs(), forms()].into_iter().flatten().collect()
}

fn layers() -> Vec<Case> {
    let plain = tar("1");
    let swapped = || {
        let (mut low, mut high) = (one(), Packed::new(tar("2"), &tar("2")));
        std::mem::swap(&mut low.diff_id, &mut high.diff_id);
        Draft::packed(vec![low, high])
    };
    vec![
        Case::draft(
            "another layer unpacked",
            Draft::packed(vec![Packed::new(gzip(&plain), &tar("2"))]),
            "it unpacks to the digest",
        ),
        Case::draft("layers the other way round", swapped(), "it unpacks to the digest"),
        Case::draft(
            "the digest of the compressed layer for the unpacked",
            Draft::packed(vec![Packed::new(gzip(&plain), &gzip(&plain))]),
            "it unpacks to the digest",
        ),
        Case::draft(
            "a layer shorter than promised",
            Draft::packed(vec![one()]).manifest(|manifest| manifest["layers"][0]["size"] = json!(1_000_000)),
            "its descriptor says 1000000",
        ),
        Case::draft(
            "a layer longer than promised",
            Draft::packed(vec![Packed::new(plain.clone(), &plain)])
                .manifest(|manifest| manifest["layers"][0]["size"] = json!(1024)),
            "",
        ),
        Case::draft(
            "a layer of no bytes by its descriptor",
            Draft::packed(vec![one()]).manifest(|manifest| manifest["layers"][0]["size"] = json!(0)),
            "",
        ),
        Case::draft(
            "a layer with more diff ids than layers",
            Draft::plain().config(|config| {
                let first = config["rootfs"]["diff_ids"][0].clone();
                config["rootfs"]["diff_ids"] = json!([first, first]);
            }),
            "the manifest lists 1 layers and the configuration 2",
        ),
        Case::draft(
            "a layer without a diff id",
            Draft::plain().config(|config| config["rootfs"]["diff_ids"] = json!([])),
            "the manifest lists 1 layers and the configuration 0",
        ),
    ]
}

fn blobs() -> Vec<Case> {
    let changed = |change: fn(&mut Vec<u8>)| {
        let draft = Draft::packed(vec![one()]);
        let (path, mut bytes) = (draft.layer_path(0), one().blob);
        change(&mut bytes);
        draft.file(path, Some(&bytes))
    };
    let plain = Draft::plain();
    let path = plain.layer_path(0);
    vec![
        Case::draft("one bit of a layer", changed(|bytes| bytes[20] ^= 1), "the blob has the digest"),
        Case::draft("the end of a layer cut", changed(|bytes| bytes.truncate(40)), "the blob has the digest"),
        Case::draft("bytes behind a layer", changed(|bytes| bytes.extend([0; 700])), ""),
        Case::draft("an emptied layer", changed(Vec::clear), ""),
        Case::draft("another archive for a layer", changed(|bytes| *bytes = gzip(&tar("2"))), ""),
        Case::draft("a layer that is not there", plain.file(path, None), "is missing"),
        Case::draft(
            "a configuration that is not there",
            Draft::plain().manifest(|manifest| manifest["config"]["digest"] = json!(Digest::sha256(b"elsewhere"))),
            "is missing",
        ),
        Case::draft(
            "a configuration that is a layer",
            Draft::plain().manifest(|manifest| manifest["config"]["digest"] = manifest["layers"][0]["digest"].clone()),
            "the image configuration is not valid JSON of its kind",
        ),
        Case::draft(
            "a manifest that is not there",
            Draft::plain().index(|index| index["manifests"][0]["digest"] = json!(Digest::sha256(b"elsewhere"))),
            "is missing",
        ),
        Case::draft(
            "another manifest under the digest",
            Draft::plain()
                .index(|index| index["manifests"][0]["digest"] = json!(Digest::sha256(b"promised")))
                .file(format!("blobs/sha256/{}", Digest::sha256(b"promised").hex()), Some(b"{\"schemaVersion\":2}")),
            "has the digest",
        ),
    ]
}

fn forms() -> Vec<Case> {
    let with = |digest: &'static str| {
        let draft = Draft::plain().manifest(move |manifest| manifest["layers"][0]["digest"] = json!(digest));
        Case::new("", || draft, Verdict::Refused(""))
    };
    let forms = [
        ("a digest that is a path", "sha256:../../../../../etc/passwd"),
        ("a digest of no algorithm", ":abc"),
        ("a digest of an unknown algorithm", "md5:d41d8cd98f00b204e9800998ecf8427e"),
        ("a digest too short", "sha256:abc"),
        ("a digest in capitals", "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"),
        ("a digest of nothing", ""),
        (
            "a digest with a slash in its algorithm",
            "sha256/../sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
    ];
    forms.map(|(name, digest)| Case { name, ..with(digest) }).into()
}
