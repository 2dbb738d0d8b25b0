use super::*;

#[test]
fn a_record_is_one_line_of_columns() {
    let request = r#"{"timestamp":"2026-11-24T00:00:01.000Z","event":"authorization","action":"read","decision":"deny","reason":"role_denied","user_id":"alice","ip_address":"203.0.113.8","method":"GET","path":"/admin","status":403}"#;
    let command = r#"{"timestamp":"2026-11-24T00:00:01.000Z","event":"admin","action":"user_disable","decision":"allow","reason":"done","user_id":"carol","target":"alice"}"#;
    let odd = r#"{"timestamp":"\u001b[31m","event":"e","decision":"d\u202e","reason":"r","user_id":"a\nb","count":7,"method":"GET"}"#;
    let row = |line: &str, width| row(&Record::parse(line.as_bytes()).unwrap(), Palette::PLAIN, width);
    assert_eq!(
        row(request, None),
        "2026-11-24T00:00:01.000Z deny         role_denied          403 203.0.113.8     alice                GET /admin"
    );
    assert_eq!(
        row(command, None),
        "2026-11-24T00:00:01.000Z allow        done                   - -               carol                user_disable alice"
    );
    assert_eq!(row(request, Some(60)).chars().count(), 60, "no wider than the terminal");
    let odd = row(odd, None);
    assert!(odd.chars().all(|sign| !sign.is_control() && sign != '\u{202e}') && odd.ends_with(" x7"), "{odd}");
}
