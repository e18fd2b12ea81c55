use bencher_types::wire::{
    job::WaitReason::{self, Busy, Closed, Labels, Next, NoRunner, Offline, OrganizationLimit, ProjectLimit, Scope, SourceLimit},
    runner::{RunnerMode, RunnerState},
};

use super::{in_words, why_it_waits};
use crate::{
    schedule::Share,
    store::waiting::{RunnerOfSpec, Waiting},
};

const FIT: RunnerOfSpec =
    RunnerOfSpec { state: RunnerState::Running, mode: RunnerMode::Active, has_labels: true, in_scope: true };

fn waiting(runners: &[RunnerOfSpec]) -> Waiting {
    let share = Share { id: 1, in_flight: 2, served: 0, max_jobs: None };
    Waiting { lanes: Vec::new(), own: None, waiting: 1, organization: share, project: share, runners: runners.to_vec() }
}

fn check(runners: &[RunnerOfSpec], expected: WaitReason) {
    assert_eq!(why_it_waits(&waiting(runners), false), expected, "{runners:?}");
}

#[test]
fn a_waiting_job_says_what_would_have_to_change() {
    check(&[], NoRunner);
    check(&[RunnerOfSpec { has_labels: false, ..FIT }], Labels);
    check(&[RunnerOfSpec { in_scope: false, ..FIT }, RunnerOfSpec { has_labels: false, ..FIT }], Scope);
    check(&[RunnerOfSpec { mode: RunnerMode::Quarantined, ..FIT }], Closed);
    check(&[RunnerOfSpec { state: RunnerState::Offline, ..FIT }], Offline);
    check(&[FIT, RunnerOfSpec { mode: RunnerMode::Locked, state: RunnerState::Idle, ..FIT }], Busy);
    check(&[FIT, RunnerOfSpec { state: RunnerState::Idle, ..FIT }], Next);
}

#[test]
fn a_job_that_a_bound_holds_up_says_which() {
    let full = |share: Share| Share { max_jobs: Some(2), ..share };
    let mut of_organization = waiting(&[FIT]);
    of_organization.organization = full(of_organization.organization);
    assert_eq!(why_it_waits(&of_organization, true), OrganizationLimit);
    let mut of_project = waiting(&[FIT]);
    of_project.project = full(of_project.project);
    assert_eq!(why_it_waits(&of_project, true), ProjectLimit);
    assert_eq!(why_it_waits(&waiting(&[FIT]), true), SourceLimit);
}

#[test]
fn the_words_fit_the_number_of_runners() {
    assert_eq!(in_words(NoRunner, "small", 0), "no runner serves the spec small; an admin can add it to one");
    assert_eq!(in_words(Offline, "small", 1), "the 1 runner of the spec small is offline");
    assert_eq!(in_words(Offline, "small", 3), "the 3 runners of the spec small are offline");
    assert_eq!(in_words(Busy, "small", 3), "the 3 runners of the spec small are busy or offline");
    assert_eq!(in_words(Next, "small", 3), "a runner of the spec small is about to take the job");
}
