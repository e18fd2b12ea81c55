//! Where a merged tree is written to.

use tokio_util::sync::CancellationToken;

use crate::merge::Tree;

pub mod ext4;

/// A writer of whole trees.
///
/// A sink gets the tree sealed, so it may count and lay out everything before it writes the first byte, and visit inodes in
/// the order its format wants. Names in a tree are single path components; contents are read through
/// [`crate::merge::Content`]. Writing blocks; a sink looks at `cancel` at least once per file and once per mebibytes.
pub trait TreeSink {
    /// What is known when it is done.
    type Written;
    type Error;

    /// Writes the tree. After an error the target is unusable and its owner removes it.
    ///
    /// # Errors
    /// As the sink defines.
    fn write(self, tree: &Tree, cancel: &CancellationToken) -> Result<Self::Written, Self::Error>;
}
