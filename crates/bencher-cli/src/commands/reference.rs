//! The reference of the command line in Markdown: one page per command, made of the command line's own description.

use std::collections::BTreeMap;

use clap::{Command, CommandFactory as _};

use crate::cli::Cli;

/// Wide enough that nothing but long lines is broken, narrow enough to be read.
const WIDTH: usize = 100;

/// Pages by file name. Each says what its command says of itself.
pub(super) fn pages() -> BTreeMap<String, String> {
    let mut root = Cli::command().term_width(WIDTH);
    root.build();
    let mut pages = BTreeMap::new();
    pages.insert("README.md".to_owned(), index(&mut root));
    for command in root.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        pages.insert(format!("{}.md", command.get_name()), page(command));
    }
    pages
}

fn index(root: &mut Command) -> String {
    let mut text =
        "# The command line\n\nMade of what `bencher --help` says; every page is also `bencher COMMAND --help`.\n\n".to_owned();
    for command in root.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("- [`bencher {0}`]({0}.md): {about}\n", command.get_name()));
    }
    text.push_str(&format!("\n```text\n{}\n```\n", help(root)));
    text
}

/// A command and everything below it.
fn page(command: &Command) -> String {
    let mut text = format!("# `bencher {}`\n", command.get_name());
    section(&mut text, command, command.get_name());
    text
}

fn section(text: &mut String, command: &Command, words: &str) {
    text.push_str(&format!("\n```text\n{}\n```\n", help(&mut command.clone())));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        let words = format!("{words} {}", below.get_name());
        text.push_str(&format!("\n## `bencher {words}`\n"));
        section(text, below, &words);
    }
}

fn help(command: &mut Command) -> String {
    // What every command has is said once, on the first page.
    let help = command.render_long_help().to_string();
    let own = if command.get_name() == "bencher" { &help } else { help.split("\nGlobal options:").next().unwrap_or(&help) };
    own.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}
