//! Arguments of `project registry` and `organization registry`.

use bencher_types::{ResourceId, oci::benchmark::Bytes, wire::registry::RetentionRules};
use clap::{Args, Subcommand};

use super::Sure;

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectRegistry {
    /// Show how much the registry holds for a project, and may hold
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
    },
    /// Show which images a project keeps, or change that
    ///
    /// What none of the rules keeps is deleted when the server next tidies its registry. Rules that are not given are dropped.
    Retention {
        /// The project's slug or UUID
        project: ResourceId,
        #[command(flatten)]
        rules: Rules,
        /// Change nothing: show what these rules would delete now
        #[arg(long, requires = "rules")]
        preview: bool,
        #[command(flatten)]
        sure: Sure,
    },
    /// Set how much the registry may hold for a project (server admins only)
    Quota {
        /// The project's slug or UUID
        project: ResourceId,
        #[command(flatten)]
        quota: Quota,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrganizationRegistry {
    /// Show how much the registry holds for an organization, and may hold
    #[command(alias = "get")]
    View {
        /// The organization's slug or UUID
        organization: ResourceId,
    },
    /// Set how much the registry may hold for an organization (server admins only)
    Quota {
        /// The organization's slug or UUID
        organization: ResourceId,
        #[command(flatten)]
        quota: Quota,
    },
}

/// Which images a project keeps.
#[derive(Clone, Copy, Debug, Args)]
#[group(id = "rules", multiple = true)]
pub(crate) struct Rules {
    /// Keep the tags of each repository that were pushed last, so many
    #[arg(long, value_name = "N", conflicts_with = "keep_all", value_parser = clap::value_parser!(u32).range(1..))]
    keep_tags: Option<u32>,
    /// Keep what was pushed in the last so many days
    #[arg(long, value_name = "DAYS", conflicts_with = "keep_all", value_parser = clap::value_parser!(u32).range(1..))]
    keep_days: Option<u32>,
    /// Keep what jobs of the last so many days ran
    #[arg(long, value_name = "DAYS", conflicts_with = "keep_all", value_parser = clap::value_parser!(u32).range(1..))]
    keep_used_days: Option<u32>,
    /// Keep everything
    #[arg(long)]
    keep_all: bool,
}

impl Rules {
    /// The rules that were given; `None` where nobody wants to change them.
    pub(crate) fn given(self) -> Option<RetentionRules> {
        let Self { keep_tags, keep_days, keep_used_days, keep_all } = self;
        let rules = RetentionRules { keep_tags, keep_days, keep_used_days };
        (keep_all || rules != RetentionRules::default()).then_some(rules)
    }
}

/// How much the registry may hold.
#[derive(Clone, Copy, Debug, Args)]
#[group(id = "quota_of_registry", required = true, multiple = false)]
pub(crate) struct Quota {
    /// So many bytes, such as 500Gi
    #[arg(long, value_name = "SIZE")]
    bytes: Option<Bytes>,
    /// What the server's configuration says
    #[arg(long)]
    default: bool,
}

impl Quota {
    /// `None` is the server's own.
    pub(crate) fn bytes(self) -> Option<u64> {
        self.bytes.filter(|_| !self.default).map(|bytes| bytes.0)
    }
}
