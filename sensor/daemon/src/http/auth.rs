//! Who may ask: the token where there is one, and otherwise only this machine's own programs, not web pages in its browsers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};
use ring::hmac;
use ring::rand::SystemRandom;

use super::error::HttpError;
use super::problem::Problem;

/// Length of a token, bytes: shorter ones can be guessed, longer ones are a wrong file.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=512;

/// The token that clients must show. Only a keyed hash of it is kept.
#[derive(Debug)]
pub struct Token {
    path: PathBuf,
    key: hmac::Key,
    tag: RwLock<hmac::Tag>,
}

impl Token {
    /// Reads it.
    ///
    /// # Errors
    /// [`HttpError`] when the file cannot be read or holds no token.
    pub fn load(path: &Path) -> Result<Arc<Token>, HttpError> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| HttpError::Unreadable("token_file", path.to_path_buf(), std::io::Error::other("no random numbers")))?;
        let tag = RwLock::new(hmac::sign(&key, &read(path)?));
        Ok(Arc::new(Token { path: path.to_path_buf(), key, tag }))
    }

    /// Reads it again; the old one stays when that fails.
    ///
    /// # Errors
    /// [`HttpError`] as for [`Token::load`].
    pub fn refresh(&self) -> Result<(), HttpError> {
        let tag = hmac::sign(&self.key, &read(&self.path)?);
        *self.tag.write().unwrap_or_else(PoisonError::into_inner) = tag;
        Ok(())
    }

    /// Whether it is this one; takes as long for a near miss as for a far one.
    pub fn is(&self, shown: &[u8]) -> bool {
        let tag = *self.tag.read().unwrap_or_else(PoisonError::into_inner);
        hmac::verify(&self.key, shown, tag.as_ref()).is_ok()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, HttpError> {
    let text = std::fs::read(path).map_err(|e| HttpError::Unreadable("token_file", path.to_path_buf(), e))?;
    let token = text.trim_ascii();
    let malformed = |what: String| Err(HttpError::Malformed("token_file", path.to_path_buf(), what));
    if !TOKEN_BYTES.contains(&token.len()) {
        return malformed(format!("a token has {} to {} bytes, this has {}", TOKEN_BYTES.start(), TOKEN_BYTES.end(), token.len()));
    }
    if !token.iter().all(u8::is_ascii_graphic) {
        return malformed("a token is one word of printable ASCII".to_string());
    }
    Ok(token.to_vec())
}

/// Whether a request may go on. `open` routes answer without a token.
///
/// # Errors
/// [`Problem`] when it may not.
pub fn admit(token: Option<&Token>, open: bool, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    match token {
        Some(_) if open => Ok(()),
        Some(token) => bearer(headers).filter(|shown| token.is(shown)).map(|_| ()).ok_or_else(Problem::unauthorised),
        None => from_here(method, uri, headers),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
}

/// Without a token, a name that an attacker's DNS points to loopback must not open the door, nor a form on a web page reload.
fn from_here(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers.get(HOST).and_then(|h| h.to_str().ok()).or(uri.authority().map(|a| a.as_str())).unwrap_or("");
    if !is_loopback(host) {
        return Err(Problem::foreign(format!("`{}` is not a name of this machine's loopback", host.escape_debug())));
    }
    let Some(origin) = headers.get(ORIGIN).filter(|_| method != Method::GET && method != Method::HEAD) else { return Ok(()) };
    let own = origin.to_str().ok().and_then(|o| o.split_once("://")).is_some_and(|(_, o)| o == host);
    if own { Ok(()) } else { Err(Problem::foreign("a web page may not ask for this")) }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_open_the_door() {
        for host in ["localhost", "localhost:9477", "127.0.0.1:9477", "127.9.9.9", "[::1]:9477", "LOCALHOST:1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["", "evil.example.org:9477", "127.0.0.1.evil.example.org", "10.0.0.1:9477", "[2001:db8::1]:9477", "localhost.example.org"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_token_is_one_word_of_some_length_and_can_change() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("token");
        assert!(matches!(Token::load(&path), Err(HttpError::Unreadable(..))));
        for bad in ["short", "", "two words of some length", "line one of it\nline two of it"] {
            std::fs::write(&path, bad).expect("written");
            assert!(matches!(Token::load(&path), Err(HttpError::Malformed(..))), "{bad}");
        }
        std::fs::write(&path, "0123456789abcdef\n").expect("written");
        let token = Token::load(&path).expect("a token");
        assert!(token.is(b"0123456789abcdef") && !token.is(b"0123456789abcdee") && !token.is(b"") && !token.is(b"0123456789abcdef0"));
        std::fs::write(&path, "x").expect("written");
        assert!(token.refresh().is_err() && token.is(b"0123456789abcdef"), "the old one stays");
        std::fs::write(&path, "another-token-here").expect("written");
        assert!(token.refresh().is_ok() && token.is(b"another-token-here") && !token.is(b"0123456789abcdef"));
    }
}
