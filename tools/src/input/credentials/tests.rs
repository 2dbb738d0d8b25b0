use zeroize::Zeroizing;

use super::{Secret, trimmed, two_lines};
use crate::exit::Exit;

#[test]
fn the_code_is_the_line_after_the_password() {
    for (input, password, code) in [
        ("correct horse", "correct horse", None),
        ("correct horse\n", "correct horse", None),
        ("correct horse\r\n", "correct horse", None),
        ("correct horse\n254676", "correct horse", Some("254676")),
        ("correct horse\n254676\n", "correct horse", Some("254676")),
        ("correct horse\r\n254676\r\n", "correct horse", Some("254676")),
        ("correct horse\n\n", "correct horse", None),
        (" correct horse \n", " correct horse ", None),
        ("correct horse\r", "correct horse\r", None),
        ("", "", None),
        ("\n254676", "", Some("254676")),
    ] {
        let (read, line) = two_lines(&Zeroizing::new(input.as_bytes().to_vec()), "standard input").unwrap();
        assert_eq!(read.expose(), password.as_bytes(), "{input:?}");
        assert_eq!(line.as_ref().map(|line| line.as_slice()), code.map(str::as_bytes), "{input:?}");
    }
    let failure = two_lines(&Zeroizing::new(b"one\ntwo\nthree\n".to_vec()), "standard input").unwrap_err();
    assert_eq!((failure.exit, failure.cause.as_str()), (Exit::Invalid, "standard input has more than two lines"));
}

#[test]
fn spaces_around_a_code_do_not_count() {
    for (typed, code) in [("254676", Some("254676")), (" 254 676\r\n", Some("254 676")), (" \n", None), ("", None)] {
        let kept = trimmed(Zeroizing::new(typed.as_bytes().to_vec()));
        assert_eq!(kept.as_ref().map(Secret::expose), code.map(str::as_bytes), "{typed:?}");
    }
}
