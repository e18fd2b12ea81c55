use super::*;

const WHOLE: &str = r#"
apiVersion: bencher.dev/v1
kind: BenchmarkImage
metadata:
  name: my-benchmark
  version: 1.0.0
spec:
  command: ["/benchmarks/run.sh"]
  outputFormat: "criterion"
  resources:
    vcpus: 4
    memory: "4Gi"
  timeout: "1h30m"
  env:
    - name: RUST_BACKTRACE
      value: 1
  artifacts:
    - path: /benchmarks/results/*.json
      name: results
"#;

#[test]
fn a_whole_file_is_understood() {
    let image: BenchmarkImage = WHOLE.parse().unwrap();
    assert_eq!(image.metadata.name.as_deref(), Some("my-benchmark"));
    let spec = image.spec;
    assert_eq!(spec.command.as_deref(), Some(&["/benchmarks/run.sh".to_owned()][..]));
    assert_eq!(spec.adapter(), Some(Adapter::RustCriterion));
    assert_eq!(spec.timeout.unwrap().0.get(), 5400);
    assert_eq!((spec.resources.vcpus, spec.resources.memory, spec.resources.disk), (Some(4), Some(Bytes(4 << 30)), None));
    assert_eq!((spec.env[0].name.as_str(), spec.env[0].value.as_str()), ("RUST_BACKTRACE", "1"));
    assert_eq!(spec.artifacts[0].path, "/benchmarks/results/*.json");
}

#[test]
fn everything_may_be_left_out_and_json_is_understood_too() {
    assert_eq!("spec: {}".parse::<BenchmarkImage>().unwrap().spec, BenchmarkSpec::default());
    let json = r#"{"spec": {"command": ["/a"], "timeout": 90}}"#.parse::<BenchmarkImage>().unwrap();
    assert_eq!(json.spec.timeout.unwrap().0.get(), 90);
}

#[track_caller]
fn format(text: &str, expected: Option<Adapter>) {
    let image: BenchmarkImage = format!("spec: {{outputFormat: {text}}}").parse().unwrap();
    assert_eq!(image.spec.adapter(), expected, "{text}");
}

#[test]
fn formats_have_short_names_and_those_of_the_adapters() {
    format("json", Some(Adapter::Json));
    format("bencher", Some(Adapter::Json));
    format("hyperfine", Some(Adapter::ShellHyperfine));
    format("go_bench", Some(Adapter::GoBench));
    format("custom", None);
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = text.parse::<BenchmarkImage>().unwrap_err().to_string();
    assert_eq!(error, expected, "{text}");
}

#[test]
fn a_mistake_is_told_with_its_place_what_was_expected_and_what_was_found() {
    refused(
        "spec:\n  timeout: 30x\n",
        "spec.timeout: `30x` is not valid: expected seconds, or numbers with h, m or s, such as 30m or 1h30m at line 2 column 12",
    );
    refused(
        "spec:\n  resources:\n    memory: lots\n",
        "spec.resources.memory: `lots` is not valid: expected bytes, or a number with Ki, Mi, Gi or Ti, such as 4Gi at line 3 column 13",
    );
    refused(
        "spec:\n  outputFormat: xml\n",
        "spec.outputFormat: `xml` is no output format: expected json, bencher, criterion, hyperfine, custom, or an adapter's name at line 2 column 17",
    );
    refused(
        "spec:\n  comand: [a]\n",
        "spec: unknown field `comand`, expected one of `command`, `outputFormat`, `resources`, `timeout`, `env`, `artifacts` at line 2 column 3",
    );
    refused("kind: Job\n", "kind: unknown variant `Job`, expected `BenchmarkImage` at line 1 column 7");
    for (text, expected) in [
        ("spec: {command: a b}", "expected a sequence"),
        ("spec: {command: []}", "the command is empty"),
        ("spec: {env: [{name: 'A=B', value: x}]}", "`A=B` is no variable"),
        ("spec: {env: [{name: A, value: 1.0}]}", "put it in quotes"),
        ("spec: {artifacts: [{path: a/b}]}", "`a/b` is no path of an artifact"),
        ("spec: {timeout: 0}", "0 is not a valid"),
        ("spec: [", "at line"),
    ] {
        let error = text.parse::<BenchmarkImage>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_text_that_is_too_long_is_not_read() {
    assert!(matches!("x".repeat(MAX_BENCHMARK_TEXT + 1).parse::<BenchmarkImage>(), Err(InvalidBenchmark::TooLong(_))));
}
