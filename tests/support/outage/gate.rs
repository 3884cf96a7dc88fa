//! Stands before a far end, and lets through what it is told to: everything, nothing, a part, slowly.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

/// What a far end can get into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// None: everything goes through.
    None,
    /// HTTP is answered with 500; other connections are closed at once.
    Broken,
    /// Connections are accepted, and nothing goes through in either direction.
    Hangs,
    /// Connections break off after a few hundred bytes.
    Cut,
    /// What is sent goes through; no answer comes back, and the connection breaks off.
    Deaf,
    /// A few hundred bytes go through at a time.
    Slow,
    /// The program is killed with -9, and started again at the end.
    Killed,
    /// The program stands still (SIGSTOP).
    Stopped,
}

const TROUBLES: [Trouble; 8] =
    [Trouble::None, Trouble::Broken, Trouble::Hangs, Trouble::Cut, Trouble::Deaf, Trouble::Slow, Trouble::Killed, Trouble::Stopped];

/// How far the two directions of a connection are.
#[derive(Default)]
struct Way {
    /// It broke off.
    over: AtomicBool,
    /// All that was to be sent is with the far end.
    sent: AtomicBool,
}

/// Bytes that go through at once, or at all, where not everything does.
const PART: usize = 300;
/// How long the gate looks away.
const BLINK: Duration = Duration::from_millis(20);

/// A gate.
pub struct Gate {
    /// Where it stands.
    pub addr: SocketAddr,
    trouble: Arc<AtomicU8>,
}

impl Gate {
    /// Before a port of this machine.
    ///
    /// # Panics
    /// When there is no port for it.
    pub fn before(port: u16) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let gate = Gate { addr: listener.local_addr().expect("an address"), trouble: Arc::default() };
        let trouble = Arc::clone(&gate.trouble);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let trouble = Arc::clone(&trouble);
                std::thread::spawn(move || drop(serve(stream, port, &trouble)));
            }
        });
        gate
    }

    /// From now on, for connections that stand as well.
    pub fn set(&self, trouble: Trouble) {
        let at = TROUBLES.iter().position(|t| *t == trouble).unwrap_or(0);
        self.trouble.store(u8::try_from(at).unwrap_or(0), Ordering::SeqCst);
    }
}

fn now(trouble: &AtomicU8) -> Trouble {
    TROUBLES[usize::from(trouble.load(Ordering::SeqCst))]
}

fn serve(stream: TcpStream, port: u16, trouble: &Arc<AtomicU8>) -> io::Result<()> {
    if now(trouble) == Trouble::Broken {
        return refuse(stream);
    }
    while now(trouble) == Trouble::Hangs {
        std::thread::sleep(BLINK);
    }
    let far = TcpStream::connect(("127.0.0.1", port))?;
    let over = Arc::<Way>::default();
    let (back_from, back_to, told, also) = (far.try_clone()?, stream.try_clone()?, Arc::clone(trouble), Arc::clone(&over));
    let back = std::thread::spawn(move || pump(back_from, back_to, &told, &also, true));
    let there = pump(stream, far, trouble, &over, false);
    let _ = back.join();
    there
}

/// Answers HTTP with 500. Others find the connection closed with what they said unread, as by a program that dies.
fn refuse(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(BLINK * 10))?;
    let mut asked = [0; 65_536];
    let length = stream.peek(&mut asked)?;
    if !asked[..length].starts_with(b"POST ") {
        return Ok(());
    }
    // The answer must not overtake the question, or its end would be unread as well.
    while stream.read(&mut asked).is_ok_and(|length| length > 0) {}
    stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// One direction, until its end.
fn pump(mut from: TcpStream, mut to: TcpStream, trouble: &AtomicU8, way: &Way, back: bool) -> io::Result<()> {
    from.set_read_timeout(Some(BLINK))?;
    let mut part = [0; 16_384];
    let mut passed = 0;
    while !way.over.load(Ordering::SeqCst) {
        let room = if matches!(now(trouble), Trouble::Slow | Trouble::Cut) { PART } else { part.len() };
        let length = match from.read(&mut part[..room]) {
            Ok(0) if back && now(trouble) == Trouble::Deaf => return broken(&from, &to, way),
            Ok(0) if back => return ended(&from, &to, way),
            Ok(0) => {
                way.sent.store(true, Ordering::SeqCst);
                return to.shutdown(Shutdown::Write);
            }
            Ok(length) => length,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => 0,
            Err(_) => return broken(&from, &to, way),
        };
        passed += length;
        while now(trouble) == Trouble::Hangs {
            std::thread::sleep(BLINK);
        }
        match now(trouble) {
            Trouble::Broken => return broken(&from, &to, way),
            Trouble::Cut if passed > PART => return broken(&from, &to, way),
            Trouble::Deaf if back && length > 0 => return broken(&from, &to, way),
            Trouble::Slow if length > 0 => std::thread::sleep(BLINK),
            _ => {}
        }
        if to.write_all(&part[..length]).is_err() {
            return broken(&from, &to, way);
        }
    }
    Ok(())
}

/// A far end that closes before everything has come to it answers the rest with a reset. Without a gate that would come at once; so what
/// is on its way is brought there before its end is handed on.
fn ended(from: &TcpStream, to: &TcpStream, way: &Way) -> io::Result<()> {
    for _ in 0..10 {
        std::thread::sleep(BLINK);
        if way.sent.load(Ordering::SeqCst) || way.over.load(Ordering::SeqCst) {
            break;
        }
    }
    std::thread::sleep(BLINK * 3);
    if way.over.load(Ordering::SeqCst) || from.take_error()?.is_some() { broken(from, to, way) } else { to.shutdown(Shutdown::Write) }
}

/// Both ends learn by a reset that it broke off, once the last handle of each is closed.
fn broken(from: &TcpStream, to: &TcpStream, way: &Way) -> io::Result<()> {
    way.over.store(true, Ordering::SeqCst);
    let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    [from, to].iter().try_for_each(|stream| setsockopt(stream, sockopt::Linger, &linger))?;
    Err(io::ErrorKind::ConnectionAborted.into())
}
