use proptest::prelude::*;

use super::*;

const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/sh\n# comment\nbench:x:1000:100::/home/bench:/bin/sh\n77:x:5:6::/seven:/bin/sh\nbad:x:y:z\n";
const GROUP: &str = "root:x:0:\nusers:x:100:bench\nextra:x:44:other,bench\nmore:x:43:bench\n";

fn check(user: Option<&str>, expected: &str) {
    let found = match resolve(user, PASSWD.as_bytes(), GROUP.as_bytes()) {
        Ok(account) => format!("{}:{} {:?} {}", account.uid, account.gid, account.additional_gids, account.home),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{user:?}");
}

#[test]
fn no_user_is_root() {
    check(None, "0:0 [0] /root");
    check(Some(""), "0:0 [0] /root");
    check(Some(":extra"), "0:44 [44] /root");
}

#[test]
fn a_name_brings_its_groups_and_home() {
    check(Some("bench"), "1000:100 [100, 43, 44] /home/bench");
    check(Some("1000"), "1000:100 [100, 43, 44] /home/bench");
    check(Some("bench:"), "1000:100 [100, 43, 44] /home/bench");
}

#[test]
fn a_named_group_is_the_only_one() {
    check(Some("bench:extra"), "1000:44 [44] /home/bench");
    check(Some("bench:9"), "1000:9 [9] /home/bench");
}

#[test]
fn a_number_needs_no_entry_and_a_name_wins_over_a_number() {
    check(Some("4242"), "4242:0 [0] /");
    check(Some("4242:4343"), "4242:4343 [4343] /");
    check(Some("77"), "5:6 [6] /seven");
}

#[test]
fn unknown_names_are_errors() {
    check(Some("nobody"), "the image has no user `nobody` in /etc/passwd");
    check(Some("bad"), "the image has no user `bad` in /etc/passwd");
    check(Some("-1"), "the image has no user `-1` in /etc/passwd");
    check(Some("bench:none"), "the image has no group `none` in /etc/group");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(user in ".{0,12}", passwd in any::<Vec<u8>>(), group in any::<Vec<u8>>()) {
        let _ = resolve(Some(&user), &passwd, &group);
    }
}
