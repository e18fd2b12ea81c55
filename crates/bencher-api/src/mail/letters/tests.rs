use bencher_types::{Email, Jwt, ResourceName, Role, UserName};

use super::{Invitation, Letter, Occasion};

fn console() -> url::Url {
    "https://bench.example.com/app/".parse().unwrap()
}

fn confirmation(name: &str) -> Letter {
    let email = Email::new("ada@example.com").unwrap();
    Letter::confirmation(&console(), &email, &UserName::new(name).unwrap(), Occasion::SignUp, &Jwt::new("a.b.c"))
}

fn invitation(organization: &str) -> Letter {
    let (email, inviter) = (Email::new("bob@example.com").unwrap(), Email::new("ada@example.com").unwrap());
    let organization = ResourceName::new(organization).unwrap();
    let invitation = Invitation {
        name: None,
        organization: &organization,
        role: Role::Developer,
        inviter: &inviter,
        token: &Jwt::new("a.b.c"),
    };
    Letter::invitation(&console(), &email, &invitation)
}

#[test]
fn a_confirmation_has_the_link_and_the_command() {
    let letter = confirmation("Ada");
    insta::assert_snapshot!(letter.plain.expose(), @r"
    Hello Ada,

    an account was made with this address. If it was you, confirm it within 30 minutes.

    https://bench.example.com/app/auth/confirm?token=a.b.c

    Or on the command line:

        bencher auth confirm a.b.c

    If it was not you, do nothing: without the confirmation nobody gets in.
    ");
    assert!(letter.html.expose().contains("href=\"https://bench.example.com/app/auth/confirm?token=a.b.c\""));
    assert_eq!(letter.subject, "Confirm your new account at bench.example.com");
}

#[test]
fn the_line_for_the_log_ends_with_a_command() {
    let line = confirmation("Ada").log_line;
    assert_eq!(line.expose(), "to confirm ada@example.com within 30 minutes, run: bencher auth confirm a.b.c");
    let line = invitation("Shop").log_line;
    assert_eq!(
        line.expose(),
        "to join Shop as developer within 7 days, bob@example.com logs in and runs: bencher auth accept a.b.c"
    );
}

#[test]
fn an_invitation_says_who_invites_whom_to_what() {
    let plain = invitation("Shop").plain;
    for part in [
        "ada@example.com invites you to the organization \u{201c}Shop\u{201d} as developer.",
        "for bob@example.com and can be accepted within 7 days",
        "https://bench.example.com/app/auth/signup?invite=a.b.c",
        "bencher auth accept a.b.c",
        "--invite a.b.c bob@example.com",
    ] {
        assert!(plain.expose().contains(part), "{part} in {}", plain.expose());
    }
}

#[test]
fn no_name_breaks_out_of_where_it_stands() {
    let letter = confirmation("<img src=x>\r\nBcc: eve@example.com");
    assert!(!letter.html.expose().contains("<img"));
    assert!(letter.html.expose().contains("&lt;img src=x&gt;"));
    assert!(letter.plain.expose().starts_with("Hello <img src=x>  Bcc: eve@example.com,\n"));
    assert!(!invitation("a\r\nb").subject.contains(['\r', '\n']));
}

#[test]
fn nothing_of_a_letter_is_printed_by_accident() {
    assert!(!format!("{:?}", confirmation("Ada")).contains("a.b.c"));
}
