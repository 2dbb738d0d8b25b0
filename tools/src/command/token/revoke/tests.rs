use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{ceiling, id, parse};

#[test]
fn the_id_of_a_token_is_a_text() {
    for (claims, expected) in
        [(r#"{"jti": "a"}"#, Some("a")), (r#"{"jti": ""}"#, None), (r#"{"jti": 7}"#, None), (r#"{"sub": "a"}"#, None)]
    {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(id(&parse(&token).unwrap()).ok().as_deref(), expected, "{claims}");
    }
    for token in ["", "a", "a.b", "e30.W10.c2ln", "e30.e30", "e30.e30.a.b"] {
        assert!(parse(token).is_none(), "{token}");
    }
}

#[test]
fn a_fraction_of_a_second_is_waited_for() {
    for (seconds, expected) in [(10.0, 10), (10.2, 11), (-1.0, -1), (f64::MAX, i64::MAX)] {
        assert_eq!(ceiling(seconds), expected, "{seconds}");
    }
}
