//! Where the workspace is.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The folder of the workspace's manifest. Cargo tells it at run time, so a moved checkout works without a rebuild.
pub(crate) fn root() -> PathBuf {
    let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest_dir.parent().map_or_else(|| manifest_dir.clone(), Path::to_path_buf)
}
