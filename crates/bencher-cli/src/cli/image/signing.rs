//! Arguments of `image signatures` and `image policy`.

use std::{convert::Infallible, path::PathBuf, str::FromStr};

use bencher_types::{ImageRef, ResourceId, ResourceName};
use clap::{Args, Subcommand};

use crate::cli::Sure;

/// Show what an image is signed with, and whether jobs run it.
///
/// Lists signatures and attestations that refer to the image, to an index that lists it, and to images that it lists, and says of each
/// whether a key of the project made it.
#[derive(Debug, Args)]
pub(crate) struct Signatures {
    /// Such as shop:v1, shop/http:v1 or shop@sha256:…
    pub image: ImageRef,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Show the keys that a project trusts
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
    },
    /// Let a project's jobs run only what one of these keys signed
    Set {
        /// The project's slug or UUID
        project: ResourceId,
        /// A file with a public key in PEM, and what to call it; all keys that count, since those of before do not
        #[arg(long = "public-key", value_name = "[NAME=]FILE", required = true)]
        keys: Vec<KeyFile>,
        /// Let jobs run anything, and only show whose signatures there are
        #[arg(long)]
        not_required: bool,
    },
    /// Let a project's jobs run any image again
    #[command(alias = "rm")]
    Remove {
        /// The project's slug or UUID
        project: ResourceId,
        #[command(flatten)]
        sure: Sure,
    },
}

/// A file with a public key, `[NAME=]FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyFile {
    pub name: Option<ResourceName>,
    pub file: PathBuf,
}

impl FromStr for KeyFile {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let named = text.split_once('=').and_then(|(name, file)| Some((name.parse().ok()?, file)));
        Ok(match named {
            Some((name, file)) => Self { name: Some(name), file: file.into() },
            None => Self { name: None, file: text.into() },
        })
    }
}
