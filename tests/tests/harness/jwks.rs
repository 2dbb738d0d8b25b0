//! The server a proxy fetches its keys or its identity feed from: as good or as bad as a test wants it, from one moment to the next.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::eventually;
use super::keys::{self, Pair};
use super::wire::{Headers, read_head};

/// Where the tests' policies look for keys.
pub const PATH: &str = "/jwks.json";

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Fetch {
    pub at: Instant,
    pub method: String,
    pub path: String,
    pub headers: Headers,
}

/// How the server answers.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    wait: Wait,
    /// How much of the body never comes.
    missing: usize,
    /// Then the connection stays open, until `release`.
    stuck: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wait {
    No,
    /// This long, or until `release`.
    AtMost(Duration),
    /// Until `release`.
    Held,
    /// No answer: the connection closes.
    Never,
}

impl Answer {
    /// The set of these keys.
    pub fn keys<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> Self {
        Self::json(&keys::set(pairs))
    }

    pub fn json(document: &Value) -> Self {
        Self::bytes(document.to_string())
    }

    /// Any body at all; the header still says it is JSON.
    pub fn bytes(body: impl AsRef<[u8]>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.as_ref().to_vec(),
            wait: Wait::No,
            missing: 0,
            stuck: false,
        }
        .header("content-type", "application/json")
    }

    /// The connection closes without an answer.
    pub fn closed() -> Self {
        Self { wait: Wait::Never, ..Self::bytes("") }
    }

    /// The connection closes with this much of the body still to come.
    pub fn cut(mut self, missing: usize) -> Self {
        self.missing = missing;
        self
    }

    /// The connection stays open with this much of the body still to come.
    pub fn stuck(self, missing: usize) -> Self {
        Self { stuck: true, ..self.cut(missing) }
    }

    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Sets a header, once.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(found, _)| found != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Comes only after `wait`, or on `release`.
    pub fn slow(mut self, wait: Duration) -> Self {
        self.wait = Wait::AtMost(wait);
        self
    }

    /// Comes only on `release`.
    pub fn held(mut self) -> Self {
        self.wait = Wait::Held;
        self
    }

    /// What it answers a client that has it already, and says so.
    fn unless_known(self, request: &Headers) -> Self {
        let etag = self.headers.iter().find(|(name, _)| name == "etag").map(|(_, value)| value.clone());
        if etag.is_some() && etag == request.one("if-none-match") {
            Self { body: Vec::new(), ..self.status(304) }
        } else {
            self
        }
    }

    fn write(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let mut bytes = format!("HTTP/1.1 {} Answer\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend_from_slice(&self.body[..self.body.len() - self.missing]);
        stream.write_all(&bytes)?;
        if self.missing > 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<String, Answer>>,
    fetches: Mutex<Vec<Fetch>>,
    /// How often held answers were released.
    released: Mutex<u64>,
    release: Condvar,
    open: Mutex<Vec<TcpStream>>,
    down: AtomicBool,
}

impl Shared {
    /// Waits as `wait` says; false when there is to be no answer.
    fn wait(&self, wait: Wait) -> bool {
        let longest = match wait {
            Wait::No => return true,
            Wait::Never => return false,
            Wait::AtMost(longest) => longest,
            Wait::Held => super::DEADLINE,
        };
        let before = self.released.lock().unwrap();
        let held = *before;
        drop(self.release.wait_timeout_while(before, longest, |released| *released == held).unwrap());
        true
    }
}

/// A server of key sets, at one address whether it is up or down.
pub struct KeyServer {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.down();
    }
}

impl KeyServer {
    /// A server that answers `answer` at `PATH`.
    pub fn start(answer: Answer) -> Self {
        let mut server = Self::start_down();
        server.answer(answer);
        server.up();
        server
    }

    /// An address where nobody listens until `up`.
    pub fn start_down() -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        shared.down.store(true, Ordering::SeqCst);
        Self { address, shared, accepting: None }
    }

    /// Answers `answer` at `PATH` from now on.
    pub fn answer(&self, answer: Answer) {
        self.on(PATH, answer);
    }

    /// Answers `answer` at `path` from now on; where nothing was set, 404.
    pub fn on(&self, path: &str, answer: Answer) {
        self.shared.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Lets every answer go that is held at this moment.
    pub fn release(&self) {
        *self.shared.released.lock().unwrap() += 1;
        self.shared.release.notify_all();
    }

    /// Goes away: open connections close, new ones are refused.
    pub fn down(&mut self) {
        self.shared.down.store(true, Ordering::SeqCst);
        self.release();
        if let Some(accepting) = self.accepting.take() {
            // The thread sees that it is to end when a connection wakes it, and takes its socket with it.
            let _ = TcpStream::connect(self.address);
            let _ = accepting.join();
        }
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Comes back, at the same address.
    pub fn up(&mut self) {
        let listener = eventually("the key server's port", || TcpListener::bind(self.address).ok());
        self.shared.down.store(false, Ordering::SeqCst);
        let shared = Arc::clone(&self.shared);
        self.accepting = Some(std::thread::spawn(move || accept(&listener, &shared)));
    }

    /// Every request so far.
    pub fn fetches(&self) -> Vec<Fetch> {
        self.shared.fetches.lock().unwrap().clone()
    }

    /// How often `path` was asked for.
    pub fn count(&self, path: &str) -> usize {
        self.shared.fetches.lock().unwrap().iter().filter(|fetch| fetch.path == path).count()
    }

    /// Waits until `PATH` was asked for `count` times.
    #[track_caller]
    pub fn await_fetches(&self, count: usize) {
        eventually("a fetch of keys", || (self.count(PATH) >= count).then_some(()));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().filter_map(Result::ok) {
        if shared.down.load(Ordering::SeqCst) {
            return;
        }
        if let Ok(clone) = stream.try_clone() {
            shared.open.lock().unwrap().push(clone);
        }
        let shared = Arc::clone(shared);
        std::thread::spawn(move || serve(stream, &shared));
    }
}

fn serve(stream: TcpStream, shared: &Shared) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Ok(Some(head)) = read_head(&mut reader) {
        let mut start = head.start.splitn(3, ' ').map(str::to_owned);
        let method = start.next().unwrap_or_default();
        let path = start.next().unwrap_or_default();
        let answer = shared.answers.lock().unwrap().get(&path).cloned();
        let answer = answer.unwrap_or_else(|| Answer::bytes("").status(404)).unless_known(&head.headers);
        // Remembered before it is answered: once the answer is in hand, it is here.
        shared.fetches.lock().unwrap().push(Fetch { at: Instant::now(), method, path, headers: head.headers });
        let answered =
            shared.wait(answer.wait) && !shared.down.load(Ordering::SeqCst) && answer.write(&mut writer).is_ok();
        if answer.stuck {
            shared.wait(Wait::Held);
        }
        if !answered {
            let _ = writer.shutdown(Shutdown::Both);
            return;
        }
    }
}
