use serde_json::json;

use super::*;

fn server(header: &str) -> Server {
    let server = json!({
        "bind_address": "127.0.0.1:1", "request_body_max_bytes": 1,
        "trusted_proxies": ["10.0.0.0/8", "fd00::/8"], "forwarded_header": header,
    });
    serde_json::from_value(server).unwrap()
}

/// Where a request from `peer` with these headers comes from.
#[track_caller]
fn check(header: &str, peer: &str, values: &[(&'static str, &str)], expected: &str) {
    let mut headers = HeaderMap::new();
    for (name, value) in values {
        headers.append(*name, value.parse().unwrap());
    }
    let source = Source::of(peer.parse().unwrap(), &headers, &server(header));
    assert_eq!(source.address(), expected.parse::<IpAddr>().unwrap());
}

const XFF: &str = "x-forwarded-for";

#[test]
fn who_is_no_trusted_proxy_is_not_believed() {
    check(XFF, "192.0.2.1", &[(XFF, "198.51.100.7")], "192.0.2.1");
    check(XFF, "10.0.0.1", &[(XFF, "198.51.100.7")], "198.51.100.7");
    check(XFF, "::ffff:10.0.0.1", &[(XFF, "198.51.100.7")], "198.51.100.7");
}

#[test]
fn what_a_client_wrote_itself_does_not_count() {
    check(XFF, "10.0.0.1", &[(XFF, "203.0.113.9, 198.51.100.7")], "198.51.100.7");
    check(XFF, "10.0.0.1", &[(XFF, "203.0.113.9"), (XFF, "198.51.100.7, 10.0.0.2")], "198.51.100.7");
    check(XFF, "10.0.0.1", &[(XFF, "198.51.100.7"), ("forwarded", "for=203.0.113.9")], "198.51.100.7");
    check("forwarded", "10.0.0.1", &[(XFF, "203.0.113.9"), ("forwarded", "for=198.51.100.7")], "198.51.100.7");
}

#[test]
fn where_nothing_usable_is_named_it_is_the_last_proxy() {
    check(XFF, "10.0.0.1", &[], "10.0.0.1");
    check(XFF, "10.0.0.1", &[(XFF, "")], "10.0.0.1");
    check(XFF, "10.0.0.1", &[(XFF, "203.0.113.9, unknown")], "10.0.0.1");
    check(XFF, "10.0.0.1", &[(XFF, "203.0.113.9, unknown, 10.0.0.3")], "10.0.0.3");
    check(XFF, "10.0.0.1", &[(XFF, "203.0.113.9, \u{e4}")], "10.0.0.1");
    check(XFF, "10.0.0.1", &[(XFF, "10.0.0.3, 10.0.0.2")], "10.0.0.3");
}

#[test]
fn both_headers_are_read_with_ports_and_quotes() {
    check(XFF, "fd00::1", &[(XFF, "[2001:db8::1]:4711")], "2001:db8::1");
    check(XFF, "fd00::1", &[(XFF, "2001:db8::1")], "2001:db8::1");
    check(XFF, "fd00::1", &[(XFF, "198.51.100.7:80")], "198.51.100.7");
    check("forwarded", "fd00::1", &[("forwarded", "For=\"[2001:db8::1]:4711\";proto=https")], "2001:db8::1");
    check("forwarded", "fd00::1", &[("forwarded", "proto=http; for=198.51.100.7, for=10.0.0.2")], "198.51.100.7");
}
