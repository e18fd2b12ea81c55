//! Blobs and images that cost next to nothing to make, and no two of which are the same.

use std::{io::Write, ops::Range};

use bencher_types::{Digest, oci::digest::Algorithm};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Bytes that are written at once.
const PIECE: u64 = 1 << 20;
/// Of each piece, what says of which blob and which piece it is.
const MARK: usize = 16;
/// The rest of a piece.
const COMMON: usize = (1 << 20) - MARK;

pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A large blob.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    number: u64,
    pub(super) length: u64,
    /// What its pieces have in common; nothing that could be compressed.
    common: Vec<u8>,
    pub(super) digest: Digest,
}

impl Blob {
    /// `length` is a multiple of a mebibyte.
    pub(super) fn new(length: u64) -> Self {
        let (number, _) = uuid::Uuid::new_v4().as_u64_pair();
        let mut state = number | 1;
        let common = (0..COMMON).map(|_| {
            // xorshift64 (Marsaglia, 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        });
        let common = common.collect();
        let mut blob = Self { number, length, common, digest: Digest::sha256(b"") };
        let mut hash = Sha256::new();
        blob.write(0..length, &mut hash).expect("a hash takes everything");
        blob.digest = Digest::from_hash(Algorithm::Sha256, &hash.finalize());
        blob
    }

    /// Writes a part that begins and ends with a piece.
    pub(super) fn write(&self, part: Range<u64>, to: &mut impl Write) -> std::io::Result<()> {
        for piece in part.start / PIECE..part.end / PIECE {
            let mut mark = [0; MARK];
            mark[..8].copy_from_slice(&self.number.to_le_bytes());
            mark[8..].copy_from_slice(&piece.to_le_bytes());
            to.write_all(&mark)?;
            to.write_all(&self.common)?;
        }
        Ok(())
    }
}

/// An image of a few hundred bytes: a configuration, a layer, and the manifest that names them.
pub(super) struct Tiny {
    pub(super) blobs: [(Digest, Vec<u8>); 2],
    pub(super) manifest: String,
}

impl Tiny {
    pub(super) fn new() -> Self {
        let name = uuid::Uuid::new_v4();
        let of = |bytes: Vec<u8>| (Digest::sha256(&bytes), bytes);
        let config = json!({ "architecture": "amd64", "os": "linux", "config": { "Labels": { "name": name } }, "rootfs": { "type": "layers", "diff_ids": [] } });
        let blobs = [of(config.to_string().into_bytes()), of(format!("the only layer of {name}").into_bytes())];
        let described = |media_type: &str, (digest, bytes): &(Digest, Vec<u8>)| json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
            "config": described("application/vnd.oci.image.config.v1+json", &blobs[0]),
            "layers": [described("application/vnd.oci.image.layer.v1.tar", &blobs[1])],
        });
        Self { manifest: manifest.to_string(), blobs }
    }
}
