//! Arguments of `install-deps`.

use std::path::PathBuf;

use clap::Args;

use super::OutputFormat;

#[derive(Debug, Args)]
pub struct InstallArgs {
    /// Where the files are: a folder, or the address of one, such as a mirror or a release's download page.
    #[arg(long, value_name = "URL|FOLDER")]
    pub from: String,
    /// The file with names, versions and SHA-256 of what may be installed. Without it, what is found is shown and asked about.
    #[arg(long, value_name = "FILE")]
    pub pins: Option<PathBuf>,
    /// Where it is installed. Default: /usr/local/lib/bencher, where `runner` looks by itself.
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
    /// Without pins: the release of Firecracker to install. Default: the newest that this version supports, or that of the folder.
    #[arg(long, value_name = "VERSION", conflicts_with = "pins")]
    pub firecracker_version: Option<String>,
    /// Without pins: the name of the guest's kernel among the files. Default: the only one of the folder; none from an address.
    #[arg(long, value_name = "NAME", conflicts_with = "pins")]
    pub kernel: Option<String>,
    /// Without pins: install what is found without asking. Compare the hashes of --dry-run first.
    #[arg(long)]
    pub yes: bool,
    /// Fetch and check, say what would be installed, and install nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// How to print it.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub format: OutputFormat,
}
