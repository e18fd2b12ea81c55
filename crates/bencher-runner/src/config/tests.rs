use std::{path::PathBuf, time::Duration};

use clap::{CommandFactory as _, Parser as _};

use super::{ConfigError, OnShutdown, UpConfig, env_pair, usual_data_dir};
use crate::cli::{Cli, Command};

const KEY: &str = "bencher_runner_abcdefghijklmnopqrstuvwxyz0123";

fn up(args: &[&str]) -> Result<UpConfig, ConfigError> {
    let args = ["runner", "up", "--runner", "my-runner"].iter().chain(args);
    match Cli::try_parse_from(args).expect("the arguments parse").command {
        Command::Up(args) => UpConfig::new(&args),
        _ => unreachable!("`up` was asked for"),
    }
}

fn parse_error(args: &[&str]) -> String {
    Cli::try_parse_from(args).expect_err("the arguments do not parse").to_string()
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn defaults_are_those_of_the_guide_and_of_no_third_partys_server() {
    let config = up(&["--key", KEY, "--data-dir", "/data"]).expect("it is complete");
    assert_eq!(config.host.as_str(), "http://localhost:6610/");
    assert_eq!(config.poll_timeout, Duration::from_secs(55));
    assert_eq!(config.on_shutdown, OnShutdown::Finish);
    assert!(!config.job.allow_no_sandbox);
    assert_eq!(config.job.fetch_timeout, Duration::from_secs(900));
    assert_eq!(config.job.max_message_size, 4 << 20);
    let bounds = config.job.bounds;
    assert_eq!((bounds.max_output_bytes, bounds.max_file_count, bounds.max_symlinks), (25 << 20, 255, 40));
    assert_eq!(bounds.grace_period, Duration::from_secs(1));
}

#[test]
fn every_flag_of_the_guide_is_accepted() {
    let all = "--key K --host https://x.example --poll-timeout 900 --danger-allow-no-sandbox --sandbox-log-level debug \
        --update-channel canary --max-download-size 1000 --max-output-size 26214400 --max-file-count 1 --max-symlinks 0 \
        --grace-period 900 --no-tuning --aslr --nmi-watchdog --smt --turbo --numa-balancing --timer-migration --soft-watchdog \
        --ksm --cstates --no-irq-steering --no-cpuset-partition --swappiness 200 --governor powersave --perf-event-paranoid -1 \
        --thp leave";
    let args = ["runner", "up", "--runner", "r"].into_iter().chain(all.split_whitespace());
    let Command::Up(args) = Cli::try_parse_from(args).expect("they parse").command else { unreachable!("`up` was asked for") };
    assert_eq!(args.tuning.given().len(), 15, "{:?}", args.tuning.given());
}

#[test]
fn every_flag_of_a_local_run_is_accepted() {
    let all = "--image ./x --token T --vcpus 2 --memory 1024 --disk 2048 --timeout 10 --output a --output b --max-output-size 1 \
        --max-file-count 1 --max-symlinks 1 --entrypoint sh x --entrypoint=-c --cmd a --cmd=-v --env A=1 --env B= --network --iter 3 --allow-failure \
        --grace-period 2 --sandbox-log-level off --no-tuning";
    let Command::Run(args) =
        Cli::try_parse_from(["runner", "run"].into_iter().chain(all.split_whitespace())).expect("they parse").command
    else {
        unreachable!("`run` was asked for")
    };
    assert_eq!((args.entrypoint.len(), args.cmd.len(), args.env.len(), args.output.len()), (3, 2, 2, 2));
}

#[test]
fn a_wrong_key_is_explained_and_not_shown() {
    let error = up(&["--key", "bencher_user_secretsecretsecret", "--data-dir", "/data"]).expect_err("it is no runner key");
    let text = error.to_string();
    assert!(text.contains("bencher_runner_") && !text.contains("secret"), "{text}");
}

#[test]
fn bad_values_are_refused_with_what_was_expected() {
    assert!(parse_error(&["runner", "up", "--poll-timeout", "901"]).contains("901 is not in 1..=900"));
    assert!(parse_error(&["runner", "up", "--max-output-size", "1MB"]).contains("such as 25MiB"));
    assert!(parse_error(&["runner", "up", "--no-auto-update", "--update-channel", "stable"]).contains("cannot be used with"));
    let error = up(&["--key", KEY, "--host", "ftp://x"]).expect_err("it is no server");
    assert!(error.to_string().contains("expected http://"), "{error}");
    let error = up(&["--key", KEY, "--max-message-size", "10"]).expect_err("nothing fits");
    assert!(error.to_string().contains("expected at least"), "{error}");
}

#[test]
fn data_is_kept_where_the_user_may_write() {
    let path = |text: &str| Some(PathBuf::from(text));
    assert_eq!(usual_data_dir(true, path("/x"), path("/root")), path("/var/lib/bencher-runner"));
    assert_eq!(usual_data_dir(false, path("/x"), path("/home/a")), path("/x/bencher-runner"));
    assert_eq!(usual_data_dir(false, path("x"), path("/home/a")), path("/home/a/.local/share/bencher-runner"));
    assert_eq!(usual_data_dir(false, None, None), None);
}

#[test]
fn environment_pairs_are_taken_apart_at_the_first_equals_sign() {
    assert_eq!(env_pair("A=b=c").expect("a pair"), ("A".to_owned(), "b=c".to_owned()));
    assert!(env_pair("A").is_err());
    assert!(env_pair("=b").is_err());
}
