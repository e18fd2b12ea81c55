use super::*;

#[test]
fn a_command_is_one_line_whatever_is_in_it() {
    assert_eq!(
        command("error", "a, b: 100%", "1\r\n::set-env::x 50%"),
        "::error title=a%2C b%3A 100%25::1%0D%0A::set-env::x 50%25"
    );
}
