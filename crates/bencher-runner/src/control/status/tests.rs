use super::{JobStatus, State, Status};
use crate::{clock, job::progress::Step};

fn status(state: State) -> Status {
    Status {
        state,
        connected: state != State::Connecting,
        job: None,
        server: "http://localhost:6610/".to_owned(),
        runner: "box".to_owned(),
        version: "1.0.0".to_owned(),
        pid: 1,
        started: clock::today(),
        last_contact: None,
        problem: None,
        spooled_results: 0,
    }
}

#[test]
fn a_status_reads_as_one_line() {
    assert_eq!(status(State::Idle).to_string(), "idle");
    let problem = Some("no route".to_owned());
    assert_eq!(
        Status { problem, spooled_results: 2, ..status(State::Connecting) }.to_string(),
        "connecting; undelivered results: 2 (no route)"
    );
    let uuid = "00000000-0000-4000-8000-000000000000".parse().expect("an id");
    let step = Step::Running { iteration: 2, iterations: 3 };
    let job = JobStatus { uuid, claimed: clock::today(), step, canceling: true };
    let line = Status { job: Some(job), connected: false, ..status(State::Draining) }.to_string();
    assert_eq!(line, format!("draining: job {uuid}, iteration 2 of 3, canceling; not connected"));
}

#[test]
fn programs_find_the_jobs_step_beside_its_id() {
    let step = Step::Running { iteration: 1, iterations: 5 };
    let job = JobStatus { uuid: bencher_types::JobUuid::random(), claimed: clock::today(), step, canceling: false };
    let json = serde_json::to_value(Status { job: Some(job), ..status(State::Running) }).expect("it is JSON");
    assert_eq!(
        (&json["state"], &json["job"]["step"], &json["job"]["iteration"]),
        (&"running".into(), &"running".into(), &1.into())
    );
    let back: Status = serde_json::from_value(json).expect("a status");
    assert_eq!(back.job, Some(job));
}
