#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

#[test]
fn blocks_contain_their_addresses() {
    for (block, address, inside) in [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ("::1/128", "::1", true),
        ("::1", "::2", false),
        ("0.0.0.0/0", "203.0.113.9", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("::/0", "2001:db8::1", true),
        ("192.0.2.7", "192.0.2.7", true),
        ("2001:db8::/32", "2001:db9::", false),
    ] {
        let cidr = Cidr::parse(block).unwrap();
        assert_eq!(cidr.contains(address.parse().unwrap()), inside, "{address} in {block}");
    }
}

#[test]
fn refuses_what_is_not_a_block() {
    assert_eq!(Cidr::parse("10.1.2.3/8"), Err(CidrError::HostBits("10.0.0.0/8".into())));
    assert_eq!(Cidr::parse("2001:db8::1/32"), Err(CidrError::HostBits("2001:db8::/32".into())));
    for text in ["", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "010.0.0.0/8", "::1%eth0", "::1/+1"] {
        assert!(Cidr::parse(text).is_err(), "{text}");
    }
}

#[test]
fn peers_come_with_and_without_port() {
    for (text, expected) in [
        ("192.0.2.1:4711", Some("192.0.2.1")),
        ("[2001:db8::1]:4711", Some("2001:db8::1")),
        ("[::ffff:192.0.2.1]:4711", Some("192.0.2.1")),
        ("192.0.2.1", Some("192.0.2.1")),
        ("255.255.255.255:65535", Some("255.255.255.255")),
        ("0.0.0.0:0", Some("0.0.0.0")),
        ("10.0.0.1:080", Some("10.0.0.1")),
        ("/var/run/socket", None),
        ("", None),
        ("192.0.2.1:", None),
        ("192.0.2.1:65536", None),
        ("192.0.2.1:99999999999", None),
        ("192.0.2.256:1", None),
        ("192.0.2.01:1", None),
        ("192.0.2:1", None),
        ("192.0.2.1.5", None),
        ("192.0.2.1:1:1", None),
        ("192.0.2.1.:1", None),
        ("192..2.1", None),
    ] {
        assert_eq!(parse_peer(text.as_bytes()), expected.map(|text| text.parse().unwrap()), "{text}");
    }
}

#[test]
fn deny_wins_and_the_unknown_is_refused() {
    let rule =
        IpRule { allow: vec![Cidr::parse("10.0.0.0/8").unwrap()], deny: vec![Cidr::parse("10.9.0.0/16").unwrap()] };
    for (address, admitted) in
        [(Some("10.1.0.1"), true), (Some("10.9.0.1"), false), (Some("::1"), false), (None, false)]
    {
        assert_eq!(rule.admits(address.map(|text| text.parse().unwrap())), admitted, "{address:?}");
    }
}

#[test]
fn blocks_of_every_address_are_told_from_others() {
    for (block, expected) in [
        ("0.0.0.0/0", true),
        ("::/0", true),
        ("::ffff:0:0/96", true),
        ("::/96", false),
        ("10.0.0.0/8", false),
        ("::/1", false),
    ] {
        assert_eq!(Cidr::parse(block).unwrap().is_everything(), expected, "{block}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
proptest::proptest! {
    /// What is read quickly is read alike by the standard library.
    #[test]
    fn peers_are_read_as_the_standard_library_reads_them(text in "[0-9.:]{0,22}|([0-9]{1,3}\\.){3}[0-9]{1,3}(:[0-9]{1,6})?") {
        let expected = text.parse::<std::net::SocketAddr>().map(|socket| socket.ip()).or_else(|_| text.parse::<IpAddr>());
        proptest::prop_assert_eq!(parse_peer(text.as_bytes()), expected.ok().map(|address| address.to_canonical()));
    }
}
