use super::*;

#[test]
fn a_generated_key_parses_and_hashes_as_a_whole() {
    let key = RunnerKey::generate();
    assert_eq!(key.expose().parse::<RunnerKey>().as_ref(), Ok(&key));
    assert_eq!(key.hash(), KeyHash::of(key.expose()));
    assert_eq!(key.hash().as_str().len(), 64);
}

#[test]
fn a_key_of_another_kind_is_refused_without_being_shown() {
    let key = UserKey::generate();
    let error = key.expose().parse::<RunnerKey>().unwrap_err().to_string();
    assert!(!error.contains(key.expose()), "{error}");
    assert!(error.contains("bencher_runner_"), "{error}");
}

#[test]
fn secrets_do_not_print() {
    assert_eq!(format!("{:?}", RunnerKey::generate()), "RunnerKey(…)");
    assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
}

#[test]
fn secrets_are_serialized_as_they_are_unless_they_are_redacted() {
    let nested = || serde_json::to_string(&vec![Some(Secret::new("hunter2"))]).unwrap();
    assert_eq!(redacted(nested), format!("[\"{REDACTED}\"]"));
    assert_eq!(redacted(|| (redacted(nested), nested())).1, format!("[\"{REDACTED}\"]"));
    std::panic::catch_unwind(|| redacted(|| panic!("while redacting"))).unwrap_err();
    assert_eq!(nested(), r#"["hunter2"]"#);
    assert_eq!(serde_json::from_str::<Secret>(r#""hunter2""#).unwrap(), Secret::new("hunter2"));
}
