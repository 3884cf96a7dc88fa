//! A port of this machine's loopback that leads to the same machine's loopback inside a namespace, so that a browser can look in.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use super::Namespace;

/// Opens a door; it stays open until the process ends.
///
/// # Errors
/// When the outer port is taken.
pub fn open(namespace: &Namespace, outer: u16, inner: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", outer))?;
    let namespace = namespace.clone();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            // Nobody listens inside any more: the caller sees a closed connection, as it would without a door.
            if let Ok(far) = namespace.run(|| TcpStream::connect(("127.0.0.1", inner))) {
                drop(join(near, far));
            }
        }
    });
    Ok(())
}

fn join(near: TcpStream, far: TcpStream) -> io::Result<()> {
    let (near_too, far_too) = (near.try_clone()?, far.try_clone()?);
    thread::spawn(move || carry(near, far));
    thread::spawn(move || carry(far_too, near_too));
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
