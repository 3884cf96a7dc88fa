//! A far end for webhooks: it takes requests and keeps them, or misbehaves as told.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::sensor::Json;

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Takes everything.
    Good,
    /// Answers 500 and keeps nothing.
    Broken,
    /// Accepts and never answers.
    Hangs,
    /// Takes everything, and breaks off before it answers.
    Forgets,
    /// Takes its time.
    Slow,
    /// Will not have events of one finding.
    Picky,
}

/// A request that was taken.
#[derive(Clone, Debug)]
pub struct Request {
    /// Header lines, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The events in it.
    ///
    /// # Panics
    /// When it is no JSON.
    pub fn events(&self) -> Vec<Json> {
        let body: Json = serde_json::from_slice(&self.body).expect("JSON");
        body["events"].as_array().expect("events").clone()
    }
}

/// The far end.
pub struct Receiver {
    /// Where it listens.
    pub addr: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    taken: Arc<Mutex<Vec<Request>>>,
    over: Arc<AtomicBool>,
}

impl Receiver {
    /// Listens on a port of its own.
    ///
    /// # Panics
    /// When it cannot.
    pub fn start() -> Self {
        Receiver::on(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    /// Answers on a socket.
    ///
    /// # Panics
    /// When the socket is none.
    pub fn on(listener: TcpListener) -> Self {
        let addr = listener.local_addr().expect("an address");
        let (manner, taken) = (Arc::new(Mutex::new(Manner::Good)), Arc::<Mutex<Vec<Request>>>::default());
        let over = Arc::new(AtomicBool::new(false));
        let receiver = Receiver { addr, manner: Arc::clone(&manner), taken: Arc::clone(&taken), over: Arc::clone(&over) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (manner, taken) = (*manner.lock().expect("its manner"), Arc::clone(&taken));
                // Whoever breaks off is not this thread's problem.
                std::thread::spawn(move || drop(serve(stream, manner, &taken)));
            }
        });
        receiver
    }

    /// How it behaves from the next request on.
    ///
    /// # Panics
    /// When a thread of it did.
    pub fn behaves(&self, manner: Manner) {
        *self.manner.lock().expect("its manner") = manner;
    }

    /// Requests that it has taken.
    ///
    /// # Panics
    /// When a thread of it did.
    pub fn taken(&self) -> Vec<Request> {
        self.taken.lock().expect("its requests").clone()
    }

    /// Events that it has taken, as often as they came.
    pub fn events(&self) -> Vec<Json> {
        self.taken().iter().flat_map(Request::events).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.addr);
    }
}

fn serve(mut stream: TcpStream, manner: Manner, taken: &Mutex<Vec<Request>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            // Whoever was killed in the middle of a head has asked for nothing.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        headers.insert(name.to_lowercase(), value.trim().to_string());
    }
    let mut body = vec![0; headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let picky = manner == Manner::Picky && String::from_utf8_lossy(&body).contains("poison");
    let status = match manner {
        Manner::Hangs => {
            std::thread::sleep(Duration::from_secs(60));
            return Ok(());
        }
        Manner::Broken => "500 Internal Server Error",
        _ if picky => "422 Unprocessable Content",
        _ => {
            if manner == Manner::Slow {
                std::thread::sleep(Duration::from_millis(700));
            }
            taken.lock().map_err(|_| io::Error::other("poisoned"))?.push(Request { headers, body });
            if manner == Manner::Forgets {
                return Ok(());
            }
            "204 No Content"
        }
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}
