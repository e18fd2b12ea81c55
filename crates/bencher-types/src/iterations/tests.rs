use super::{Iterations, ReportPart};

/// The places among ten iterations, or why there are none.
fn check(text: &str, expected: &str) {
    let found = match text.parse::<Iterations>() {
        Ok(iterations) => {
            assert_eq!(iterations.to_string(), text);
            iterations.places(10).map_or_else(|error| error.to_string(), |places| format!("{places:?}"))
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn iterations_are_named_by_number_and_range() {
    check("1", "[0]");
    check("1-5,8", "[0, 1, 2, 3, 4, 7]");
    check("10", "[9]");
    check("odd", "[0, 2, 4, 6, 8]");
    check("even", "[1, 3, 5, 7, 9]");
}

#[test]
fn what_names_none_is_refused() {
    check("", "no iteration is named: expected something like 1-5,8 or odd or even");
    for text in ["0", "x", "1-", "-3", "5-1", "1..3", "4294967296", " 1"] {
        check(text, &format!("`{text}` is no iteration and no range of them: expected something like 8 or 1-5, counted from 1"));
    }
    check("1,,2", "`` is no iteration and no range of them: expected something like 8 or 1-5, counted from 1");
    check("1-3,3", "iteration 3 is named after 3: expected each once, in their order");
    check("5,2", "iteration 2 is named after 5: expected each once, in their order");
}

#[test]
fn iterations_beyond_the_last_are_refused_without_counting_up_to_them() {
    check("8-11", "there is no iteration 11 among 10");
    check("1-4294967295", "there is no iteration 4294967295 among 10");
    assert_eq!(Iterations::EVEN.places(1).unwrap_err().to_string(), "none of 1 iterations is even");
    assert_eq!(Iterations::ODD.places(0).unwrap_err().to_string(), "none of 0 iterations is odd");
}

#[test]
fn a_report_stands_for_itself_or_for_some_of_its_iterations() {
    let uuid = "8ad9e5c1-0d5c-4a4e-9c5b-0d7a2f3b6c11";
    let whole: ReportPart = uuid.parse().unwrap();
    assert_eq!((whole.to_string(), whole.iterations), (uuid.to_owned(), None));
    let part = format!("{uuid}@2-4");
    let read: ReportPart = serde_json::from_str(&format!("{part:?}")).unwrap();
    assert_eq!(read.iterations, Some("2-4".parse().unwrap()));
    assert_eq!(serde_json::to_string(&read).unwrap(), format!("{part:?}"));
    for (text, expected) in [
        ("latest", "`latest` is not the UUID of a report"),
        ("@1", "`` is not the UUID of a report"),
        (&format!("{uuid}@") as &str, "no iteration is named"),
        (&format!("{uuid}@1@2"), "`1@2` is no iteration"),
    ] {
        let error = text.parse::<ReportPart>().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}
