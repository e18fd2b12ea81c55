use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    JobEvent::{self, Cancel, Claim, Complete, Fail, FailProcessing, Process, Release, Retry, Start},
    JobStatus::{self, Canceled, Claimed, Completed, Failed, Pending, Processed, Running},
    Transition,
};

const EVENTS: [JobEvent; 9] = [Claim, Release, Start, Complete, Fail, Retry, Cancel, Process, FailProcessing];

fn check(from: JobStatus, event: JobEvent, expected: &str) {
    let found = match from.apply(event) {
        Ok(Transition::To(to)) => format!("to {to}"),
        Ok(Transition::Unchanged) => "unchanged".to_owned(),
        Err(denied) => denied.to_string(),
    };
    assert_eq!(found, expected);
}

#[test]
fn a_job_goes_its_way() {
    check(Pending, Claim, "to claimed");
    check(Claimed, Start, "to running");
    check(Running, Complete, "to completed");
    check(Completed, Process, "to processed");
}

#[test]
fn a_job_that_was_not_received_goes_back_to_the_queue() {
    check(Claimed, Release, "to pending");
    check(Running, Release, "cannot apply Release to a running job");
}

#[test]
fn a_late_result_completes_a_failed_job() {
    check(Failed, Complete, "to completed");
}

#[test]
fn a_late_result_completes_a_released_job() {
    check(Pending, Complete, "to completed");
}

#[test]
fn a_result_counts_even_where_the_start_was_lost() {
    check(Claimed, Complete, "to completed");
}

#[test]
fn what_a_runner_failed_can_be_tried_again() {
    check(Claimed, Retry, "to pending");
    check(Running, Retry, "to pending");
    check(Failed, Retry, "to pending");
    check(Pending, Retry, "unchanged");
    check(Pending, Fail, "cannot apply Fail to a pending job");
    check(Processed, Retry, "cannot apply Retry to a processed job");
}

#[test]
fn canceled_is_final() {
    check(Canceled, Start, "cannot apply Start to a canceled job");
    check(Canceled, Complete, "unchanged");
    check(Canceled, Fail, "unchanged");
    check(Canceled, Retry, "cannot apply Retry to a canceled job");
}

#[test]
fn a_job_can_be_canceled_until_its_results_are_in() {
    check(Pending, Cancel, "to canceled");
    check(Claimed, Cancel, "to canceled");
    check(Running, Cancel, "to canceled");
    check(Completed, Cancel, "cannot apply Cancel to a completed job");
    check(Processed, Cancel, "cannot apply Cancel to a processed job");
}

#[test]
fn results_that_cannot_be_processed_fail_the_job() {
    check(Completed, FailProcessing, "to failed");
}

#[test]
fn numbers_and_names_round_trip() {
    for status in JobStatus::ALL {
        assert_eq!(JobStatus::from_number(status.number()), Some(status));
        assert_eq!(status.as_str().parse(), Ok(status));
    }
    assert_eq!(JobStatus::from_number(7), None);
}

/// The paths through the states, as written in the contract: where a job may be after it was in another status.
fn may_follow(from: JobStatus, to: JobStatus) -> bool {
    match from {
        Pending => matches!(to, Claimed | Completed | Canceled),
        Claimed => matches!(to, Pending | Running | Completed | Failed | Canceled),
        Running => matches!(to, Pending | Completed | Failed | Canceled),
        Completed => matches!(to, Processed | Failed),
        Failed => matches!(to, Pending | Completed),
        Processed | Canceled => false,
    }
}

proptest! {
    #[test]
    fn every_history_follows_the_contract(events in vec(select(EVENTS.to_vec()), 0..40)) {
        let mut status = Pending;
        for event in events {
            match status.apply(event) {
                Ok(Transition::To(to)) => {
                    prop_assert!(may_follow(status, to), "{status} -> {to} by {event:?}");
                    status = to;
                }
                Ok(Transition::Unchanged) | Err(_) => {}
            }
        }
    }

    #[test]
    fn a_terminal_message_may_be_repeated(from in select(JobStatus::ALL.to_vec()), event in select(vec![Complete, Fail, Cancel])) {
        if let Ok(Transition::To(to)) = from.apply(event) {
            prop_assert_eq!(to.apply(event), Ok(Transition::Unchanged));
        }
    }
}
