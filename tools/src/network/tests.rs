use super::Network;

#[test]
fn a_block_is_read_and_written_alike() {
    for (text, expected) in [
        ("10.0.0.0/8", Ok("10.0.0.0/8")),
        ("10.1.2.3", Ok("10.1.2.3/32")),
        ("0.0.0.0/0", Ok("0.0.0.0/0")),
        ("2001:DB8::/32", Ok("2001:db8::/32")),
        ("::1", Ok("::1/128")),
        ("::/0", Ok("::/0")),
        ("10.1.2.3/8", Err("`10.0.0.0/8`")),
        ("2001:db8::1/32", Err("`2001:db8::/32`")),
        ("10.0.0.0/33", Err("block of addresses")),
        ("10.0.0.0/+8", Err("block of addresses")),
        ("10.0.0.0/", Err("block of addresses")),
        ("10.0.0/8", Err("block of addresses")),
        ("example.com", Err("block of addresses")),
        ("", Err("block of addresses")),
    ] {
        match (text.parse::<Network>(), expected) {
            (Ok(network), Ok(expected)) => assert_eq!(network.to_string(), expected, "{text}"),
            (Err(problem), Err(expected)) => assert!(problem.contains(expected), "{text}: {problem}"),
            (other, _) => panic!("{text}: {other:?}"),
        }
    }
}
