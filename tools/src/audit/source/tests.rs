use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;
use crate::audit::testing::directory;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    compress_to_vec(text, CompressionLevel::Fastest)
}

fn lines_of(bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let mut lines = Lines::new(bytes);
    let mut all = Vec::new();
    while let Some(line) = lines.next_line()? {
        assert_eq!(usize::try_from(line.number).unwrap(), all.len() + 1);
        all.push(line.text.to_vec());
    }
    Ok(all)
}

#[test]
fn a_file_is_read_whatever_it_is_packed_with() {
    let folder = directory("packed");
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
    let files: [(&str, Vec<u8>, Packing); 7] = [
        ("plain", b"one\ntwo\n".to_vec(), Packing::Plain),
        ("short", b"x".to_vec(), Packing::Plain),
        ("empty", Vec::new(), Packing::Plain),
        ("gzip", gzip(b"one\ntwo\n"), Packing::Gzip),
        ("gzip of two members", [gzip(b"one\n"), gzip(b"two\n")].concat(), Packing::Gzip),
        ("zstd of two frames", [zstd(b"one\n"), zstd(b"two\n")].concat(), Packing::Zstd),
        ("zstd with what is skipped", [skippable, zstd(b"one\ntwo\n")].concat(), Packing::Zstd),
    ];
    for (name, bytes, packing) in files {
        let path = folder.join(name);
        std::fs::write(&path, &bytes).unwrap();
        let source = Source::find(&path).unwrap();
        assert_eq!((source.packing, source.size), (Some(packing), Some(bytes.len() as u64)), "{name}");
        let read = Arc::default();
        let mut text = Vec::new();
        source.open(&read).unwrap().read_to_end(&mut text).unwrap();
        let expected: &[u8] = match name {
            "short" => b"x",
            "empty" => b"",
            _ => b"one\ntwo\n",
        };
        assert_eq!(text, expected, "{name}");
        assert_eq!(read.load(Ordering::Relaxed), bytes.len() as u64, "{name}");
    }
}

#[test]
fn what_is_cut_off_or_damaged_is_an_error_and_no_end() {
    for (name, bytes) in [("gzip", gzip(&[b'x'; 5000])), ("zstd", zstd(&[b'x'; 5000]))] {
        let path = directory(name).join(name);
        std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
        let source = Source::find(&path).unwrap();
        let error = source.open(&Arc::default()).unwrap().read_to_end(&mut Vec::new()).unwrap_err();
        assert!(source.unreadable(&error).cause.contains("cannot be unpacked"), "{name}");
    }
}

#[test]
fn lines_are_those_of_the_text() {
    let long = vec![b'x'; MAX_LINE_BYTES + 10];
    let cases = [
        ("a\nb\n", &["a", "b"][..], "two"),
        ("a\n\nb", &["a", "", "b"], "an empty one, and no line break at the end"),
        ("", &[], "none"),
        ("\n", &[""], "an empty one"),
        ("a\r\nb", &["a\r", "b"], "a carriage return is part of its line"),
    ];
    for (text, expected, what) in cases {
        let lines = lines_of(text.as_bytes()).unwrap();
        let expected: Vec<&[u8]> = expected.iter().map(|line| line.as_bytes()).collect();
        assert_eq!(lines, expected, "{what}");
    }
    let text = [&long[..], b"\nafter\n"].concat();
    let lines = lines_of(&text).unwrap();
    assert_eq!(lines.len(), 2, "one that is too long");
    assert!(lines[0].len() >= MAX_LINE_BYTES && lines[1] == b"after", "its beginning, and then the next");
}

proptest! {
    #[test]
    fn blocks_put_together_are_the_text(text in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..2000)) {
        let mut lines = Lines::new(&text[..]);
        let mut all = Vec::new();
        while let Some((before, block)) = lines.next_block().unwrap() {
            prop_assert_eq!(before, all.len() as u64);
            all.extend_from_slice(block);
        }
        prop_assert_eq!(&all, &text);
        let split: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let expected = if split.last().is_some_and(Vec::is_empty) { &split[..split.len() - 1] } else { &split[..] };
        prop_assert_eq!(lines_of(&text).unwrap(), expected);
    }

    #[test]
    fn no_bytes_are_too_much_for_a_reader(magic in 0..3_usize, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut input = [&[][..], &GZIP_MAGIC, &ZSTD_MAGIC][magic].to_vec();
        input.extend(bytes);
        let mut out = Vec::new();
        let _any = match Packing::of(&input) {
            Packing::Plain => Ok(0),
            Packing::Gzip => MultiGzDecoder::new(&input[..]).take(1 << 20).read_to_end(&mut out),
            Packing::Zstd => Frames::new(&input[..]).take(1 << 20).read_to_end(&mut out),
        };
    }
}
