use bencher_types::oci::digest::Algorithm;
use uuid::Uuid;

use super::*;
use crate::registry::hash::digest_of;

#[test]
fn a_name_in_the_blob_store_says_which_copy_of_what_it_is() {
    let upload = CopyId::of_upload(Uuid::from_u128(7));
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let digest = digest_of(algorithm, b"x");
        for copy in [CopyId::FIRST, upload] {
            assert_eq!(named(&key(&digest, copy)), Some((digest.clone(), copy)));
        }
    }
}

#[test]
fn what_the_registry_did_not_name_is_not_its_own() {
    let digest = digest_of(Algorithm::Sha256, b"x");
    let hex = digest.hex();
    for name in [
        format!("blobs/sha256/zz/{hex}"),
        format!("blobs/sha256/{}/{hex}.x", &hex[..2]),
        format!("blobs/sha256/{}/{hex}/more", &hex[..2]),
        format!("blobs/sha256/{}/{}", &hex[..2], &hex[..63]),
        format!("jobs/sha256/{}/{hex}", &hex[..2]),
        "blobs/sha256".to_owned(),
        String::new(),
    ] {
        assert_eq!(named(&Path::from(name.as_str())), None, "{name}");
    }
}
