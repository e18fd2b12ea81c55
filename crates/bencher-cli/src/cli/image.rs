//! Arguments of `image`.

use std::path::PathBuf;

use bencher_types::{Email, ImageRef};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Push an image from an OCI layout on this machine to the server
    Push(Push),
}

/// Where images are kept on this machine.
#[derive(Debug, Args)]
pub(crate) struct Folder {
    /// The folder (an OCI image layout); one of bencher's own cache if absent
    #[arg(id = "layout", long = "from", value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Who we are to the registry.
#[derive(Clone, Debug, Args)]
pub(crate) struct Login {
    /// The e-mail address that belongs to the key or token, for registries that ask for it
    #[arg(long, env = "BENCHER_EMAIL")]
    pub email: Option<Email>,
}

#[derive(Debug, Args)]
pub(crate) struct Push {
    /// What to call it: PROJECT[/NAME][:TAG]
    pub image: ImageRef,
    #[command(flatten)]
    pub from: Folder,
    #[command(flatten)]
    pub login: Login,
}
