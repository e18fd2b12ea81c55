//! Arguments of `image`.

pub(crate) mod place;
pub(crate) mod signing;

use std::path::PathBuf;

use bencher_oci::{Platform, assemble::Add};
use bencher_types::{Email, ImageRef, ResourceId};
use clap::{Args, Subcommand};

use super::{Page, run::env_pair};

#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Make an image of a program or a folder, without any container tool
    Build(Box<Build>),
    /// Push an image to the server, from wherever it is
    Push(Box<Push>),
    /// Pull an image, from the server or another registry
    Pull(Box<Pull>),
    /// Copy an image from one place to another
    Copy(Box<Copy>),
    /// Show what is in an image, and what it runs
    View(Box<View>),
    /// List the tags of a repository, such as shop/http
    Tags {
        /// The repository, without a tag
        repository: ImageRef,
        #[command(flatten)]
        login: Login,
    },
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
    /// Show what an image is signed with, and whether jobs run it
    Signatures(signing::Signatures),
    /// Whose signatures a project's jobs need
    #[command(subcommand)]
    Policy(signing::Policy),
}

/// Who we are to the registry.
#[derive(Clone, Debug, Args)]
pub(crate) struct Login {
    /// The e-mail address that belongs to the key or token, for registries that ask for it
    #[arg(long, env = "BENCHER_EMAIL")]
    pub email: Option<Email>,
    /// The file with the log-ins for other registries, instead of where podman, skopeo and docker keep theirs
    #[arg(long, env = "REGISTRY_AUTH_FILE", value_name = "FILE")]
    pub authfile: Option<PathBuf>,
}

/// Push an image to the server, from wherever it is.
///
/// What the server has already is not sent again, and a push that was interrupted goes on where it ended.
#[derive(Debug, Args)]
#[command(after_help = place::HELP)]
pub(crate) struct Push {
    /// What to call it: the project, folders below it, a tag; such as shop:v1 or shop/http:v1
    pub image: ImageRef,
    /// Where it is; where `image build` and `image pull` leave images if absent
    #[arg(long, value_name = "PLACE")]
    pub from: Option<place::LocalPlace>,
    /// Of an image for several platforms, push the one for this platform only, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<Platform>,
    #[command(flatten)]
    pub login: Login,
}

/// Pull an image, from the server or another registry.
///
/// A pull that was interrupted goes on where it ended when it is repeated. An archive appears when it is whole, and not before.
#[derive(Debug, Args)]
#[command(after_help = place::HELP)]
pub(crate) struct Pull {
    /// The image, such as shop:v1 or docker.io/library/busybox:1.36
    #[arg(value_name = "PLACE")]
    pub from: place::Place,
    /// Where to put it, such as oci:DIR, docker-archive:FILE or engine:NAME; into a layout of bencher's own cache if absent
    #[arg(value_name = "TO")]
    pub to: Option<place::Place>,
    /// Of an image for several platforms, only the one for this platform, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<Platform>,
    #[command(flatten)]
    pub login: Login,
}

/// Copy an image from one place to another.
///
/// The image keeps its digest, unless it comes from or goes to docker or a docker archive, which have no digests.
#[derive(Debug, Args)]
#[command(after_help = place::HELP)]
pub(crate) struct Copy {
    /// Where it is
    pub from: place::Place,
    /// Where it is to be
    pub to: place::Place,
    /// Of an image for several platforms, only the one for this platform, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<Platform>,
    /// Copy what refers to it, too: signatures, attestations and the like
    #[arg(short, long)]
    pub referrers: bool,
    #[command(flatten)]
    pub login: Login,
}

/// Show what is in an image, and what it runs.
#[derive(Debug, Args)]
#[command(after_help = place::HELP)]
pub(crate) struct View {
    /// The image
    #[arg(value_name = "PLACE")]
    pub image: place::Place,
    /// Of an image for several platforms, show this one in full; this machine's if absent
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<Platform>,
    #[command(flatten)]
    pub login: Login,
}

/// Make an image of a program or a folder, without any container tool.
///
/// A program gets its loader and its shared libraries beside it, found as its loader finds them, unless it goes on top of a --base that
/// has them. The same input gives the same digest.
///
/// With --git, what is put into the image is taken from a fresh clone, after --setup was run in it: in a jail, where it sees the programs
/// of --setup-in, of --base or of this machine, may write to the clone, and reaches nothing else of this machine but its network.
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// Programs (ELF files; the first is the entrypoint), or one folder that becomes the image's root; `{arch}` (amd64) and
    /// `{machine}` (x86_64) stand for what the image is for
    #[arg(required_unless_present = "base", value_name = "PATH")]
    pub sources: Vec<PathBuf>,
    /// What to call it: the project, folders below it, a tag; such as shop:v1 or shop/http:v1
    #[arg(short = 't', long = "tag", value_name = "IMAGE")]
    pub image: ImageRef,
    /// The image that it goes on top of: docker.io/library/debian:12, oci:DIR or any other place of `image copy --help`
    #[arg(long, value_name = "PLACE")]
    pub base: Option<place::Place>,
    /// What it is for, such as linux/arm64; several make one image of several platforms; what the programs are for if absent
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Vec<Platform>,
    /// Put a file or folder into it; a program among them gets its libraries, too; may be repeated
    #[arg(long, visible_alias = "file", value_name = "SRC:DEST")]
    pub add: Vec<Add>,
    /// Take files from a fresh clone of this repository: a branch, a tag or a commit of it, else its default branch
    #[arg(long, value_name = "URL[#REF]")]
    pub git: Option<GitSource>,
    /// What to run in the clone before files are taken from it, such as "cargo build --release"
    #[arg(long, value_name = "COMMAND", requires = "git")]
    pub setup: Option<String>,
    /// The image whose programs --setup runs, such as docker.io/library/rust:1; --base, or this machine's /usr, if absent
    #[arg(long, value_name = "PLACE", requires = "setup")]
    pub setup_in: Option<place::Place>,
    /// Run --setup without a network
    #[arg(long, requires = "setup")]
    pub no_network: bool,
    /// Run --setup without a jail: on this machine, as you, with everything that you may do
    #[arg(long, requires = "setup", conflicts_with_all = ["setup_in", "no_network"])]
    pub setup_on_host: bool,
    /// What the image says of its benchmark; bencher-image.yaml in the clone or the folder, if there is one
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
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

/// A repository and what of it is wanted, `URL[#REF]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GitSource {
    pub url: String,
    pub reference: Option<String>,
}

impl std::str::FromStr for GitSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (url, reference) = match text.rsplit_once('#') {
            Some((url, reference)) => (url, Some(reference)),
            None => (text, None),
        };
        // What begins like a flag would be one to git.
        if url.is_empty() || url.starts_with('-') || reference.is_some_and(|name| name.is_empty() || name.starts_with('-')) {
            return Err(format!("`{text}` is no repository: expected URL or URL#REF, such as https://example.com/shop.git#v1"));
        }
        Ok(Self { url: url.to_owned(), reference: reference.map(str::to_owned) })
    }
}
