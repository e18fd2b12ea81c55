//! Arguments of what results are filed under: `branch`, `testbed`, `benchmark`, `measure`, `archive` and `unarchive`.

use bencher_types::{BenchmarkName, BranchName, HeadUuid, NameId, ResourceId, ResourceName, Slug};
use clap::{Args, Subcommand};

use super::{Filter, Shelf, Sure, run::StartPoint};

/// Arguments of a list of things in a project.
#[derive(Debug, Args)]
pub(crate) struct DimensionList {
    /// The project's slug or UUID
    pub project: ResourceId,
    /// Only what is archived
    #[arg(long)]
    pub archived: bool,
    #[command(flatten)]
    pub filter: Filter,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Branch {
    /// List branches
    #[command(alias = "ls")]
    List(DimensionList),
    /// Create a branch
    #[command(alias = "add")]
    Create {
        /// The project's slug or UUID
        project: ResourceId,
        /// Its name
        #[arg(long)]
        name: BranchName,
        /// Its name in URLs; made from the name if absent
        #[arg(long)]
        slug: Option<Slug>,
        #[command(flatten)]
        start_point: StartPoint,
    },
    /// Show a branch
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The branch's slug or UUID
        branch: ResourceId,
        /// One of its earlier heads (UUID) instead of the current one
        #[arg(long, value_name = "UUID")]
        head: Option<HeadUuid>,
    },
    /// Change a branch
    #[command(alias = "edit")]
    Update {
        /// The project's slug or UUID
        project: ResourceId,
        /// The branch's slug or UUID
        branch: ResourceId,
        /// A new name
        #[arg(long)]
        name: Option<BranchName>,
        /// A new name in URLs
        #[arg(long)]
        slug: Option<Slug>,
        #[command(flatten)]
        shelf: Shelf,
        #[command(flatten)]
        start_point: StartPoint,
    },
    /// Delete a branch; `bencher archive` only puts it away
    #[command(alias = "rm")]
    Delete {
        /// The project's slug or UUID
        project: ResourceId,
        /// The branch's slug or UUID
        branch: ResourceId,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Testbed {
    /// List testbeds
    #[command(alias = "ls")]
    List(DimensionList),
    /// Create a testbed
    #[command(alias = "add")]
    Create {
        /// The project's slug or UUID
        project: ResourceId,
        /// Its name
        #[arg(long)]
        name: ResourceName,
        /// Its name in URLs; made from the name if absent
        #[arg(long)]
        slug: Option<Slug>,
        /// The spec of its jobs (slug or UUID)
        #[arg(long)]
        spec: Option<ResourceId>,
    },
    /// Show a testbed
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The testbed's slug or UUID
        testbed: ResourceId,
        /// As it is with this spec (slug or UUID) instead of its own
        #[arg(long)]
        spec: Option<ResourceId>,
    },
    /// Change a testbed
    #[command(alias = "edit")]
    Update {
        /// The project's slug or UUID
        project: ResourceId,
        /// The testbed's slug or UUID
        testbed: ResourceId,
        /// A new name
        #[arg(long)]
        name: Option<ResourceName>,
        /// A new name in URLs
        #[arg(long)]
        slug: Option<Slug>,
        /// Another spec of its jobs (slug or UUID)
        #[arg(long, conflicts_with = "remove_spec")]
        spec: Option<ResourceId>,
        /// Its jobs have no spec of their own any more
        #[arg(long)]
        remove_spec: bool,
        #[command(flatten)]
        shelf: Shelf,
    },
    /// Delete a testbed; `bencher archive` only puts it away
    #[command(alias = "rm")]
    Delete {
        /// The project's slug or UUID
        project: ResourceId,
        /// The testbed's slug or UUID
        testbed: ResourceId,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Benchmark {
    /// List benchmarks
    #[command(alias = "ls")]
    List(DimensionList),
    /// Create a benchmark
    #[command(alias = "add")]
    Create {
        /// The project's slug or UUID
        project: ResourceId,
        /// Its name
        #[arg(long)]
        name: BenchmarkName,
        /// Its name in URLs; made from the name if absent
        #[arg(long)]
        slug: Option<Slug>,
    },
    /// Show a benchmark
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The benchmark's slug or UUID
        benchmark: ResourceId,
    },
    /// Change a benchmark
    #[command(alias = "edit")]
    Update {
        /// The project's slug or UUID
        project: ResourceId,
        /// The benchmark's slug or UUID
        benchmark: ResourceId,
        /// A new name
        #[arg(long)]
        name: Option<BenchmarkName>,
        /// A new name in URLs
        #[arg(long)]
        slug: Option<Slug>,
        #[command(flatten)]
        shelf: Shelf,
    },
    /// Delete a benchmark; `bencher archive` only puts it away
    #[command(alias = "rm")]
    Delete {
        /// The project's slug or UUID
        project: ResourceId,
        /// The benchmark's slug or UUID
        benchmark: ResourceId,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Measure {
    /// List measures
    #[command(alias = "ls")]
    List(DimensionList),
    /// Create a measure
    #[command(alias = "add")]
    Create {
        /// The project's slug or UUID
        project: ResourceId,
        /// Its name
        #[arg(long)]
        name: ResourceName,
        /// Its name in URLs; made from the name if absent
        #[arg(long)]
        slug: Option<Slug>,
        /// Its unit, such as `nanoseconds (ns)`
        #[arg(long)]
        units: ResourceName,
    },
    /// Show a measure
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The measure's slug or UUID
        measure: ResourceId,
    },
    /// Change a measure
    #[command(alias = "edit")]
    Update {
        /// The project's slug or UUID
        project: ResourceId,
        /// The measure's slug or UUID
        measure: ResourceId,
        /// A new name
        #[arg(long)]
        name: Option<ResourceName>,
        /// A new name in URLs
        #[arg(long)]
        slug: Option<Slug>,
        /// Another unit, such as `nanoseconds (ns)`
        #[arg(long)]
        units: Option<ResourceName>,
        #[command(flatten)]
        shelf: Shelf,
    },
    /// Delete a measure; `bencher archive` only puts it away
    #[command(alias = "rm")]
    Delete {
        /// The project's slug or UUID
        project: ResourceId,
        /// The measure's slug or UUID
        measure: ResourceId,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Archive {
    /// The project's slug or UUID
    #[arg(long, env = "BENCHER_PROJECT")]
    pub project: ResourceId,
    #[command(flatten)]
    pub what: ArchiveWhat,
}

/// At least one thing.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct ArchiveWhat {
    /// A branch (name, slug or UUID); may be repeated
    #[arg(long)]
    pub branch: Vec<NameId>,
    /// A testbed (name, slug or UUID); may be repeated
    #[arg(long)]
    pub testbed: Vec<NameId>,
    /// A benchmark (name, slug or UUID); may be repeated
    #[arg(long)]
    pub benchmark: Vec<NameId>,
    /// A measure (name, slug or UUID); may be repeated
    #[arg(long)]
    pub measure: Vec<NameId>,
}
