//! Arguments of a run in CI: what is told to the change that is being tested.

use clap::Args;

use bencher_types::Secret;

/// What a run in CI does beside storing its results.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running in CI")]
pub(crate) struct Ci {
    /// Go on although no project is named; the server then makes one where the environment says CI=true
    #[arg(long)]
    pub ci_on_the_fly: bool,
    /// Tell GitHub of the results, with this token (such as ${{ secrets.GITHUB_TOKEN }}): a comment on the pull request, a check of the
    /// commit, the job's summary, and an annotation for each alert
    #[arg(long, value_name = "TOKEN", hide_env_values = true)]
    pub github_actions: Option<Secret>,
    /// Comment only where a threshold guards a result
    #[arg(long, requires = "github_actions")]
    pub ci_only_thresholds: bool,
    /// Begin to comment only once there is an active alert
    #[arg(long, requires = "github_actions")]
    pub ci_only_on_alert: bool,
    /// Link to pages that anybody may see, not to the console
    #[arg(long, requires = "github_actions")]
    pub ci_public_links: bool,
    /// Tells this comment from others on the same pull request; project, testbed and adapter if absent
    #[arg(long, value_name = "ID", requires = "github_actions")]
    pub ci_id: Option<String>,
    /// The number of the pull request or issue; the one of the event if absent
    #[arg(long, value_name = "N", requires = "github_actions")]
    pub ci_number: Option<u64>,
    /// Run even though a fork's pull request triggered a workflow that sees this repository's secrets
    #[arg(long, hide = true, requires = "github_actions")]
    pub ci_i_am_vulnerable_to_pwn_requests: bool,
    #[command(flatten)]
    pub environment: CiEnvironment,
}

/// What a CI system tells every program that it starts.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CiEnvironment {
    #[arg(long, hide = true, env = "CI")]
    pub ci: Option<String>,
    #[arg(long, hide = true, env = "GITHUB_API_URL")]
    pub github_api_url: Option<String>,
    #[arg(long, hide = true, env = "GITHUB_EVENT_NAME")]
    pub github_event_name: Option<String>,
    #[arg(long, hide = true, env = "GITHUB_EVENT_PATH")]
    pub github_event_path: Option<String>,
    #[arg(long, hide = true, env = "GITHUB_SHA")]
    pub github_sha: Option<String>,
    #[arg(long, hide = true, env = "GITHUB_STEP_SUMMARY")]
    pub github_step_summary: Option<String>,
    #[arg(long, hide = true, env = "GITHUB_REPOSITORY")]
    pub github_repository: Option<String>,
}
