//! Why the server cannot be set up: each with the file and a remedy.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the server cannot be set up.
#[derive(Debug)]
pub enum HttpError {
    /// `listen = "off"`: there is nothing to bind.
    Off,
    /// It can be reached from outside, but not everything is there that this takes.
    Unguarded(SocketAddr),
    /// The address cannot be listened on.
    Bind(SocketAddr, std::io::Error),
    /// A file cannot be read.
    Unreadable(&'static str, PathBuf, std::io::Error),
    /// A file holds something else.
    Malformed(&'static str, PathBuf, String),
    /// Certificate and key do not belong together, or are of no use.
    Pair(PathBuf, PathBuf, String),
}

impl HttpError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            HttpError::Off => "set http.listen to an address with a port".into(),
            HttpError::Unguarded(_) => "set token_file, tls_certificate and tls_key beside it, or listen on 127.0.0.1".into(),
            HttpError::Bind(addr, error) => match error.kind() {
                std::io::ErrorKind::AddrInUse => {
                    format!("another program has port {}; `ss -ltnp` tells which, or set http.listen", addr.port())
                }
                std::io::ErrorKind::AddrNotAvailable => "no interface has this address; `ip -br addr` lists them".into(),
                std::io::ErrorKind::PermissionDenied => "choose a port above 1023 in http.listen".into(),
                _ => "set http.listen to another address".into(),
            },
            HttpError::Unreadable(key, path, error) => match error.kind() {
                std::io::ErrorKind::NotFound => format!("create it, or correct http.{key}"),
                std::io::ErrorKind::PermissionDenied => format!("make {} readable for the user that ringfence runs as", path.display()),
                _ => format!("correct http.{key}"),
            },
            HttpError::Malformed("token_file", ..) => {
                "put one line of 16 to 512 letters and digits in it, such as `openssl rand -hex 32` makes".into()
            }
            HttpError::Malformed(key, ..) => format!("http.{key} names a file in PEM form (`-----BEGIN ...`)"),
            HttpError::Pair(..) => "give the chain with the server's own certificate first, and the key that it was made for".into(),
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::Off => f.write_str("http.listen: switched off"),
            HttpError::Unguarded(addr) => write!(f, "http.listen: {addr} can be reached from outside"),
            HttpError::Bind(addr, error) => write!(f, "http.listen: {addr}: {error}"),
            HttpError::Unreadable(key, path, error) => write!(f, "http.{key}: {}: {error}", path.display()),
            HttpError::Malformed(key, path, what) => write!(f, "http.{key}: {}: {what}", path.display()),
            HttpError::Pair(chain, key, what) => {
                write!(f, "http.tls_certificate, http.tls_key: {} and {}: {what}", chain.display(), key.display())
            }
        }
    }
}

impl std::error::Error for HttpError {}
