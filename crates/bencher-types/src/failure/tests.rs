use super::JobFailure::{self, Image, Infrastructure, Timeout, User};
use crate::wire::channel::FromRunner;

fn check(error: &str, expected: JobFailure) {
    assert_eq!(JobFailure::of_message(error), expected, "{error}");
}

#[test]
fn what_an_older_runner_says_tells_the_class() {
    check("Benchmark exited with non-zero exit code: 3", User);
    check("warm-up run 1 of 2 failed: Benchmark was killed by signal 9 (SIGKILL)", User);
    check("Benchmark did not finish within 60 seconds", Timeout);
    check("Failed to start Firecracker: no such file", Infrastructure);
    check("could not fetch the image shop:v1", Image);
    check("something that nobody has heard of", User);
}

#[test]
fn names_round_trip() {
    for class in JobFailure::ALL {
        assert_eq!(class.as_str().parse(), Ok(class));
    }
    assert!("sabotage".parse::<JobFailure>().is_err());
}

#[test]
fn a_class_that_nobody_knows_yet_costs_no_result() {
    let read = |class: &str| {
        let job = "00000000-0000-4000-8000-000000000001";
        let text = format!(r#"{{"event":"failed","job":"{job}","results":[],"error":"no"{class}}}"#);
        match serde_json::from_str(&text) {
            Ok(FromRunner::Failed { failure, .. }) => failure,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(r#","failure":"image""#), Some(Image));
    assert_eq!(read(r#","failure":"sabotage""#), None);
    assert_eq!(read(r#","failure":null"#), None);
    assert_eq!(read(""), None);
}
