use super::Content;

/// An element with these parts in it.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let header = match length {
        0..=0x7f => vec![tag, low],
        0x80..=0xff => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [header, content].concat()
}

#[test]
fn what_a_file_has_is_told_by_its_first_elements() {
    let (version, number) = (element(2, &[&[0]]), element(2, &[&[0x55; 257]]));
    let (algorithm, name) = (element(0x30, &[&element(6, &[&[0x2b, 0x65, 0x70]])]), element(0x30, &[]));
    let (bits, octets) = (element(3, &[&[0; 33]]), element(4, &[&[0; 200]]));
    let to_be_signed = element(0x30, &[&element(0xa0, &[&version]), &number, &algorithm, &name]);
    let sequence = |parts: &[&[u8]]| element(0x30, parts);
    let public = sequence(&[&algorithm, &bits]);
    for (bytes, expected, message) in [
        (sequence(&[&version, &algorithm, &octets]), Some(Content::PrivateKey), "PKCS#8"),
        (sequence(&[&version, &number, &version]), Some(Content::PrivateKey), "PKCS#1"),
        (sequence(&[&element(2, &[&[1]]), &octets]), Some(Content::PrivateKey), "SEC 1"),
        (sequence(&[&algorithm, &octets]), Some(Content::EncryptedPrivateKey), "encrypted PKCS#8"),
        (public.clone(), Some(Content::PublicKey), "SPKI"),
        (sequence(&[&number, &element(2, &[&[1, 0, 1]])]), Some(Content::RsaPublicKey), "PKCS#1, public"),
        (sequence(&[&to_be_signed, &algorithm, &bits]), Some(Content::Certificate), "X.509"),
        (Vec::new(), None, "nothing"),
        (vec![0x30], None, "no length"),
        (vec![0x30, 0x82, 1], None, "half a length"),
        (vec![0x30, 0x84, 0, 0, 0, 0], None, "a length of more than two bytes"),
        (vec![0x30, 0x80, 0, 0], None, "a length that is not definite"),
        (public.split_last().unwrap().1.to_vec(), None, "cut short"),
        ([public.as_slice(), b"\n"].concat(), None, "more behind it"),
        (sequence(&[&algorithm]), None, "one element"),
        (sequence(&[&octets, &bits]), None, "other elements"),
        (element(0x31, &[&algorithm, &bits]), None, "no sequence"),
        (b"-----BEGIN PUBLIC KEY-----\n".to_vec(), None, "PEM"),
    ] {
        assert_eq!(Content::of(&bytes), expected, "{message}");
    }
}
