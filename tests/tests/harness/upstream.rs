//! The service behind the proxy: it answers as told and remembers all that reached it.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use super::h2::{self, Asked, Connection};
use super::wire::{Headers, read_body_and_trailers, read_head};

/// A request as the upstream saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub trailers: Headers,
    /// The status and headers it was answered with, as they were scripted.
    pub answered_with: u16,
    pub answered: Vec<(String, String)>,
}

/// What goes wrong with an answer. In its body is after half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Close,
    CloseInBody,
    Reset,
    ResetInBody,
    /// Nothing comes for as long as the other side waits.
    Stall,
    StallInBody,
}

/// Keeps answers back until it is opened.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let mut open = self.0.0.lock().unwrap();
        while !*open {
            open = self.0.1.wait(open).unwrap();
        }
    }
}

/// How the upstream answers.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunked: bool,
    trailers: Vec<(String, String)>,
    fault: Option<Fault>,
    gate: Option<Gate>,
}

impl Reply {
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            chunked: false,
            trailers: Vec::new(),
            fault: None,
            gate: None,
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Sends the body in three chunks, its length unannounced.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Sends this line after the last chunk.
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.to_owned()));
        self.chunked()
    }

    pub fn fails(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Sends nothing before `gate` is open.
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// An error ends the connection.
    fn write(&self, stream: &mut TcpStream, head_only: bool) -> std::io::Result<()> {
        if let Some(gate) = &self.gate {
            gate.pass();
        }
        let Some(fault) = self.fault else { return self.write_whole(stream, head_only) };
        if matches!(fault, Fault::CloseInBody | Fault::ResetInBody | Fault::StallInBody) {
            self.write_half(stream)?;
        }
        match fault {
            Fault::Close | Fault::CloseInBody => {}
            // A connection that does not linger is reset when it is closed (socket(7), SO_LINGER).
            Fault::Reset | Fault::ResetInBody => set_socket_linger(&*stream, Some(Duration::ZERO))?,
            Fault::Stall | Fault::StallInBody => _ = stream.read(&mut [0])?,
        }
        Err(ErrorKind::ConnectionAborted.into())
    }

    /// A reply without a body has its trailers in its head: gRPC's "Trailers-Only".
    fn write_h2(&self, connection: &mut Connection, id: u32, head_only: bool) -> std::io::Result<()> {
        let fields = |lines: &[(String, String)]| lines.iter().map(|(name, value)| h2::field(name, value)).collect();
        let mut head: h2::Fields = fields(&self.headers);
        head.insert(0, h2::field(":status", self.status.to_string()));
        let (no_body, no_trailers) = (head_only || self.body.is_empty(), head_only || self.trailers.is_empty());
        connection.head(id, &head, no_body && no_trailers)?;
        if !no_body {
            connection.data(id, &self.body, no_trailers)?;
        }
        if no_trailers { Ok(()) } else { connection.head(id, &fields(&self.trailers), true) }
    }

    fn write_half(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let half = &self.body[..self.body.len() / 2];
        let announced = self.body.len();
        self.write_head(stream)?;
        if self.chunked {
            stream.write_all(format!("{announced:x}\r\n").as_bytes())?;
        }
        stream.write_all(half)
    }

    fn write_whole(&self, stream: &mut TcpStream, head_only: bool) -> std::io::Result<()> {
        self.write_head(stream)?;
        match (head_only, self.chunked) {
            (true, _) => Ok(()),
            (false, false) => stream.write_all(&self.body),
            (false, true) => write_chunks(stream, &self.body, &self.trailers),
        }
    }

    fn write_head(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let mut bytes = format!("HTTP/1.1 {} Reply\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if self.chunked {
            bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
        } else {
            bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", self.body.len()).as_bytes());
        }
        stream.write_all(&bytes)
    }
}

fn write_chunks(stream: &mut TcpStream, body: &[u8], trailers: &[(String, String)]) -> std::io::Result<()> {
    for chunk in body.chunks(body.len().div_ceil(3).max(1)) {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
        stream.write_all(chunk)?;
        stream.write_all(b"\r\n")?;
        stream.flush()?;
    }
    stream.write_all(b"0\r\n")?;
    for (name, value) in trailers {
        stream.write_all(format!("{name}: {value}\r\n").as_bytes())?;
    }
    stream.write_all(b"\r\n")
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    replies: Mutex<HashMap<String, Reply>>,
}

/// A server on a free port, one thread a connection, until the test process ends. It speaks what it is spoken to in.
pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Upstream {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let served = Arc::clone(&served);
                std::thread::spawn(move || serve(stream, &served));
            }
        });
        Self { address, shared }
    }

    /// An address where nobody listens.
    pub fn gone() -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
    }

    /// Another server in its place, of which nothing is known here.
    pub fn at(address: SocketAddr) -> Self {
        Self { address, shared: Arc::default() }
    }

    /// Answers `reply` to every request whose path, without its query, is `path`.
    pub fn on(&self, path: &str, reply: Reply) {
        self.shared.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// What came since the last call. A request is remembered before it is answered, so
    /// once its answer is in hand it is here.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.shared.seen.lock().unwrap())
    }
}

fn serve(stream: TcpStream, shared: &Shared) {
    // A head and its body are two writes, of which the second would wait for the other side.
    let (Ok(()), Ok(mut writer)) = (stream.set_nodelay(true), stream.try_clone()) else { return };
    let mut reader = BufReader::new(stream);
    if reader.fill_buf().is_ok_and(|start| start.starts_with(b"PRI ")) {
        // However it ends, it is over.
        _ = serve_h2(reader, shared);
        return;
    }
    while let Ok(Some(head)) = read_head(&mut reader) {
        let Ok((body, trailers)) = read_body_and_trailers(&mut reader, &head.headers) else { return };
        let mut start = head.start.splitn(3, ' ');
        let (method, target) = (start.next().unwrap_or_default(), start.next().unwrap_or_default());
        let reply = reply_to(target, shared);
        let seen = Seen {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: head.headers,
            body,
            trailers,
            answered_with: reply.status,
            answered: reply.headers.clone(),
        };
        let head_only = seen.method == "HEAD";
        let protocol = seen.headers.one("upgrade");
        shared.seen.lock().unwrap().push(seen);
        if let Some(protocol) = protocol {
            // However it ends, it is over.
            _ = echo(&protocol, &mut reader, &mut writer);
            return;
        }
        if reply.write(&mut writer, head_only).is_err() {
            return;
        }
    }
}

/// Takes up any protocol: what comes goes back.
fn echo(protocol: &str, reader: &mut impl Read, writer: &mut impl Write) -> std::io::Result<u64> {
    let head = format!("HTTP/1.1 101 Reply\r\nconnection: upgrade\r\nupgrade: {protocol}\r\n\r\n");
    writer.write_all(head.as_bytes())?;
    std::io::copy(reader, writer)
}

fn serve_h2(reader: BufReader<TcpStream>, shared: &Shared) -> std::io::Result<()> {
    let mut connection = Connection::server(reader)?;
    while let Some(Asked { id, fields, body, trailers }) = connection.request()? {
        let text = |name| String::from_utf8_lossy(h2::value(&fields, name)).into_owned();
        let (method, target) = (text(":method"), text(":path"));
        let reply = reply_to(&target, shared);
        let head_only = method == "HEAD";
        let (answered_with, answered) = (reply.status, reply.headers.clone());
        let seen = Seen { method, target, headers: h2::headers(fields), body, trailers, answered_with, answered };
        shared.seen.lock().unwrap().push(seen);
        reply.write_h2(&mut connection, id, head_only)?;
    }
    Ok(())
}

fn reply_to(target: &str, shared: &Shared) -> Reply {
    let path = target.split('?').next().unwrap_or_default();
    let scripted = shared.replies.lock().unwrap().get(path).cloned();
    scripted.unwrap_or_else(|| Reply::new(200).header("content-type", "application/json").body(r#"{"ok":true}"#))
}
