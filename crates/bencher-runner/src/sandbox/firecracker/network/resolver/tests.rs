use super::*;

fn check(text: &str, allow: &[&str], expected: &[&str]) {
    let allow: Vec<Ipv4Net> = allow.iter().map(|net| net.parse().unwrap()).collect();
    let found: Vec<String> = reachable(text, &allow).iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn public_servers_of_the_host_are_taken_in_order() {
    check("# comment\nsearch x\nnameserver 9.9.9.9\nnameserver\t1.1.1.1 # two\n", &[], &["9.9.9.9", "1.1.1.1"]);
}

#[test]
fn servers_a_guest_does_not_reach_are_left_out() {
    check("nameserver 127.0.0.53\nnameserver 192.168.1.1\nnameserver 2606:4700::1111\nnameserver 8.8.8.8\n", &[], &["8.8.8.8"]);
}

#[test]
fn a_private_server_in_an_allowed_network_is_taken() {
    check("nameserver 10.1.1.1\nnameserver 169.254.169.253\n", &["10.0.0.0/8"], &["10.1.1.1"]);
}

#[test]
fn no_more_than_a_c_library_reads_are_taken() {
    check(
        "nameserver 8.8.8.8\nnameserver 8.8.4.4\nnameserver 9.9.9.9\nnameserver 1.1.1.1\n",
        &[],
        &["8.8.8.8", "8.8.4.4", "9.9.9.9"],
    );
}

#[test]
fn nonsense_is_not_a_server() {
    check("nameserver\nnameserver x\nnameservers 8.8.8.8\n options ndots:1\n", &[], &[]);
}
