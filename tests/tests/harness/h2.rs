//! HTTP/2 as frames, for both ends (RFC 9113). What is sent is not checked: a header block is literals (RFC 7541 section
//! 6.2.2) of any bytes, which no library would write.

use std::collections::BTreeMap;
use std::io::{self, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use loona_hpack::Decoder;

use super::client::Response;
use super::wire::Headers;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0x0;
pub const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;
pub const CONTINUATION: u8 = 0x9;

const ACK: u8 = 0x1;
pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;

const INITIAL_WINDOW_SIZE: u16 = 0x4;
/// What a window holds before anybody said otherwise, and the most that it can.
const WINDOW: u32 = 65_535;
const MAX_WINDOW: u32 = 0x7fff_ffff;
/// The largest payload that everybody takes.
const MAX_FRAME: usize = 16_384;

const CANCEL: u32 = 0x8;

/// Header lines as they stand in a block, pseudo-headers among them.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A field, for those who write them by hand.
pub fn field(name: &str, value: impl AsRef<[u8]>) -> (Vec<u8>, Vec<u8>) {
    (name.as_bytes().to_vec(), value.as_ref().to_vec())
}

/// What has come of a stream.
#[derive(Default)]
struct Stream {
    blocks: Vec<Fields>,
    body: Vec<u8>,
    ended: bool,
    reset: Option<u32>,
    /// How much more the other side takes on it, beyond what it takes on any.
    credit: i64,
    sent: i64,
}

/// A request as a server gets it.
pub struct Asked {
    pub id: u32,
    pub fields: Fields,
    pub body: Vec<u8>,
    pub trailers: Headers,
}

/// One side of a connection. Whoever is not asked for anything reads nothing.
pub struct Connection {
    stream: BufReader<TcpStream>,
    decoder: Decoder<'static>,
    next: u32,
    streams: BTreeMap<u32, Stream>,
    block: Vec<u8>,
    credit: i64,
    stream_credit: i64,
    gone: Option<u32>,
}

impl Connection {
    /// The client's end: it knows what the server takes before the first request.
    pub fn client(stream: BufReader<TcpStream>) -> io::Result<Self> {
        let mut connection = Self::new(stream);
        connection.write(PREFACE)?;
        connection.greet()?;
        while connection.read()? != SETTINGS {}
        Ok(connection)
    }

    /// The server's end, the preface not yet read.
    pub fn server(stream: BufReader<TcpStream>) -> io::Result<Self> {
        let mut connection = Self::new(stream);
        let mut preface = [0; PREFACE.len()];
        connection.stream.read_exact(&mut preface)?;
        connection.greet()?;
        Ok(connection)
    }

    fn new(stream: BufReader<TcpStream>) -> Self {
        Self {
            stream,
            decoder: Decoder::new(),
            next: 1,
            streams: BTreeMap::new(),
            block: Vec::new(),
            credit: i64::from(WINDOW),
            stream_credit: i64::from(WINDOW),
            gone: None,
        }
    }

    fn greet(&mut self) -> io::Result<()> {
        let settings = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &MAX_WINDOW.to_be_bytes()].concat();
        let more = (MAX_WINDOW - WINDOW).to_be_bytes();
        self.write(&[frame(SETTINGS, 0, 0, &settings), frame(WINDOW_UPDATE, 0, 0, &more)].concat())
    }

    /// Sends any bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Sends the head of a request, on a stream of its own.
    pub fn begin(&mut self, fields: &Fields, ends: bool) -> io::Result<u32> {
        let id = self.reserve();
        self.head(id, fields, ends)?;
        Ok(id)
    }

    /// A stream that nothing was sent on.
    pub fn reserve(&mut self) -> u32 {
        let id = self.next;
        self.next += 2;
        self.streams.insert(id, Stream::default());
        id
    }

    /// Sends a header block, in as many frames as it needs.
    pub fn head(&mut self, id: u32, fields: &Fields, ends: bool) -> io::Result<()> {
        self.write(&head_frames(id, &block(fields), ends, MAX_FRAME))
    }

    /// Sends a piece of a body, as fast as the other side takes it.
    pub fn data(&mut self, id: u32, bytes: &[u8], ends: bool) -> io::Result<()> {
        let mut rest = bytes;
        loop {
            let room = self.room(id)?;
            let (piece, after) = rest.split_at(rest.len().min(room).min(MAX_FRAME));
            let last = after.is_empty();
            if !piece.is_empty() || (last && ends) {
                let flags = if last && ends { END_STREAM } else { 0 };
                self.write(&frame(DATA, flags, id, piece))?;
                let sent = i64::try_from(piece.len()).unwrap();
                self.credit -= sent;
                self.streams.entry(id).or_default().sent += sent;
            }
            rest = after;
            if last {
                return Ok(());
            }
            if self.room(id)? == 0 {
                self.read()?;
            }
        }
    }

    fn room(&self, id: u32) -> io::Result<usize> {
        let stream = self.streams.get(&id);
        if let Some(code) = stream.and_then(|stream| stream.reset) {
            return Err(refused(format!("RST_STREAM {code}")));
        }
        let granted = self.stream_credit + stream.map_or(0, |stream| stream.credit - stream.sent);
        let room = self.credit.min(granted).max(0);
        Ok(usize::try_from(room).unwrap())
    }

    pub fn reset(&mut self, id: u32) -> io::Result<()> {
        self.write(&frame(RST_STREAM, 0, id, &CANCEL.to_be_bytes()))
    }

    pub fn go_away(&mut self) -> io::Result<()> {
        self.write(&frame(GOAWAY, 0, 0, &[0; 8]))
    }

    /// Reads until the answer to a request is whole. A stream that is reset, and a connection that is given up, is an error
    /// that says so.
    pub fn answer(&mut self, id: u32) -> io::Result<Response> {
        loop {
            let stream = self.streams.entry(id).or_default();
            if let Some(code) = stream.reset.filter(|_| !stream.ended) {
                return Err(refused(format!("RST_STREAM {code}")));
            }
            if stream.ended {
                let stream = std::mem::take(stream);
                self.streams.remove(&id);
                return response(stream);
            }
            self.read_answer()?;
        }
    }

    /// Reads until the head of an answer is there: of one that does not end, such as a tunnel's.
    pub fn answer_head(&mut self, id: u32) -> io::Result<Response> {
        loop {
            let stream = self.streams.entry(id).or_default();
            if let Some(code) = stream.reset {
                return Err(refused(format!("RST_STREAM {code}")));
            }
            if let Some(fields) = stream.blocks.first() {
                return response(Stream { blocks: vec![fields.clone()], ..Stream::default() });
            }
            self.read_answer()?;
        }
    }

    /// Reads until this many bytes have come on a stream.
    pub fn bytes(&mut self, id: u32, count: usize) -> io::Result<Vec<u8>> {
        while self.streams.entry(id).or_default().body.len() < count {
            self.read_answer()?;
        }
        Ok(self.streams.entry(id).or_default().body.drain(..count).collect())
    }

    fn read_answer(&mut self) -> io::Result<()> {
        match (self.read(), self.gone) {
            (Err(_), Some(code)) => Err(refused(format!("GOAWAY {code}"))),
            (read, _) => read.map(|_| ()),
        }
    }

    /// A request that has come whole: its stream, head, body and trailers. `None` at the end of the connection.
    pub fn request(&mut self) -> io::Result<Option<Asked>> {
        loop {
            if let Some(id) = self.streams.iter().find(|(_, stream)| stream.ended).map(|(id, _)| *id) {
                let mut stream = self.streams.remove(&id).unwrap_or_default();
                let trailers = headers(stream.blocks.split_off(1).into_iter().flatten().collect());
                return Ok(Some(Asked { id, fields: stream.blocks.remove(0), body: stream.body, trailers }));
            }
            match self.read() {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
                read => _ = read?,
            }
        }
    }

    /// Reads one frame and does what it asks for; tells its kind. Envoy pads none.
    fn read(&mut self) -> io::Result<u8> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload)?;
        let id = u32::from_be_bytes(id) & MAX_WINDOW;
        match kind {
            DATA | HEADERS | CONTINUATION => self.read_content(kind, flags, id, &payload)?,
            RST_STREAM => self.streams.entry(id).or_default().reset = Some(number(&payload)),
            SETTINGS if flags & ACK == 0 => {
                for setting in
                    payload.chunks_exact(6).filter(|setting| setting[..2] == INITIAL_WINDOW_SIZE.to_be_bytes())
                {
                    self.stream_credit = i64::from(number(&setting[2..]));
                }
                self.write(&frame(SETTINGS, ACK, 0, &[]))?;
            }
            PING if flags & ACK == 0 => self.write(&frame(PING, ACK, 0, &payload))?,
            GOAWAY => self.gone = Some(number(&payload[4..])),
            WINDOW_UPDATE if id == 0 => self.credit += i64::from(number(&payload)),
            WINDOW_UPDATE => self.streams.entry(id).or_default().credit += i64::from(number(&payload)),
            _ => {}
        }
        Ok(kind)
    }

    fn read_content(&mut self, kind: u8, flags: u8, id: u32, content: &[u8]) -> io::Result<()> {
        let stream = self.streams.entry(id).or_default();
        if kind == DATA {
            stream.body.extend_from_slice(content);
        } else {
            self.block.extend_from_slice(content);
            if flags & END_HEADERS != 0 {
                let block = std::mem::take(&mut self.block);
                stream.blocks.push(self.decoder.decode(&block).map_err(|error| refused(format!("{error:?}")))?);
            }
        }
        stream.ended |= kind != CONTINUATION && flags & END_STREAM != 0;
        Ok(())
    }
}

/// The frames of a header block, none of them larger than `most`.
pub fn head_frames(id: u32, block: &[u8], ends: bool, most: usize) -> Vec<u8> {
    let pieces = block.len().div_ceil(most).max(1);
    let mut frames = Vec::new();
    for piece in 0..pieces {
        let kind = if piece == 0 { HEADERS } else { CONTINUATION };
        let mut flags = if piece == 0 && ends { END_STREAM } else { 0 };
        if piece + 1 == pieces {
            flags |= END_HEADERS;
        }
        frames.extend(frame(kind, flags, id, &block[piece * most..block.len().min((piece + 1) * most)]));
    }
    frames
}

pub fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &id.to_be_bytes(), payload].concat()
}

pub fn block(fields: &Fields) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            write_length(text.len(), &mut block);
            block.extend_from_slice(text);
        }
    }
    block
}

/// An integer of seven bits and more (RFC 7541 section 5.1), the bit before it 0: no Huffman code follows.
fn write_length(length: usize, out: &mut Vec<u8>) {
    if length < 127 {
        out.push(u8::try_from(length).unwrap());
        return;
    }
    out.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        out.push(u8::try_from(rest % 128 + 128).unwrap());
        rest /= 128;
    }
    out.push(u8::try_from(rest).unwrap());
}

/// The value of a field that is there; else nothing.
pub fn value<'f>(fields: &'f Fields, name: &str) -> &'f [u8] {
    fields.iter().find(|(found, _)| found == name.as_bytes()).map_or(&[], |(_, value)| value)
}

/// Fields without pseudo-headers.
pub fn headers(fields: Fields) -> Headers {
    let plain = fields.into_iter().filter(|(name, _)| !name.starts_with(b":"));
    Headers(plain.map(|(name, value)| (String::from_utf8_lossy(&name).into_owned(), value)).collect())
}

fn response(stream: Stream) -> io::Result<Response> {
    let status = |fields: &Fields| String::from_utf8_lossy(value(fields, ":status")).parse().unwrap_or(0);
    let mut blocks = stream.blocks.into_iter().skip_while(|fields| (100..200).contains(&status(fields)));
    let head = blocks.next().ok_or_else(|| refused("an answer without a head".to_owned()))?;
    Ok(Response {
        status: status(&head),
        headers: headers(head),
        body: stream.body,
        trailers: headers(blocks.flatten().collect()),
    })
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

fn refused(what: String) -> io::Error {
    io::Error::new(ErrorKind::ConnectionReset, what)
}
