#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn serialize(headers: &[(&str, &[u8])]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let mut out = u32::try_from(headers.len()).unwrap().to_le_bytes().to_vec();
    for (name, value) in headers {
        out.extend([length(name.as_bytes()), length(value)].concat());
    }
    for (name, value) in headers {
        out.extend([name.as_bytes(), &[0], value, &[0]].concat());
    }
    out
}

/// The headers of a map, names as text.
fn read(map: &[u8]) -> Option<Vec<(&str, &[u8])>> {
    Some(parse_header_map(map)?.into_iter().map(|(name, value)| (name.as_str(), value)).collect())
}

#[test]
fn headers_are_read_in_their_order() {
    for headers in [
        &[][..],
        &[(":path", b"/".as_slice())],
        &[("a", b"1".as_slice()), ("b", b"".as_slice()), ("a", b"\xff\0\r\n".as_slice())],
    ] {
        assert_eq!(read(&serialize(headers)).as_deref(), Some(headers));
    }
    assert_eq!(parse_header_map(&[]), Some(Vec::new()), "a host may give nothing for an empty map");
}

#[test]
fn a_map_that_was_put_together_is_read_again() {
    let header = |name: &'static str, value: &'static str| -> Header { (name.into(), value.into()) };
    let (some, more) = (vec![header("a", "1"), header("b-c", "")], vec![header("a", "2")]);
    for (common, own) in [(&[][..], &[][..]), (&some, &[]), (&[], &more), (&some, &more)] {
        let block = HeaderBlock::of(common.to_vec());
        let map = block.map_with(own);
        let expected: Vec<_> = common.iter().chain(own).map(|(name, value)| (&**name, value.as_bytes())).collect();
        assert_eq!(read(&map), Some(expected), "{common:?} and {own:?}");
        if let Cow::Owned(map) = &map {
            assert_eq!(map.capacity(), map.len(), "the room was reckoned rightly");
        }
    }
}

#[test]
fn what_is_cut_off_or_lies_about_its_lengths_is_nothing() {
    let sound = serialize(&[("a", b"1"), ("bb", b"22")]);
    for end in 1..sound.len() {
        assert_eq!(parse_header_map(&sound[..end]), None, "cut off at {end}");
    }
    for (at, message) in [(3, "a number of headers beyond memory"), (7, "a name beyond it"), (11, "a value beyond it")]
    {
        let mut wrong = sound.clone();
        wrong[at] = 0xff;
        assert_eq!(parse_header_map(&wrong), None, "{message}");
    }
    let mut wrong = sound;
    wrong[20] = 0xff;
    assert_eq!(parse_header_map(&wrong), None, "a name that is not UTF-8");
    assert_eq!(parse_header_map(&serialize(&[("x\u{2010}user-id", b"")])), None, "a name that is not ASCII");
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), count in 0_u8..4) {
            let _ = parse_header_map(&bytes);
            let _ = parse_header_map(&[&[count, 0, 0, 0], bytes.as_slice()].concat());
        }

        #[test]
        fn what_was_written_is_read(headers in prop::collection::vec(("[ -~]*|.*", any::<Vec<u8>>()), 0..8)) {
            let headers: Vec<(&str, &[u8])> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
            let bytes = serialize(&headers);
            let is_sound = headers.iter().all(|(name, _)| name.is_ascii());
            prop_assert_eq!(read(&bytes), Some(headers).filter(|_| is_sound));
        }
    }
}
