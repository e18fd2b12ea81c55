use super::*;

const HASH: &str = "45d78258e495044a551046f50604da3c893052ce";

fn check(name: &str, pattern_text: &str, expected: (Option<&str>, Option<&str>)) {
    let found = Found::of(Path::new("folder").join(name).as_path(), &pattern(pattern_text).unwrap());
    let time = found.time.map(|time| time.to_string());
    assert_eq!((found.hash.as_deref(), time.as_deref()), expected, "{name}");
}

#[test]
fn a_name_says_which_commit_and_when() {
    let default = "(?<hash>[0-9a-f]{40})";
    check(&format!("{HASH}.json"), default, (Some(HASH), None));
    check(&format!("run-{HASH}-linux.json"), default, (Some(HASH), None));
    check("45d7825.json", default, (None, None));
    let both = "^(?<time>[^_]+)_(?<hash>[0-9a-fA-F]+)";
    check("2024-03-01_45D7825.json", both, (Some("45d7825"), Some("2024-03-01T00:00:00Z")));
    check("1709294400_45d7825.json", both, (Some("45d7825"), Some("2024-03-01T12:00:00Z")));
    check("2024-03-01T12:00:00+01:00_abc.json", both, (None, Some("2024-03-01T11:00:00Z")));
    check("yesterday_45d7825.json", both, (Some("45d7825"), None));
}

#[test]
fn a_pattern_must_find_something() {
    assert!(matches!(pattern("(").unwrap_err(), ImportError::Pattern { source: Some(_) }));
    assert!(matches!(pattern("[0-9a-f]{40}").unwrap_err(), ImportError::Pattern { source: None }));
    assert!(pattern(r"(?<time>\d+)").is_ok());
}

#[test]
fn what_git_does_not_know_needs_a_whole_hash_and_a_time() {
    let resolve = |hash: Option<&str>, time: Option<&str>| {
        let found = Found { hash: hash.map(str::to_owned), time: time.and_then(moment) };
        found.resolved(&Commits::default()).map(|(hash, _)| hash.is_some()).map_err(|error| error.to_string())
    };
    assert_eq!(resolve(Some(HASH), Some("2024-03-01")), Ok(true));
    assert_eq!(resolve(None, Some("2024-03-01")), Ok(false));
    assert!(resolve(Some("45d7825"), Some("2024-03-01")).unwrap_err().contains("40 digits are needed"));
    assert!(resolve(Some(HASH), None).unwrap_err().contains("git does not know when"));
    assert!(resolve(None, None).unwrap_err().contains("no commit and no time"));
}
