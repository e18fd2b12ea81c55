//! HTML and GitHub's Markdown, written piece by piece up to a limit.
//!
//! Names come from whoever wrote the benchmark, in CI often somebody who asks for a change. They are shown as code, in which neither
//! GitHub nor GitLab looks for mentions (`@user`), references (`#1`), addresses, images or markup; and what would end the code is
//! escaped.

use std::fmt::Write as _;

use url::Url;

/// How a comment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Markup {
    Html,
    Markdown,
}

/// What is shown in one cell, and how.
#[derive(Clone, Debug, Default)]
pub(super) struct Span {
    text: String,
    look: Look,
    url: Option<Url>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Look {
    /// Our own words and numbers.
    #[default]
    Plain,
    /// Foreign text.
    Code,
    Strong,
    StrongCode,
}

impl Span {
    /// Our own words.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Somebody else's words.
    pub(super) fn name(text: &str) -> Self {
        Self { text: text.to_owned(), look: Look::Code, url: None }
    }

    /// A number with a unit that may be anybody's.
    pub(super) fn foreign(text: String) -> Self {
        let look = if is_harmless(&text) { Look::Plain } else { Look::Code };
        Self { text, look, url: None }
    }

    pub(super) fn linked(self, url: Url) -> Self {
        Self { url: Some(url), ..self }
    }

    pub(super) fn strong(self) -> Self {
        let look = match self.look {
            Look::Plain | Look::Strong => Look::Strong,
            Look::Code | Look::StrongCode => Look::StrongCode,
        };
        Self { look, ..self }
    }
}

/// Whether a text means nothing but itself in any markup: a number and a word, such as `12.3 µs` or `1.5 M ops/s`.
fn is_harmless(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-' | '/' | '%' | '\u{b5}');
    // A point between letters could be the name of a host.
    let points = text.match_indices('.').all(|(at, _)| text[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    text.chars().all(allowed) && points
}

/// A text as HTML shows it.
pub(crate) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c if c.is_control() => html.push('\u{fffd}'),
            c => html.push(c),
        }
    }
    html
}

/// A text as code in a cell of a Markdown table. Within code only its fence and the table's lines mean anything.
fn code(text: &str) -> String {
    let mut inner = String::with_capacity(text.len());
    let (mut ticks, mut longest, mut backslashes) = (0, 0, 0);
    for c in text.chars() {
        ticks = if c == '`' { ticks + 1 } else { 0 };
        longest = longest.max(ticks);
        match c {
            '|' => {
                // Tables take `\|` for a line that is none, and may take `\\` before it for an escaped backslash.
                (0..backslashes).for_each(|_| inner.push('\\'));
                inner.push_str("\\|");
            }
            c if c.is_control() => inner.push('\u{fffd}'),
            c => inner.push(c),
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
    }
    let fence = "`".repeat(longest + 1);
    // A space on both sides is not shown, and is needed beside a tick.
    let pad = if inner.starts_with(['`', ' ']) || inner.ends_with(['`', ' ', '\\']) { " " } else { "" };
    format!("{fence}{pad}{inner}{pad}{fence}")
}

/// What is kept for the end of a table and the note about what is missing, in bytes.
const RESERVE: usize = 256;

/// Writes a comment until it is full. What does not fit any more is counted.
pub(super) struct Pen {
    markup: Markup,
    limit: usize,
    text: String,
    left_out: usize,
}

impl Pen {
    pub(super) fn new(markup: Markup, limit: usize) -> Self {
        Self { markup, limit, text: String::new(), left_out: 0 }
    }

    /// How many rows did not fit.
    pub(super) const fn left_out(&self) -> usize {
        self.left_out
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.push(&match self.markup {
            Markup::Html => format!("<h2>{text}</h2>\n"),
            Markup::Markdown => format!("## {text}\n\n"),
        });
    }

    pub(super) fn alarm(&mut self, text: &str) {
        self.push(&match self.markup {
            Markup::Html => format!("<h3>⚠️ {text}</h3>\n"),
            Markup::Markdown => format!("### ⚠️ {text}\n\n"),
        });
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.push(&match self.markup {
            Markup::Html => format!("<p>{text}</p>\n"),
            Markup::Markdown => format!("{text}\n\n"),
        });
    }

    /// Names and what they stand for.
    pub(super) fn facts(&mut self, facts: &[(&str, Span)]) {
        let mut text = String::new();
        for (name, span) in facts {
            let span = self.span(span);
            let _ = match self.markup {
                Markup::Html => writeln!(text, "<tr><td>{name}</td><td>{span}</td></tr>"),
                Markup::Markdown => writeln!(text, "- {name}: {span}"),
            };
        }
        self.push(&match self.markup {
            Markup::Html => format!("<table>\n{text}</table>\n"),
            Markup::Markdown => format!("{text}\n"),
        });
    }

    /// A table, folded under its caption where it has one. Rows from the first that does not fit on are left out.
    pub(super) fn table(&mut self, caption: Option<&str>, head: &[&str], rows: impl Iterator<Item = Vec<Span>>) {
        let mut rows = rows.peekable();
        let (open, close) = self.frame(caption, head);
        let mut body = String::new();
        let mut room = self.room().checked_sub(open.len() + close.len());
        for row in rows.by_ref() {
            let row = self.row(&row);
            room = room.and_then(|room| room.checked_sub(row.len()));
            if room.is_none() {
                self.left_out += 1;
                break;
            }
            body.push_str(&row);
        }
        self.left_out += rows.count();
        if !body.is_empty() {
            self.push(&format!("{open}{body}{close}"));
        }
    }

    /// What stands before and behind the rows of a table.
    fn frame(&self, caption: Option<&str>, head: &[&str]) -> (String, String) {
        let fold = caption.map(|caption| format!("<details><summary>{caption}</summary>\n"));
        let fold = fold.unwrap_or_default();
        let end = if caption.is_some() { "</details>\n" } else { "" };
        match self.markup {
            Markup::Html => {
                let titles: String = head.iter().map(|title| format!("<th>{title}</th>")).collect();
                (format!("{fold}<table>\n<tr>{titles}</tr>\n"), format!("</table>\n{end}"))
            }
            Markup::Markdown => {
                // Markdown begins again after an empty line.
                let fold = if fold.is_empty() { fold } else { format!("{fold}\n") };
                let end = if end.is_empty() { "\n".to_owned() } else { format!("\n{end}\n") };
                (format!("{fold}| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len())), end)
            }
        }
    }

    fn row(&self, cells: &[Span]) -> String {
        let cells = cells.iter().map(|cell| self.span(cell));
        match self.markup {
            Markup::Html => {
                let cells: String = cells.map(|cell| format!("<td>{cell}</td>")).collect();
                format!("<tr>{cells}</tr>\n")
            }
            Markup::Markdown => format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")),
        }
    }

    fn span(&self, span: &Span) -> String {
        let is_code = matches!(span.look, Look::Code | Look::StrongCode);
        let is_strong = matches!(span.look, Look::Strong | Look::StrongCode);
        match self.markup {
            Markup::Html => {
                let mut html = escaped(&span.text);
                for (tag, wanted) in [("code", is_code), ("b", is_strong)] {
                    if wanted {
                        html = format!("<{tag}>{html}</{tag}>");
                    }
                }
                match &span.url {
                    Some(url) => format!("<a href=\"{}\">{html}</a>", escaped(url.as_str())),
                    None => html,
                }
            }
            Markup::Markdown => {
                let mut text = if is_code { code(&span.text) } else { span.text.clone() };
                if is_strong {
                    text = format!("**{text}**");
                }
                match &span.url {
                    Some(url) => format!("[{text}](<{}>)", url.as_str().replace('|', "%7C")),
                    None => text,
                }
            }
        }
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.text.len() + RESERVE)
    }

    fn push(&mut self, text: &str) {
        if text.len() <= self.room() {
            self.text.push_str(text);
        }
    }

    /// The comment, with a note about what is missing.
    pub(super) fn end(mut self) -> String {
        if self.left_out > 0 {
            let plural = if self.left_out == 1 { "" } else { "s" };
            let note = format!("{} row{plural} left out, for length: the report has all of them.", self.left_out);
            let note = match self.markup {
                Markup::Html => format!("<p>{note}</p>\n"),
                Markup::Markdown => format!("{note}\n"),
            };
            if self.text.len() + note.len() <= self.limit {
                self.text.push_str(&note);
            }
        }
        self.text
    }
}

#[cfg(test)]
mod tests;
