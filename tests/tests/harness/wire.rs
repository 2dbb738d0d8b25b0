//! HTTP/1.1 as bytes, for both ends. Values stay bytes: some tests send what is not text.

use std::io::{self, BufRead};

/// Header lines in the order they came, names in lower case.
#[derive(Clone, Debug, Default)]
pub struct Headers(pub Vec<(String, Vec<u8>)>);

impl Headers {
    /// Every value of `name`, as text.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(found, _)| found == name)
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// The only value of `name`; two lines of it are a failure, never a choice.
    #[track_caller]
    pub fn one(&self, name: &str) -> Option<String> {
        let mut values = self.all(name);
        assert!(values.len() <= 1, "`{name}` came {} times: {values:?}", values.len());
        values.pop()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }
}

/// A start line and headers.
pub struct Head {
    pub start: String,
    pub headers: Headers,
}

/// Reads a start line and headers; `None` at the end of the stream.
pub fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let start = String::from_utf8_lossy(trim_line(&line)).into_owned();
    Ok(Some(Head { start, headers: read_lines(stream)? }))
}

/// Header lines up to the empty one.
fn read_lines(stream: &mut impl BufRead) -> io::Result<Headers> {
    let mut headers = Headers::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        stream.read_until(b'\n', &mut line)?;
        let text = trim_line(&line);
        if text.is_empty() {
            return Ok(headers);
        }
        let colon =
            text.iter().position(|byte| *byte == b':').ok_or_else(|| broken("a header line without a colon"))?;
        let (name, value) = text.split_at(colon);
        headers.0.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value[1..].trim_ascii().to_vec()));
    }
}

/// Reads the body that `headers` announce, none without an announcement, and the lines that follow its last chunk.
pub fn read_body_and_trailers(stream: &mut impl BufRead, headers: &Headers) -> io::Result<(Vec<u8>, Headers)> {
    if headers.one("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        return read_chunks(stream);
    }
    let length = match headers.one("content-length") {
        Some(length) => length.parse().map_err(|_| broken("content-length is not a number"))?,
        None => 0,
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((body, Headers::default()))
}

fn read_chunks(stream: &mut impl BufRead) -> io::Result<(Vec<u8>, Headers)> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line)?;
        let size = String::from_utf8_lossy(trim_line(&line)).into_owned();
        let size = usize::from_str_radix(&size, 16).map_err(|_| broken("a chunk without a size"))?;
        if size == 0 {
            return Ok((body, read_lines(stream)?));
        }
        let mut chunk = vec![0; size];
        stream.read_exact(&mut chunk)?;
        body.extend_from_slice(&chunk);
        stream.read_until(b'\n', &mut Vec::new())?;
    }
}

fn trim_line(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
