//! Standard output for data, standard error for talk: tables or JSON, colour only where somebody can see it.

mod accounts;
pub(crate) mod changes;
pub(crate) mod comment;
pub(crate) mod comparison;
mod guards;
pub(crate) mod history;
mod registry;
pub(crate) mod report;
pub(crate) mod resources;
mod signing;
pub(crate) mod table;
pub(crate) mod timings;
pub(crate) mod units;

use std::io::{self, IsTerminal as _, Write as _};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    cli::{Format, Sure},
    client::{Answer, ApiError},
    error::CliError,
};

/// How to print; fixed for the life of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    pub format: Format,
    /// Fail rather than print an answer that is not understood.
    pub strict: bool,
    pub verbose: bool,
    /// Standard error is a terminal.
    pub stderr_terminal: bool,
    /// Standard input and standard error are terminals: a question gets an answer.
    pub interactive: bool,
    /// Data may be coloured.
    pub color: bool,
}

/// A text of foreign origin as a terminal may show it: what a server sends must not be able to move the cursor or change colours.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Something that has a form for people.
pub(crate) trait Human {
    /// Lines for standard output, ending in a newline.
    fn human(&self, out: Out) -> String;
}

impl Out {
    /// Looks at the three standard streams. `no_color` is what <https://no-color.org> defines.
    pub(crate) fn new(format: Format, strict: bool, verbose: bool, no_color: bool) -> Self {
        let stdout_terminal = io::stdout().is_terminal();
        let stderr_terminal = io::stderr().is_terminal();
        Self {
            format,
            strict,
            verbose,
            stderr_terminal,
            interactive: stderr_terminal && io::stdin().is_terminal(),
            color: stdout_terminal && !no_color,
        }
    }

    /// Prints an answer in the format that was asked for.
    pub(crate) fn show<T: DeserializeOwned + Human>(self, answer: &Answer<T>) -> Result<(), CliError> {
        match (self.format, answer.body()) {
            (_, Err(error)) if self.strict => Err(error.into()),
            (Format::Json, _) => self.json(&answer.json),
            // Only reports have a form for comments; everything else is refused before.
            (Format::Human | Format::Html | Format::Markdown | Format::Csv, Ok(body)) => self.data(&body.human(self)),
            (Format::Human | Format::Html | Format::Markdown | Format::Csv, Err(ApiError::NotUnderstood { source, .. })) => {
                self.talk(&format!("warning: cannot read the answer ({source}); here is its JSON"));
                self.json(&answer.json)
            }
            (Format::Human | Format::Html | Format::Markdown | Format::Csv, Err(error)) => Err(error.into()),
        }
    }

    /// Prints one page of a list, and where the rest is.
    pub(crate) fn show_list<T>(self, answer: &Answer<Vec<T>>) -> Result<(), CliError>
    where
        Vec<T>: DeserializeOwned + Human,
    {
        self.show(answer)?;
        let shown = answer.json.as_array().map_or(0, Vec::len) as u64;
        if shown == 0 {
            self.done("nothing here");
        }
        if let Some(total) = answer.total.filter(|total| self.format == Format::Human && *total > shown && shown > 0) {
            self.talk(&format!("{shown} of {total} shown; {}", more(answer.page(), shown, total)));
        }
        Ok(())
    }

    pub(crate) fn json(self, value: &Value) -> Result<(), CliError> {
        self.data(&format!("{value:#}\n"))
    }

    /// Prints what a change has brought: one line for people, the answer for machines.
    pub(crate) fn changed(self, json: &Value, text: &str) -> Result<(), CliError> {
        match self.format {
            Format::Json => self.json(json),
            Format::Human | Format::Html | Format::Markdown | Format::Csv => self.data(&format!("{}\n", printable(text))),
        }
    }

    /// Asks whether something that cannot be taken back is meant. Where nobody can answer, it is.
    ///
    /// # Errors
    /// The answer is not yes.
    pub(crate) fn confirm(self, question: &str, sure: Sure) -> Result<(), CliError> {
        if sure.yes || !self.interactive {
            return Ok(());
        }
        let _ = write!(io::stderr().lock(), "{} [y/N] ", printable(question));
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        let yes = matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes");
        if read.is_ok() && yes { Ok(()) } else { Err(CliError::Declined) }
    }

    /// Writes data as it is.
    pub(crate) fn data(self, text: &str) -> Result<(), CliError> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(CliError::Stdout)
    }

    /// Says something to a person, in one or more lines. Nobody listening is no error.
    pub(crate) fn talk(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Writes to standard error as it is, without an end of the line. Nobody listening is no error.
    pub(crate) fn aside(self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }

    /// Says what was done, where the answer itself would be for machines.
    pub(crate) fn done(self, text: &str) {
        if self.format == Format::Human {
            self.talk(text);
        }
    }
}

/// How to see more of a list.
fn more(page: u64, shown: u64, total: u64) -> String {
    let mut ways = Vec::new();
    // A last page is shorter than the others, which says nothing about how many are before it.
    if page.saturating_mul(shown) < total {
        ways.push(format!("--page {} shows the next", page + 1));
    }
    match u8::try_from(total) {
        Ok(all) => ways.push(format!("--per-page {all} shows all")),
        Err(_) => ways.push(format!("--per-page {} shows more", u8::MAX)),
    }
    ways.join(", ")
}
