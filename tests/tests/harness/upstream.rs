//! The service behind the proxy: it answers as told and remembers all that reached it.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::wire::{Headers, read_body, read_head};

/// A request as the upstream saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    /// The status and headers it was answered with, as they were scripted.
    pub answered_with: u16,
    pub answered: Vec<(String, String)>,
}

/// How the upstream answers.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunked: bool,
}

impl Reply {
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), chunked: false }
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

    fn write(&self, stream: &mut TcpStream, head_only: bool) -> std::io::Result<()> {
        let mut bytes = format!("HTTP/1.1 {} Reply\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if self.chunked {
            bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
        } else {
            bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", self.body.len()).as_bytes());
        }
        stream.write_all(&bytes)?;
        match (head_only, self.chunked) {
            (true, _) => Ok(()),
            (false, false) => stream.write_all(&self.body),
            (false, true) => write_chunks(stream, &self.body),
        }
    }
}

fn write_chunks(stream: &mut TcpStream, body: &[u8]) -> std::io::Result<()> {
    for chunk in body.chunks(body.len().div_ceil(3).max(1)) {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
        stream.write_all(chunk)?;
        stream.write_all(b"\r\n")?;
        stream.flush()?;
    }
    stream.write_all(b"0\r\n\r\n")
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    replies: Mutex<HashMap<String, Reply>>,
}

/// A server on a free port, one thread a connection, until the test process ends.
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
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Ok(Some(head)) = read_head(&mut reader) {
        let Ok(body) = read_body(&mut reader, &head.headers) else { return };
        let mut start = head.start.splitn(3, ' ');
        let (method, target) = (start.next().unwrap_or_default(), start.next().unwrap_or_default());
        let reply = reply_to(target, shared);
        let seen = Seen {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: head.headers,
            body,
            answered_with: reply.status,
            answered: reply.headers.clone(),
        };
        let head_only = seen.method == "HEAD";
        shared.seen.lock().unwrap().push(seen);
        if reply.write(&mut writer, head_only).is_err() {
            return;
        }
    }
}

fn reply_to(target: &str, shared: &Shared) -> Reply {
    let path = target.split('?').next().unwrap_or_default();
    let scripted = shared.replies.lock().unwrap().get(path).cloned();
    scripted.unwrap_or_else(|| Reply::new(200).header("content-type", "application/json").body(r#"{"ok":true}"#))
}
