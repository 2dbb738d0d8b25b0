use super::*;

#[test]
fn blocks_meet_where_they_have_an_address_in_common() {
    let cases = [
        ("203.0.113.7", "203.0.113.7", true, "the same"),
        ("203.0.113.7", "203.0.113.8", false, "neighbours"),
        ("203.0.113.0/24", "203.0.113.8", true, "one inside"),
        ("203.0.113.8", "203.0.113.0/24", true, "the other way round"),
        ("203.0.112.0/23", "203.0.113.0/24", true, "a block inside"),
        ("203.0.112.0/24", "203.0.113.0/24", false, "blocks beside each other"),
        ("0.0.0.0/0", "203.0.113.8", true, "every IPv4 address"),
        ("0.0.0.0/0", "2001:db8::1", false, "and no other"),
        ("::ffff:203.0.113.8", "203.0.113.8", true, "mapped"),
        ("2001:db8::/32", "2001:db8:1::/48", true, "IPv6"),
        ("::/0", "203.0.113.8", true, "everything"),
    ];
    for (one, other, expected, what) in cases {
        let (one, other): (Block, Block) = (one.parse().unwrap(), other.parse().unwrap());
        assert_eq!(one.meets(other), expected, "{what}");
        assert_eq!(other.meets(one), expected, "{what}, turned round");
    }
    for bad in ["", "203.0.113", "203.0.113.7/33", "203.0.113.7/", "203.0.113.7/-1", "::/129", "h:abc", "a/b/c"] {
        assert!(bad.parse::<Block>().is_err(), "{bad}");
    }
}

#[test]
fn an_address_alone_is_known_as_one() {
    let single = |text: &str| text.parse::<Block>().unwrap().single().map(|address| address.to_string());
    assert_eq!(single("203.0.113.7").as_deref(), Some("203.0.113.7"));
    assert_eq!(single("203.0.113.7/32").as_deref(), Some("203.0.113.7"));
    assert_eq!(single("::ffff:203.0.113.7").as_deref(), Some("203.0.113.7"));
    assert_eq!(single("203.0.113.0/24"), None);
    assert_eq!(truncated("203.0.113.7".parse().unwrap()), "203.0.113.0/24");
    assert_eq!(truncated("2001:db8:1:2::3".parse().unwrap()), "2001:db8:1::/48");
}
