use proptest::prelude::*;

use super::*;

fn cell(markup: Markup, span: &Span) -> String {
    Pen::new(markup, usize::MAX).span(span)
}

#[test]
fn names_are_code_in_which_nothing_has_a_meaning() {
    let check = |name: &str, html: &str, markdown: &str| {
        let span = Span::name(name);
        assert_eq!(cell(Markup::Html, &span), html);
        assert_eq!(cell(Markup::Markdown, &span), markdown);
    };
    check("sort", "<code>sort</code>", "`sort`");
    check("@eve #1", "<code>@eve #1</code>", "`@eve #1`");
    check("<img src=x>", "<code>&lt;img src=x&gt;</code>", "`<img src=x>`");
    check("</code>![x](y)", "<code>&lt;/code&gt;![x](y)</code>", "`</code>![x](y)`");
    check("a`b", "<code>a`b</code>", "``a`b``");
    check("``", "<code>``</code>", "``` `` ```");
    check("a|b", "<code>a|b</code>", "`a\\|b`");
    check("a\\|b", "<code>a\\|b</code>", "`a\\\\\\|b`");
    check("a\n\n# b", "<code>a\u{fffd}\u{fffd}# b</code>", "`a\u{fffd}\u{fffd}# b`");
}

#[test]
fn a_unit_is_plain_only_if_it_is_a_word() {
    let look = |text: &str| Span::foreign(text.to_owned()).look;
    for plain in ["12.35 ms", "1.5 M ops/s", "0", "-3", "20 %", "999 µs"] {
        assert_eq!(look(plain), Look::Plain, "{plain}");
    }
    for foreign in ["1 @eve", "1 www.example.com", "1 https://example.com", "1 <b>", "1 `x`", "1 |", "1 *"] {
        assert_eq!(look(foreign), Look::Code, "{foreign}");
    }
}

#[test]
fn links_and_emphasis_go_around_the_code() {
    let url: Url = "http://console.example/a b?x=|)".parse().unwrap();
    let span = Span::name("n").strong().linked(url);
    assert_eq!(cell(Markup::Html, &span), "<a href=\"http://console.example/a%20b?x=|)\"><b><code>n</code></b></a>");
    assert_eq!(cell(Markup::Markdown, &span), "[**`n`**](<http://console.example/a%20b?x=%7C)>)");
}

fn rows(count: usize) -> impl Iterator<Item = Vec<Span>> {
    (0..count).map(|number| vec![Span::name(&format!("benchmark {number}")), Span::text("1 ns")])
}

#[test]
fn what_does_not_fit_is_counted_and_every_table_is_closed() {
    for markup in [Markup::Html, Markup::Markdown] {
        let mut pen = Pen::new(markup, 2000);
        pen.heading("Results");
        pen.table(Some("all"), &["a", "b"], rows(1000));
        pen.table(None, &["a", "b"], rows(3));
        let left_out = pen.left_out();
        let text = pen.end();
        assert!(text.len() <= 2000 && text.len() > 1500, "{}", text.len());
        assert!(text.contains(&format!("{left_out} rows left out")), "{text}");
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
        assert_eq!(text.matches("<table>").count(), text.matches("</table>").count());
    }
}

/// The cells of a row as a reader of tables splits them: at lines that no backslash is before.
fn split(row: &str) -> usize {
    let mut cells = 0;
    let mut chars = row.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '|' => cells += 1,
            _ => {}
        }
    }
    cells - 1
}

proptest! {
    #[test]
    fn no_name_opens_another_cell_line_or_tag(name in "[a|`\\\\<>&\"'@# \n\r*\\[\\]]{0,12}", limit in 300..3000_usize) {
        let row = Pen::new(Markup::Markdown, usize::MAX).row(&[Span::name(&name), Span::text("x")]);
        prop_assert_eq!(row.lines().count(), 1);
        prop_assert_eq!(split(row.trim_end()), 2, "{}", row);
        let html = cell(Markup::Html, &Span::name(&name));
        prop_assert_eq!(html.matches('<').count(), 2);
        let mut pen = Pen::new(Markup::Html, limit);
        pen.table(None, &["a", "b"], std::iter::repeat_n(vec![Span::name(&name), Span::text("x")], 50));
        prop_assert!(pen.end().len() <= limit);
    }
}
