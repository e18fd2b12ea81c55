use oci_spec::image::{ConfigBuilder, ImageConfiguration, ImageConfigurationBuilder};
use proptest::prelude::*;

use super::*;

fn strings(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

/// An image that has everything.
fn image() -> ImageConfiguration {
    let config = ConfigBuilder::default()
        .entrypoint(strings("/run --fast"))
        .cmd(strings("all"))
        .env(strings("A=1 PATH=/image B=x=y bare"))
        .working_dir("/src")
        .user("bench");
    ImageConfigurationBuilder::default().config(config.build().unwrap()).build().unwrap()
}

fn check(entrypoint: Option<&str>, cmd: Option<&str>, expected: &str) {
    let overrides = Overrides { entrypoint: entrypoint.map(strings), cmd: cmd.map(strings), env: Vec::new() };
    assert_eq!(ImageCommand::resolve(&image(), &overrides).unwrap().args, strings(expected));
}

#[test]
fn without_overrides_the_image_decides() {
    check(None, None, "/run --fast all");
    let command = ImageCommand::resolve(&image(), &Overrides::default()).unwrap();
    assert_eq!((command.working_dir.as_str(), command.user.as_deref()), ("/src", Some("bench")));
    let env: Vec<(&str, &str)> = command.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(env, [("A", "1"), ("PATH", "/image"), ("B", "x=y")]);
}

#[test]
fn a_command_replaces_only_the_images_command() {
    check(None, Some("one two"), "/run --fast one two");
    check(None, Some(""), "/run --fast");
}

#[test]
fn an_entrypoint_drops_the_images_command() {
    check(Some("/other"), None, "/other");
    check(Some("/other"), Some("one"), "/other one");
    check(Some(""), Some("one"), "one");
}

#[test]
fn an_image_without_configuration_gets_a_path_and_the_root_folder() {
    let image = ImageConfigurationBuilder::default().build().unwrap();
    let overrides = Overrides { cmd: Some(strings("true")), ..Overrides::default() };
    let command = ImageCommand::resolve(&image, &overrides).unwrap();
    assert_eq!(command.env, [("PATH".to_owned(), DEFAULT_PATH.to_owned())]);
    assert_eq!((command.working_dir.as_str(), command.user), ("/", None));
    let nothing = ImageCommand::resolve(&image, &Overrides::default()).unwrap_err();
    assert!(matches!(nothing, ImageError::NoCommand));
}

#[test]
fn impossible_values_are_named() {
    let env = |name: &str, value: &str| {
        let overrides = Overrides { env: vec![(name.to_owned(), value.to_owned())], ..Overrides::default() };
        ImageCommand::resolve(&image(), &overrides).unwrap_err().to_string()
    };
    assert_eq!(env("A=B", "x"), "`A=B` is not a name an environment variable can have");
    assert_eq!(env("A", "x\0"), "`A` holds a NUL character, which no process can be given");
    let overrides = Overrides { cmd: Some(vec!["a\0b".to_owned()]), ..Overrides::default() };
    assert!(ImageCommand::resolve(&image(), &overrides).is_err());
}

#[test]
fn values_of_variables_are_not_shown() {
    let overrides = Overrides { env: vec![("TOKEN".to_owned(), "hidden".to_owned())], ..Overrides::default() };
    let shown = format!("{overrides:?} {:?}", ImageCommand::resolve(&image(), &overrides).unwrap());
    assert!(shown.contains("TOKEN") && !shown.contains("hidden"), "{shown}");
}

proptest! {
    #[test]
    fn the_last_value_of_a_variable_wins_and_there_is_one(entries in prop::collection::vec(("[A-C]", "[a-z]{0,3}"), 0..8)) {
        let overrides = Overrides { env: entries.clone(), ..Overrides::default() };
        let env = ImageCommand::resolve(&image(), &overrides).unwrap().env;
        for (name, _) in &entries {
            let last = &entries.iter().rfind(|(other, _)| other == name).unwrap().1;
            let found: Vec<&String> = env.iter().filter(|(other, _)| other == name).map(|(_, value)| value).collect();
            prop_assert_eq!(found, vec![last]);
        }
    }
}
