//! Target `registry`: what a client sends to the registry, to its readers. The first byte says to which: a manifest, a range of a
//! download, a chunk's place in an upload, or a name.

use bencher_types::{
    Digest,
    oci::{manifest, range, reference},
};

pub(crate) fn run(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    let text = || std::str::from_utf8(bytes).ok();
    match kind {
        b'm' => manifest_of(None, bytes),
        b'i' => manifest_of(Some(manifest::OCI_MANIFEST), bytes),
        b'x' => manifest_of(Some(manifest::OCI_INDEX), bytes),
        b'r' => text().into_iter().for_each(|text| download(text, bytes.len())),
        b'c' => text().into_iter().for_each(chunk),
        b'n' => text().into_iter().for_each(name),
        _ => {}
    }
}

/// A manifest that is taken is of a type that is held, refers to so much and no more, and is read the same again.
fn manifest_of(content_type: Option<&str>, bytes: &[u8]) {
    match manifest::parse(content_type, bytes) {
        Ok(read) => {
            let held = [manifest::OCI_MANIFEST, manifest::OCI_INDEX, manifest::DOCKER_MANIFEST, manifest::DOCKER_LIST];
            assert!(held.contains(&&*read.media_type));
            assert!(content_type.is_none_or(|content_type| content_type == read.media_type));
            assert!(read.blobs.len() + read.children.len() <= manifest::MAX_REFERENCES);
            assert!(read.blobs.is_empty() || read.children.is_empty(), "an image and an index at once");
            assert!(read.artifact_type.as_ref().is_none_or(|kind| !kind.is_empty() && !kind.contains(char::is_control)));
            let again = manifest::parse(Some(&read.media_type), bytes);
            assert_eq!(again.ok().as_ref(), Some(&read), "its own type changes how it is read");
        }
        Err(error) => assert!(error.to_string().len() <= 2048 + bytes.len()),
    }
}

/// A part is never empty and always of what is there.
fn download(header: &str, seed: usize) {
    for size in [0, 1, 10, seed as u64, u64::MAX] {
        if let range::Wanted::Part(part) = range::wanted(Some(header), size) {
            assert!(part.start < part.end && part.end <= size);
            let written = format!("bytes={}-{}", part.start, part.end - 1);
            assert_eq!(range::wanted(Some(&written), size), range::Wanted::Part(part));
        }
    }
}

fn chunk(header: &str) {
    if let Some((start, length)) = range::chunk(header) {
        assert!(length > 0);
        let last = start.checked_add(length - 1).expect("the last byte has a number");
        assert_eq!(range::chunk(&format!("{start}-{last}")), Some((start, length)));
    }
}

/// What names a repository or a tag can stand in a URL and in a header as it is.
fn name(text: &str) {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
    if reference::is_repository_name(text) {
        assert!(is_plain(text) && text.len() <= reference::MAX_REPOSITORY_LEN);
        assert!(!text.contains("//") && !text.contains("..") && !text.starts_with('/') && !text.ends_with('/'));
    }
    if reference::is_tag(text) {
        assert!(is_plain(text) && !text.contains('/') && text.len() <= reference::MAX_TAG_LEN);
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
}
