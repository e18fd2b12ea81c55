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
