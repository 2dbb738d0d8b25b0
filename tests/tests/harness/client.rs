//! A client that sends exactly what it is given, over one kept-alive connection, in HTTP/1.1 or HTTP/2.

use std::io::{BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpStream};

use super::DEADLINE;
use super::h2::{self, Connection, Fields};
use super::wire::{Headers, read_body_and_trailers, read_head};

/// What a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Http1,
    /// In clear text, known beforehand (RFC 9113 section 3.3).
    Http2,
}

impl Protocol {
    pub const BOTH: [Self; 2] = [Self::Http1, Self::Http2];
}

/// A request, built line by line. Nothing is checked, nothing is added but `host` and, for a
/// body, `content-length`; trailers make it chunked in HTTP/1.1.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: Vec<u8>,
    pub host: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Request {
    pub fn new(method: &str, target: impl AsRef<[u8]>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.as_ref().to_vec(),
            host: "api.example.com".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            trailers: Vec::new(),
        }
    }

    pub fn get(target: impl AsRef<[u8]>) -> Self {
        Self::new("GET", target)
    }

    pub fn host(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    /// Adds a line; the same name twice makes two lines.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub fn body(mut self, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        self = self.header("content-type", content_type);
        self.body = body.as_ref().to_vec();
        self
    }

    /// Adds a line after the body.
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// The request in HTTP/1.1.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(self.method.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(&self.target);
        bytes.extend_from_slice(b" HTTP/1.1\r\nhost: ");
        bytes.extend_from_slice(self.host.as_bytes());
        write_lines(&mut bytes, &self.headers);
        if !self.trailers.is_empty() {
            bytes.extend_from_slice(b"\r\ntransfer-encoding: chunked\r\n\r\n");
            if !self.body.is_empty() {
                bytes.extend_from_slice(format!("{:x}\r\n", self.body.len()).as_bytes());
                bytes.extend_from_slice(&self.body);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.push(b'0');
            write_lines(&mut bytes, &self.trailers);
            bytes.extend_from_slice(b"\r\n\r\n");
            return bytes;
        }
        if !self.body.is_empty() {
            bytes.extend_from_slice(format!("\r\ncontent-length: {}", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The head in HTTP/2, where names have no capital letters.
    pub fn fields(&self) -> Fields {
        let mut fields = vec![
            h2::field(":method", &self.method),
            h2::field(":scheme", "http"),
            h2::field(":path", &self.target),
            h2::field(":authority", &self.host),
        ];
        fields.extend(lower(&self.headers));
        if !self.body.is_empty() && self.trailers.is_empty() {
            fields.push(h2::field("content-length", self.body.len().to_string()));
        }
        fields
    }
}

fn lower(lines: &[(String, Vec<u8>)]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    lines.iter().map(|(name, value)| h2::field(&name.to_ascii_lowercase(), value))
}

fn write_lines(bytes: &mut Vec<u8>, lines: &[(String, Vec<u8>)]) {
    for (name, value) in lines {
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub trailers: Headers,
}

impl Response {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }
}

/// One connection, made again when the other side closed it.
pub struct Client {
    address: SocketAddr,
    protocol: Protocol,
    stream: Option<BufReader<TcpStream>>,
    connection: Option<Connection>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, protocol: Protocol::Http1, stream: None, connection: None }
    }

    /// Speaks this from now on.
    pub fn over(self, protocol: Protocol) -> Self {
        Self { protocol, ..Self::new(self.address) }
    }

    /// Sends `request` and reads its answer.
    #[track_caller]
    pub fn send(&mut self, request: &Request) -> Response {
        self.try_send(request)
            .unwrap_or_else(|error| panic!("{} {}: {error}", request.method, String::from_utf8_lossy(&request.target)))
    }

    /// The same, where no answer at all is a result to look at.
    pub fn try_send(&mut self, request: &Request) -> std::io::Result<Response> {
        if self.protocol == Protocol::Http2 {
            return self.try_send_fields(request);
        }
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        stream.get_mut().write_all(&request.bytes())?;
        self.receive(stream, &request.method)
    }

    fn try_send_fields(&mut self, request: &Request) -> std::io::Result<Response> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connection()?,
        };
        let (no_body, no_trailers) = (request.body.is_empty(), request.trailers.is_empty());
        let id = connection.begin(&request.fields(), no_body && no_trailers)?;
        if !no_body {
            connection.data(id, &request.body, no_trailers)?;
        }
        if !no_trailers {
            connection.head(id, &lower(&request.trailers).collect(), true)?;
        }
        let response = connection.answer(id)?;
        self.connection = Some(connection);
        Ok(response)
    }

    /// A connection in HTTP/2, to be spoken to in frames.
    pub fn connection(&self) -> std::io::Result<Connection> {
        Connection::client(self.connect()?)
    }

    /// Sends a piece more of the request that was begun.
    pub fn go_on(&mut self, piece: &[u8]) -> std::io::Result<()> {
        let stream = self.stream.as_mut().ok_or(std::io::ErrorKind::NotConnected)?;
        stream.get_mut().write_all(piece)
    }

    /// Sends what is left of the request that was begun and reads its answer.
    pub fn finish(&mut self, method: &str, rest: &[u8]) -> std::io::Result<Response> {
        let mut stream = self.stream.take().ok_or(std::io::ErrorKind::NotConnected)?;
        stream.get_mut().write_all(rest)?;
        self.receive(stream, method)
    }

    /// Reads this many bytes of whatever follows an answer.
    pub fn read(&mut self, count: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.as_mut().ok_or(std::io::ErrorKind::NotConnected)?.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Waits for the first bytes of an answer, and leaves them.
    pub fn peek(&self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.stream.as_ref().ok_or(std::io::ErrorKind::NotConnected)?.get_ref().peek(bytes)
    }

    fn receive(&mut self, mut stream: BufReader<TcpStream>, method: &str) -> std::io::Result<Response> {
        let head = read_head(&mut stream)?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let status = head.start.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let bodiless = method == "HEAD" || status == 204 || status == 304;
        let (body, trailers) =
            if bodiless { Default::default() } else { read_body_and_trailers(&mut stream, &head.headers)? };
        let closed = head.headers.all("connection").iter().any(|value| value.eq_ignore_ascii_case("close"));
        if !closed {
            self.stream = Some(stream);
        }
        Ok(Response { status, headers: head.headers, body, trailers })
    }

    /// Sends `request` and leaves its answer unread: whoever drops the client then hangs up on it.
    pub fn begin(&mut self, request: &Request) -> std::io::Result<()> {
        self.begin_with(&request.bytes())
    }

    /// Connects and sends these bytes, whatever they are.
    pub fn begin_with(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut stream = self.connect()?;
        stream.get_mut().write_all(bytes)?;
        self.stream = Some(stream);
        Ok(())
    }

    fn connect(&self) -> std::io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect_timeout(&self.address, DEADLINE)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(BufReader::new(stream))
    }
}

/// One request on a connection of its own.
#[track_caller]
pub fn fetch(address: SocketAddr, request: &Request) -> Response {
    Client::new(address).send(request)
}
