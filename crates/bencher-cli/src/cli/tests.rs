use clap::{CommandFactory as _, FromArgMatches as _};

use super::{run::Elided, *};

fn parse(args: &[&str]) -> Result<(Cli, clap::ArgMatches), clap::Error> {
    let matches = Cli::command().try_get_matches_from(std::iter::once(&"bencher").chain(args))?;
    Ok((Cli::from_arg_matches(&matches)?, matches))
}

fn run(args: &[&str]) -> run::Run {
    match parse(&[&["run"], args].concat()).unwrap().0.command {
        AnyCommand::OfServer(Command::Run(run)) => *run,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn global_flags_may_stand_anywhere() {
    for args in [["--host", "http://h:1", "project", "list"], ["project", "list", "--host", "http://h:1"]] {
        assert_eq!(parse(&args).unwrap().0.global.host.as_str(), "http://h:1/");
    }
}

#[test]
fn two_typed_credentials_are_refused() {
    let (cli, matches) = parse(&["--token", "t", "project", "list", "--key", "k"]).unwrap();
    assert_eq!(cli.global.credential(&matches).unwrap_err(), TwoCredentials);
}

#[test]
fn a_credential_may_be_given_after_the_command() {
    let (cli, matches) = parse(&["project", "list", "--key", "k"]).unwrap();
    assert_eq!(cli.global.credential(&matches).unwrap().unwrap().secret().expose(), "k");
}

#[test]
fn everything_after_the_first_word_of_a_command_belongs_to_it() {
    assert_eq!(run(&["--iter", "3", "cargo", "bench", "--", "--iter", "9"]).command, ["cargo", "bench", "--", "--iter", "9"]);
    assert_eq!(run(&["--", "--odd-name", "-x"]).command, ["--odd-name", "-x"]);
}

#[test]
fn a_misspelt_flag_is_not_taken_for_a_command() {
    assert!(parse(&["run", "--itre", "3", "x"]).is_err());
}

#[test]
fn adapters_parse_by_their_wire_name() {
    assert_eq!(run(&["--adapter", "shell_hyperfine", "x"]).adapter, Some(bencher_types::wire::adapter::Adapter::ShellHyperfine));
    assert!(parse(&["run", "--adapter", "nope", "x"]).is_err());
}

#[test]
fn remote_flags_need_an_image() {
    for flags in [["--spec", "s"], ["--entrypoint", "e"], ["--env", "A=1"], ["--job-timeout", "5"]] {
        assert!(parse(&["run", flags[0], flags[1], "x"]).is_err(), "{flags:?}");
    }
    assert!(parse(&["run", "--image", "a:b", "--spec-reset", "--testbed", "t"]).is_err());
}

#[test]
fn elided_numbers_are_none() {
    assert_eq!("_".parse::<Elided<u32>>(), Ok(Elided(None)));
    assert_eq!("7".parse::<Elided<u32>>(), Ok(Elided(Some(7))));
    assert!("x".parse::<Elided<u32>>().is_err());
}

#[test]
fn a_variable_needs_a_name() {
    assert_eq!(run::env_pair("A=b=c"), Ok(("A".into(), "b=c".into())));
    assert!(run::env_pair("=x").is_err());
    assert!(run::env_pair("A").is_err());
}

#[test]
fn times_are_dates_seconds_or_milliseconds() {
    let at = |text: &str| text.parse::<Moment>().map(|Moment(at)| at.to_string());
    let noon = Ok("2026-01-31T12:00:00Z".to_owned());
    assert_eq!(at("2026-01-31T12:00:00Z"), noon);
    assert_eq!(at("1769860800"), noon);
    assert_eq!(at("1769860800000"), noon);
    assert_eq!(at("-1"), Ok("1969-12-31T23:59:59Z".to_owned()));
    for wrong in ["yesterday", "", "99999999999999999999", "2026-01-31"] {
        assert!(at(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn tables_are_for_terminals_and_json_for_everything_else() {
    let format = |args: &[&str], terminal| parse(args).unwrap().0.format(terminal);
    let job = "00000000-0000-4000-8000-000000000001";
    assert_eq!(format(&["project", "list"], true), Format::Human);
    assert_eq!(format(&["project", "list"], false), Format::Json);
    assert_eq!(format(&["project", "list", "--format", "table"], false), Format::Human);
    assert_eq!(format(&["run", "x"], false), Format::Human);
    assert_eq!(format(&["run", "--format", "html", "x"], true), Format::Html);
    assert_eq!(format(&["job", "logs", "shop", job], false), Format::Human);
    assert_eq!(format(&["job", "view", "shop", job], false), Format::Json);
}

/// Commands that are more than one request, or none: they have tests of their own.
const MORE_THAN_ONE_REQUEST: &[&str] = &[
    "run",
    "analyze",
    "image build",
    "image push",
    "image pull",
    "image copy",
    "image view",
    "image tags",
    "image list",
    "image delete",
    "image policy set",
    "auth docker",
    "runner start",
    "runner status",
    "runner stop",
    "runner cache",
    "runner doctor",
    "status",
    "profile",
    "mock",
    "noise",
    "man",
    "job status",
    "job watch",
    "job logs",
    "report create",
    "import",
    "completions",
];

/// The table of the integration tests: what can be typed, without the values.
fn typed() -> Vec<&'static str> {
    let lines = include_str!("../../tests/it/verbs.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| Some(line.split_once(" => ")?.0)).collect()
}

/// Every command that has no commands below it, by its name.
fn leaves(command: &clap::Command, name: &str, found: &mut Vec<(String, clap::Command)>) {
    if !command.has_subcommands() {
        found.push((name.to_owned(), command.clone()));
    }
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        leaves(below, format!("{name} {}", below.get_name()).trim_start(), found);
    }
}

#[test]
fn the_table_of_requests_has_every_command_and_every_flag() {
    let mut commands = Vec::new();
    leaves(&Cli::command(), "", &mut commands);
    let typed = typed();
    let mut missing = Vec::new();
    for (name, command) in commands
        .iter()
        .filter(|(name, _)| !MORE_THAN_ONE_REQUEST.iter().any(|other| name == other || name.starts_with(&format!("{other} "))))
    {
        let lines: Vec<_> = typed.iter().filter(|line| **line == name || line.starts_with(&format!("{name} "))).collect();
        if lines.is_empty() {
            missing.push(name.clone());
        }
        let flags = command.get_arguments().filter(|argument| !argument.is_hide_set()).filter_map(clap::Arg::get_long);
        for flag in flags.filter(|flag| !matches!(*flag, "help" | "version")) {
            let flag = format!("--{flag}");
            if !lines.iter().any(|line| line.split([' ', '=']).any(|word| word == flag)) {
                missing.push(format!("{name} {flag}"));
            }
        }
    }
    assert!(missing.is_empty(), "tests/it/verbs.txt lacks {missing:#?}");
}
