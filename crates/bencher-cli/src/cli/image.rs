//! Arguments of `image`.

use std::path::PathBuf;

use bencher_oci::assemble::Add;
use bencher_types::{Email, ImageRef, ResourceId};
use clap::{Args, Subcommand};

use super::{Page, run::env_pair};

#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Make an image of a program or a folder, without any container tool
    Build(Box<Build>),
    /// Push an image from an OCI layout on this machine to the server
    Push(Push),
    /// List the images that a project has on the server
    #[command(alias = "ls")]
    List {
        /// The project's slug or UUID
        project: ResourceId,
        /// Only those with this text in their repository, tag or digest
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Delete a tag from the server, or by digest an image with all its tags
    #[command(alias = "rm")]
    Delete {
        /// Such as shop:v1, shop/http:v1 or shop@sha256:…
        image: ImageRef,
        #[command(flatten)]
        login: Login,
    },
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
    /// What to call it: the project, folders below it, a tag; such as shop:v1 or shop/http:v1
    pub image: ImageRef,
    /// The OCI image layout that has it; where `image build` left it if absent
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    #[command(flatten)]
    pub login: Login,
}

/// Make an image of a program or a folder, without any container tool.
///
/// A program gets its loader and its shared libraries beside it, found as its loader finds them. The same input gives the same
/// digest.
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// Programs (ELF files; the first is the entrypoint), or one folder that becomes the image's root
    #[arg(required = true, value_name = "PATH")]
    pub sources: Vec<PathBuf>,
    /// What to call it: the project, folders below it, a tag; such as shop:v1 or shop/http:v1
    #[arg(short = 't', long = "tag", value_name = "IMAGE")]
    pub image: ImageRef,
    /// Put a file or folder into it; a program among them gets its libraries, too; may be repeated
    #[arg(long, value_name = "SRC:DEST")]
    pub add: Vec<Add>,
    /// A word of the entrypoint; repeat it for further words
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    pub entrypoint: Vec<String>,
    /// A word of the command, which follows the entrypoint; repeat it for further words
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    pub cmd: Vec<String>,
    /// A variable of its environment; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = env_pair)]
    pub env: Vec<(String, String)>,
    /// The folder it starts in
    #[arg(long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// The user it runs as: a name or number, and a group after a colon
    #[arg(long)]
    pub user: Option<String>,
    /// A label; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = env_pair)]
    pub label: Vec<(String, String)>,
    /// The time of everything in it, in seconds since 1970
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS", default_value_t = 0)]
    pub timestamp: i64,
    /// Put it into this OCI image layout, made if there is none; into one of bencher's own cache if absent
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Push it, too
    #[arg(long)]
    pub push: bool,
    #[command(flatten)]
    pub login: Login,
}
