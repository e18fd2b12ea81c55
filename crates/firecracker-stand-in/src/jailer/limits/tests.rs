use super::*;

fn parse(texts: &[&str]) -> Result<Limits, String> {
    let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
    Limits::parse(&texts).map_err(|error| error.to_string())
}

#[test]
fn without_limits_there_is_one_of_open_files() {
    assert_eq!(parse(&[]), Ok(Limits { file_size: None, no_file: 2048 }));
}

#[test]
fn limits_are_read_by_name() {
    assert_eq!(parse(&["fsize=1000", "no-file=64"]), Ok(Limits { file_size: Some(1000), no_file: 64 }));
}

#[test]
fn what_is_no_limit_is_refused() {
    assert_eq!(parse(&["fsize"]), Err("Invalid format for resources limits: fsize".to_owned()));
    assert_eq!(parse(&["nproc=1"]), Err("Invalid resource argument: nproc".to_owned()));
    assert!(parse(&["fsize=-1"]).unwrap_err().starts_with("Invalid limit value for resource: -1"));
}
