use std::fs::OpenOptions;
use std::io::Write;

use super::*;

/// What is handed on of a file that is written to in between.
struct Watched {
    followed: Followed,
    lines: Vec<String>,
}

impl Watched {
    fn look(&mut self) -> Vec<String> {
        let lines = &mut self.lines;
        let mut each = |line: &[u8]| {
            lines.push(String::from_utf8(line.to_vec()).unwrap());
            Ok(Flow::GoOn)
        };
        self.followed.catch_up(&mut each).unwrap();
        std::mem::take(&mut self.lines)
    }
}

#[test]
fn lines_are_followed_across_a_rotation() {
    let folder = crate::audit::testing::directory("follow");
    let path = folder.join("audit.log");
    let add = |text: &str| {
        let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    add("one\ntw");
    let mut watched = Watched { followed: Followed::open(&path).unwrap(), lines: Vec::new() };
    assert_eq!(watched.look(), ["one"], "what is there, as far as it is whole");
    add("o\n");
    assert_eq!(watched.look(), ["two"], "and the rest when it comes");
    add("three\n");
    std::fs::rename(&path, folder.join("audit.log.1")).unwrap();
    assert_eq!(watched.look(), ["three"], "the end of a file that was moved away");
    assert_eq!(watched.look(), [""; 0], "while there is none");
    add("four\n");
    assert_eq!(watched.look(), ["four"], "and the file in its place");
    add("five\nsix\n");
    assert_eq!(watched.look(), ["five", "six"]);
    std::fs::write(&path, "seven\n").unwrap();
    assert_eq!(watched.look(), ["seven"], "a file that was emptied");
}
