use crate::exit::Exit;

fn render(text: &str, colour: bool) -> String {
    super::render(text, 80, colour).unwrap().unwrap().to_string()
}

const URI: &str =
    "otpauth://totp/Portcullis:alice%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Portcullis";

/// What a camera in front of the terminal reads; `ink` is whether what is drawn is dark.
fn scan(rendered: &str, ink_is_dark: bool) -> String {
    let mut rows: Vec<Vec<bool>> = Vec::new();
    for line in rendered.lines() {
        let line = line.trim_start_matches("\u{1b}[30;47m").trim_end_matches("\u{1b}[0m");
        rows.push(line.chars().map(|c| matches!(c, '▀' | '█') == ink_is_dark).collect());
        rows.push(line.chars().map(|c| matches!(c, '▄' | '█') == ink_is_dark).collect());
    }
    const PIXELS: usize = 4;
    let (width, height) = (rows[0].len(), rows.len());
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width * PIXELS, height * PIXELS, |x, y| {
        if rows[y / PIXELS][x / PIXELS] { 0 } else { 255 }
    });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "{rendered}");
    grids[0].decode().unwrap().1
}

#[test]
fn a_code_is_read_back() {
    assert_eq!(scan(&render(URI, true), true), URI, "in colour");
    assert_eq!(scan(&render(URI, false), false), URI, "without");
}

#[test]
fn a_code_fits_a_terminal_and_has_a_quiet_zone() {
    let rendered = render(URI, false);
    let lines: Vec<&str> = rendered.lines().collect();
    assert!(lines.len() <= 30, "{} lines", lines.len());
    let (last, rest) = lines.split_last().unwrap();
    for line in rest {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(line.starts_with("████") && line.ends_with("████"), "{line}");
    }
    for line in rest[..2].iter().chain([&rest[rest.len() - 1]]) {
        assert!(line.chars().all(|c| c == '█'), "{line}");
    }
    assert!(last.chars().all(|c| c == '▀'), "the number of rows is odd: {last}");
}

#[test]
fn colours_end_with_the_line() {
    for line in render(URI, true).lines() {
        assert!(line.starts_with("\u{1b}[30;47m") && line.ends_with("\u{1b}[0m"), "{line:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    assert_eq!(super::render(&"x".repeat(3000), 80, true).unwrap_err().exit, Exit::Invalid);
    let columns = render(URI, false).lines().next().unwrap().chars().count();
    assert!(super::render(URI, columns, true).unwrap().is_some(), "{columns} columns");
    assert!(super::render(URI, columns - 1, true).unwrap().is_none(), "a column less");
}
