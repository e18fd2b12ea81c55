use bencher_types::Digest;
use object_store::path::Path;

use super::{digest_of, is_upload};
use crate::{registry::blob, store::oci::blob::CopyId};

#[test]
fn names_of_images_and_output_tell_the_digest() {
    let digest = Digest::sha256(b"x");
    for copy in [CopyId::FIRST, CopyId::of_upload(uuid::Uuid::from_u128(7))] {
        assert_eq!(digest_of(&blob::key(&digest, copy)), Some(digest.clone()));
    }
    let output = format!("jobs/0191d1a4-7c86-7e53-a4d4-0d1c24d0e6a0/0191d1a4-7c86-7e53-a4d4-0d1c24d0e6a1-{}.json", digest.hex());
    assert_eq!(digest_of(&Path::from(output)), Some(digest));
    for other in ["blobs/sha256/00/ab", "blobs/md5/00/ab", "jobs/a/b.json", "jobs/a", "live/a/b"] {
        assert_eq!(digest_of(&Path::from(other)), None, "{other}");
    }
}

#[test]
fn uploads_that_are_under_way_are_told_apart() {
    assert!(is_upload(&Path::from("uploads/0191d1a4-7c86-7e53-a4d4-0d1c24d0e6a0")));
    assert!(!is_upload(&Path::from("blobs/sha256/00/uploads")));
}
