//! Who may ask: operators by their tokens; readers by the token where there is one, and otherwise only this machine's own programs, not
//! web pages in its browsers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};
use ring::hmac;
use ring::rand::SystemRandom;

use super::error::HttpError;
use super::problem::Problem;
use crate::config::Operator;
use crate::control::Right;

/// Length of a token, bytes: shorter ones can be guessed, longer ones are a wrong file.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=512;

/// What clients must show. Only keyed hashes of tokens are kept.
#[derive(Debug)]
pub struct Gate {
    key: hmac::Key,
    reader: Option<Token>,
    operators: Vec<(Operator, Token)>,
}

/// A token: the file, and a keyed hash of what it holds.
#[derive(Debug)]
struct Token {
    path: PathBuf,
    tag: RwLock<hmac::Tag>,
}

impl Gate {
    /// Reads every token.
    ///
    /// # Errors
    /// [`HttpError`] when a file cannot be read, holds no token, or one that somebody else has as well.
    pub fn load(reader: Option<&Path>, operators: &[Operator]) -> Result<Arc<Gate>, HttpError> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| HttpError::Unreadable("token_file", PathBuf::new(), std::io::Error::other("no random numbers")))?;
        let reader = reader.map(|path| Token::load(&key, path)).transpose()?;
        let with_token = |o: &Operator| Ok((o.clone(), Token::load(&key, &o.token_file)?));
        let operators = operators.iter().map(with_token).collect::<Result<Vec<_>, HttpError>>()?;
        let gate = Gate { key, reader, operators };
        gate.alike().map_or(Ok(Arc::new(gate)), Err)
    }

    /// Whether readers must show a token.
    pub fn is_closed(&self) -> bool {
        self.reader.is_some()
    }

    /// Reads every token again; those that cannot be read stay as they are.
    ///
    /// # Errors
    /// The first [`HttpError`], as for [`Gate::load`].
    pub fn refresh(&self) -> Result<(), HttpError> {
        let results: Vec<_> = self.tokens().map(|token| token.refresh(&self.key)).collect();
        results.into_iter().collect()
    }

    /// Whether a request may go on, and who asks. `open` routes answer without a token; what needs a right needs a person.
    ///
    /// # Errors
    /// [`Problem`] when it may not.
    pub fn admit(&self, asks: &Asks<'_>) -> Result<Option<Operator>, Problem> {
        let shown = bearer(asks.headers);
        let operator = self.operators.iter().find(|(_, token)| shown.is_some_and(|shown| token.is(&self.key, shown))).map(|(o, _)| o);
        match (operator, asks.right) {
            (Some(operator), Some(right)) if !operator.may.contains(&right) => Err(Problem::not_permitted(&operator.name, right)),
            (Some(operator), _) => Ok(Some(operator.clone())),
            (None, Some(right)) => Err(Problem::nobody(right)),
            (None, None) => self.admit_reader(asks, shown),
        }
    }

    fn admit_reader(&self, asks: &Asks<'_>, shown: Option<&[u8]>) -> Result<Option<Operator>, Problem> {
        match &self.reader {
            Some(_) if asks.open => Ok(None),
            Some(token) => shown.filter(|shown| token.is(&self.key, shown)).map(|_| None).ok_or_else(Problem::unauthorised),
            None => from_here(asks.method, asks.uri, asks.headers).map(|()| None),
        }
    }

    fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.reader.iter().chain(self.operators.iter().map(|(_, token)| token))
    }

    /// A token that two have: then nobody could say who did what.
    fn alike(&self) -> Option<HttpError> {
        let mut seen: Vec<hmac::Tag> = Vec::new();
        self.tokens().find_map(|token| {
            let tag = *token.tag.read().unwrap_or_else(PoisonError::into_inner);
            let twice = seen.iter().any(|other| other.as_ref() == tag.as_ref());
            seen.push(tag);
            twice.then(|| HttpError::Malformed("token_file", token.path.clone(), "somebody else has the same token".to_string()))
        })
    }
}

/// A request, as far as it decides who may make it.
pub struct Asks<'r> {
    /// The route answers without a token.
    pub open: bool,
    /// What its sender must be allowed to do.
    pub right: Option<Right>,
    /// The method.
    pub method: &'r Method,
    /// The target.
    pub uri: &'r Uri,
    /// The head.
    pub headers: &'r HeaderMap,
}

impl Token {
    fn load(key: &hmac::Key, path: &Path) -> Result<Token, HttpError> {
        Ok(Token { path: path.to_path_buf(), tag: RwLock::new(hmac::sign(key, &read(path)?)) })
    }

    fn refresh(&self, key: &hmac::Key) -> Result<(), HttpError> {
        let tag = hmac::sign(key, &read(&self.path)?);
        *self.tag.write().unwrap_or_else(PoisonError::into_inner) = tag;
        Ok(())
    }

    /// Whether it is this one; takes as long for a near miss as for a far one.
    fn is(&self, key: &hmac::Key, shown: &[u8]) -> bool {
        let tag = *self.tag.read().unwrap_or_else(PoisonError::into_inner);
        hmac::verify(key, shown, tag.as_ref()).is_ok()
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
        let load = || Gate::load(Some(&path), &[]);
        assert!(matches!(load(), Err(HttpError::Unreadable(..))));
        for bad in ["short", "", "two words of some length", "line one of it\nline two of it"] {
            std::fs::write(&path, bad).expect("written");
            assert!(matches!(load(), Err(HttpError::Malformed(..))), "{bad}");
        }
        std::fs::write(&path, "0123456789abcdef\n").expect("written");
        let gate = load().expect("a gate");
        let is = |shown: &[u8]| gate.tokens().any(|token| token.is(&gate.key, shown));
        assert!(is(b"0123456789abcdef") && !is(b"0123456789abcdee") && !is(b"") && !is(b"0123456789abcdef0"));
        std::fs::write(&path, "x").expect("written");
        assert!(gate.refresh().is_err() && is(b"0123456789abcdef"), "the old one stays");
        std::fs::write(&path, "another-token-here").expect("written");
        assert!(gate.refresh().is_ok() && is(b"another-token-here") && !is(b"0123456789abcdef"));
    }

    #[test]
    fn who_asks_and_what_they_may() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let operator = |name: &str, token: &str, may: &[Right]| {
            let token_file = dir.path().join(name);
            std::fs::write(&token_file, token).expect("written");
            Operator { name: name.to_string(), token_file, may: may.to_vec() }
        };
        let (jana, petr) =
            (operator("jana", "token-of-jana-here", &[Right::Waivers]), operator("petr", "token-of-petr-here", &[Right::Acknowledge]));
        let gate = Gate::load(None, &[jana.clone(), petr]).expect("a gate");
        let ask = |shown: &str, right: Option<Right>| {
            let headers = HeaderMap::from_iter([
                (HOST, "localhost".parse().expect("a value")),
                (AUTHORIZATION, format!("Bearer {shown}").parse().expect("a value")),
            ]);
            let asks = Asks { open: false, right, method: &Method::POST, uri: &Uri::from_static("/x"), headers: &headers };
            gate.admit(&asks).map(|who| who.map(|o| o.name)).map_err(|p| p.status)
        };
        assert_eq!(ask("token-of-jana-here", Some(Right::Waivers)), Ok(Some("jana".to_string())));
        assert_eq!(ask("token-of-jana-here", Some(Right::Acknowledge)), Err(403));
        assert_eq!(ask("token-of-jana-here", None), Ok(Some("jana".to_string())));
        assert_eq!(ask("something-else-there", Some(Right::Waivers)), Err(401));
        assert_eq!(ask("something-else-there", None), Ok(None), "reading needs no token here");
        let twin = operator("twin", "token-of-jana-here", &[]);
        assert!(matches!(Gate::load(None, &[jana, twin]), Err(HttpError::Malformed(..))));
    }
}
