//! Arguments of `profile`.

use bencher_types::ResourceId;
use clap::Subcommand;

/// Servers and credentials under a name, so that nobody has to repeat them.
///
/// A profile is chosen with --profile or BENCHER_PROFILE, else by `bencher profile use`. Flags win over variables of the
/// environment, and those over the profile. Profiles are kept in bencher/config.toml below XDG_CONFIG_HOME or ~/.config;
/// BENCHER_CONFIG_FILE names another file.
#[derive(Debug, Subcommand)]
pub(crate) enum Profile {
    /// List profiles
    #[command(alias = "ls")]
    List,
    /// Create a profile, or change what is given: --host, --token or --key, --project
    Set {
        /// What to call it
        name: String,
        /// The project of commands that are given none
        #[arg(long, value_name = "PROJECT")]
        project: Option<ResourceId>,
    },
    /// Use a profile wherever none is named
    Use {
        /// Which
        name: String,
    },
    /// Delete a profile
    #[command(alias = "rm")]
    Delete {
        /// Which
        name: String,
    },
    /// Print where profiles are kept
    Path,
}
