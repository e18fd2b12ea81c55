//! Images that no builder makes: layers, documents and files of a layout, each of which may lie.

use std::{collections::BTreeMap, fs, path::Path};

use bencher_types::Digest;
use serde_json::{Value, json};

use crate::support::{Layer, gzip, zstd};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A layer's blob, and what the documents say of it.
pub(super) struct Packed {
    pub(super) blob: Vec<u8>,
    pub(super) diff_id: String,
}

impl Packed {
    /// A blob that unpacks to `tar`.
    pub(super) fn new(blob: Vec<u8>, tar: &[u8]) -> Self {
        Self { blob, diff_id: Digest::sha256(tar).to_string() }
    }

    /// Each form takes part: which one is told by the layer's place.
    fn of(place: usize, layer: Layer) -> Self {
        let tar = layer.tar();
        match place % 3 {
            0 => Self::new(gzip(&tar), &tar),
            1 => Self::new(zstd(&tar), &tar),
            _ => Self::new(tar.clone(), &tar),
        }
    }
}

type Edit = Box<dyn FnOnce(&mut Value)>;

/// An image that is well-formed but for what was changed.
#[derive(Default)]
pub(super) struct Draft {
    layers: Vec<Packed>,
    config: Option<Edit>,
    manifest: Option<Edit>,
    index: Option<Edit>,
    config_bytes: Option<Vec<u8>>,
    manifest_bytes: Option<Vec<u8>>,
    index_bytes: Option<Vec<u8>>,
    files: Vec<(String, Option<Vec<u8>>)>,
    /// Indexes put between the layout's own and the manifest.
    indexes: usize,
}

impl Draft {
    pub(super) fn packed(layers: Vec<Packed>) -> Self {
        Self { layers, ..Self::default() }
    }

    pub(super) fn layers(layers: Vec<Layer>) -> Self {
        Self::packed(layers.into_iter().enumerate().map(|(place, layer)| Packed::of(place, layer)).collect())
    }

    /// An ordinary image of one file.
    pub(super) fn plain() -> Self {
        Self::layers(vec![Layer::new().file("a", "1")])
    }

    pub(super) fn config(mut self, edit: impl FnOnce(&mut Value) + 'static) -> Self {
        self.config = Some(Box::new(edit));
        self
    }

    pub(super) fn manifest(mut self, edit: impl FnOnce(&mut Value) + 'static) -> Self {
        self.manifest = Some(Box::new(edit));
        self
    }

    pub(super) fn index(mut self, edit: impl FnOnce(&mut Value) + 'static) -> Self {
        self.index = Some(Box::new(edit));
        self
    }

    pub(super) fn config_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.config_bytes = Some(bytes.into());
        self
    }

    pub(super) fn manifest_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.manifest_bytes = Some(bytes.into());
        self
    }

    pub(super) fn index_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.index_bytes = Some(bytes.into());
        self
    }

    pub(super) fn indexes(mut self, count: usize) -> Self {
        self.indexes = count;
        self
    }

    /// A file of the layout, replaced at the end; `None` removes it.
    pub(super) fn file(mut self, path: impl Into<String>, bytes: Option<&[u8]>) -> Self {
        self.files.push((path.into(), bytes.map(<[u8]>::to_vec)));
        self
    }

    /// Where the blob of a layer lies.
    pub(super) fn layer_path(&self, layer: usize) -> String {
        blob_path(&self.layers[layer].blob)
    }

    /// Writes the image as a layout.
    pub(super) fn write(self, dir: &Path) {
        let mut files = BTreeMap::from([("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec())]);
        let mut put = |bytes: &[u8], media_type: &str| {
            files.insert(blob_path(bytes), bytes.to_vec());
            json!({ "mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len() })
        };
        let layers: Vec<Value> = self.layers.iter().map(|layer| put(&layer.blob, LAYER)).collect();
        let diff_ids: Vec<&String> = self.layers.iter().map(|layer| &layer.diff_id).collect();
        let config = json!({
            "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = put(&bytes_of(config, self.config, self.config_bytes), CONFIG);
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
        let mut root = put(&bytes_of(manifest, self.manifest, self.manifest_bytes), MANIFEST);
        for _ in 0..self.indexes {
            let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [root] });
            root = put(index.to_string().as_bytes(), INDEX);
        }
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [root] });
        files.insert("index.json".to_owned(), bytes_of(index, self.index, self.index_bytes));
        for (path, bytes) in self.files {
            match bytes {
                Some(bytes) => files.insert(path, bytes),
                None => files.remove(&path),
            };
        }
        for (path, bytes) in files {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

fn bytes_of(mut document: Value, edit: Option<Edit>, bytes: Option<Vec<u8>>) -> Vec<u8> {
    if let Some(edit) = edit {
        edit(&mut document);
    }
    bytes.unwrap_or_else(|| document.to_string().into_bytes())
}

fn blob_path(bytes: &[u8]) -> String {
    format!("blobs/sha256/{}", Digest::sha256(bytes).hex())
}
