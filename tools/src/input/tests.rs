use std::path::Path;

use zeroize::Zeroizing;

use super::{PasswordSource, Secret, one_line, password, read_all, secret_variable, without_line_break};
use crate::exit::Exit;

fn bytes(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

#[test]
fn one_line_break_at_the_end_is_not_part_of_a_secret() {
    for (text, expected) in [
        ("secret\n", "secret"),
        ("secret\r\n", "secret"),
        ("secret", "secret"),
        ("secret\n\n", "secret\n"),
        ("secret\r", "secret\r"),
        (" secret \n", " secret "),
        ("\n", ""),
        ("", ""),
    ] {
        assert_eq!(*without_line_break(bytes(text)), expected.as_bytes(), "{text:?}");
    }
}

#[test]
fn a_password_is_one_line() {
    assert_eq!(one_line(bytes("correct horse\n"), "x").unwrap().expose(), b"correct horse");
    assert_eq!(one_line(bytes("two\nlines\n"), "x").unwrap_err().exit, Exit::Invalid);
}

#[test]
fn endless_input_is_refused() {
    let failure = read_all(std::io::repeat(b'x'), "a device").unwrap_err();
    assert_eq!((failure.exit, failure.cause.as_str()), (Exit::Invalid, "a device is larger than 64 MiB"));
}

#[test]
fn what_is_not_there_is_named() {
    let failure = secret_variable("PORTCULLIS_TEST_NEVER_SET").unwrap_err();
    assert_eq!(failure.exit, Exit::Io);
    assert!(failure.cause.contains("PORTCULLIS_TEST_NEVER_SET"), "{}", failure.cause);
    let failure = password(PasswordSource::File(Path::new("no/such/file"))).unwrap_err();
    assert_eq!(failure.exit, Exit::Io);
    assert!(failure.cause.contains("no/such/file"), "{}", failure.cause);
}

#[test]
fn debug_output_never_shows_a_secret() {
    assert_eq!(format!("{:?}", Secret::new(bytes("hunter22"))), "Secret(redacted)");
}
