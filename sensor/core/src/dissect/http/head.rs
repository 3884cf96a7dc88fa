//! The head of an HTTP/1 message: start line and the few headers that matter (RFC 9112 sections 2 to 6).
//!
//! Lenient where a strict parser would lose the name: odd bytes in other headers, bare line feeds, spaces in the target.

use memchr::memchr;

/// The head of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// Request or status line.
    pub(super) start: Start<'a>,
    /// `Host`, the first one.
    pub(super) host: Option<&'a [u8]>,
    /// `User-Agent`.
    pub(super) user_agent: Option<&'a [u8]>,
    /// `Upgrade`.
    pub(super) upgrade: Option<&'a [u8]>,
    /// `Content-Length`, where it is one number.
    pub(super) length: Option<u64>,
    /// `Transfer-Encoding` ends with `chunked`.
    pub(super) chunked: bool,
    /// Two lengths that differ, or one that is no number: where the body ends is not known.
    pub(super) ambiguous: bool,
}

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start<'a> {
    /// Method and target as sent.
    Request {
        /// `GET`, `POST` ...
        method: &'a [u8],
        /// Origin form, absolute form, authority or `*`.
        target: &'a [u8],
    },
    /// The status code.
    Response(u16),
}

/// A request target, taken apart (RFC 9112 section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Of an absolute form or a CONNECT.
    pub(super) authority: Option<&'a [u8]>,
    /// Without query.
    pub(super) path: &'a [u8],
    /// Behind the first `?`.
    pub(super) query: &'a [u8],
}

/// Where a head ends: one past its empty line. `from` is how many bytes were searched before.
pub(super) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    let mut at = from;
    while let Some(offset) = memchr(b'\n', bytes.get(at..)?) {
        at = at.checked_add(offset)?.checked_add(1)?;
        match bytes.get(at..)? {
            [b'\n', ..] => return at.checked_add(1),
            [b'\r', b'\n', ..] => return at.checked_add(2),
            _ => {}
        }
    }
    None
}

/// Reads the first line; `None` if it is not one of HTTP/1.
pub(super) fn start(line: &[u8]) -> Option<Start<'_>> {
    if let Some(rest) = line.strip_prefix(b"HTTP/1.") {
        let code = rest.split(|b| *b == b' ').nth(1).filter(|c| c.len() == 3)?;
        return Some(Start::Response(number(code).and_then(|n| u16::try_from(n).ok())?));
    }
    let space = line.iter().take(METHOD_BYTES_MAX + 1).position(|b| *b == b' ')?;
    let (method, rest) = line.split_at_checked(space).filter(|(method, _)| is_method(method))?;
    let version = rest.windows(7).rposition(|w| w == b"HTTP/1.")?;
    let target = rest.get(..version)?.strip_suffix(b" ")?.trim_ascii();
    (!target.is_empty()).then_some(Start::Request { method, target })
}

/// Whether the bytes are a token as methods are: upper-case letters, `-` and `_`.
pub(super) fn is_method(bytes: &[u8]) -> bool {
    (1..=METHOD_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(|b| is_method_byte(*b))
}

/// Whether a byte may stand in a method.
pub(super) const fn is_method_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_')
}

/// The longest method that is believed (`UPDATEREDIRECTREF` has 17 letters), in bytes.
pub(super) const METHOD_BYTES_MAX: usize = 24;

/// Reads a head, whole or cut.
pub(super) fn parse(bytes: &[u8]) -> Option<Head<'_>> {
    bytes.first().filter(|first| is_method_byte(**first))?;
    let mut lines = lines(bytes);
    let start = start(lines.next()?)?;
    let mut head = Head { start, host: None, user_agent: None, upgrade: None, length: None, chunked: false, ambiguous: false };
    for line in lines.take_while(|line| !line.is_empty()) {
        // Of all other headers nothing is wanted.
        if !matches!(line.first(), Some(b'h' | b'H' | b'u' | b'U' | b'c' | b'C' | b't' | b'T')) {
            continue;
        }
        let Some((name, value)) = header(line) else { continue };
        if name.eq_ignore_ascii_case(b"host") {
            head.host = head.host.or(Some(value));
        } else if name.eq_ignore_ascii_case(b"user-agent") {
            head.user_agent = head.user_agent.or(Some(value));
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            head.upgrade = head.upgrade.or(Some(value));
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let length = number(value);
            head.ambiguous |= length.is_none() || head.length.is_some_and(|old| Some(old) != length);
            head.length = length;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            head.chunked = value.to_ascii_lowercase().ends_with(b"chunked");
        }
    }
    Some(head)
}

/// Lines without what ends them; the last one ends with the bytes.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let here = rest?;
        let (line, after) = match memchr(b'\n', here) {
            Some(end) => (here.get(..end)?, here.get(end.saturating_add(1)..)),
            None => (here, None),
        };
        rest = after;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    })
}

/// Name and value of a header line; `None` for a folded line (RFC 9112 section 5.2) or one without a colon.
fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if line.first().is_some_and(u8::is_ascii_whitespace) {
        return None;
    }
    let (name, value) = line.split_at_checked(line.iter().position(|b| *b == b':')?)?;
    Some((name.trim_ascii_end(), value.get(1..)?.trim_ascii()))
}

/// A decimal number of digits only.
fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Takes a request target apart.
pub(super) fn target<'a>(method: &[u8], target: &'a [u8]) -> Target<'a> {
    if method == b"CONNECT" {
        return Target { authority: Some(target), ..Target::default() };
    }
    let scheme = target.windows(3).take(12).position(|w| w == b"://").filter(|_| !target.starts_with(b"/"));
    let (authority, rest) = match scheme.and_then(|at| target.get(at.checked_add(3)?..)) {
        Some(rest) => {
            let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            (Some(authority.rsplit(|b| *b == b'@').next().unwrap_or(authority)), rest)
        }
        None => (None, target),
    };
    let path_end = rest.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(rest.len());
    let (path, query) = rest.split_at_checked(path_end).unwrap_or((rest, &[]));
    Target { authority, path, query: query.get(1..).unwrap_or(&[]) }
}

/// The host of `host`, `host:port`, `[address]` or `[address]:port` (RFC 3986 section 3.2.2).
pub(super) fn host(authority: &[u8]) -> &[u8] {
    if let Some(rest) = authority.strip_prefix(b"[") {
        return rest.split(|b| *b == b']').next().unwrap_or(rest);
    }
    let mut parts = authority.split(|b| *b == b':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(host), Some(_port), None) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn first_lines() {
        let request =
            |method: &'static str, target: &'static str| Some(Start::Request { method: method.as_bytes(), target: target.as_bytes() });
        for (line, want) in [
            ("GET / HTTP/1.1", request("GET", "/")),
            ("M-SEARCH * HTTP/1.1", request("M-SEARCH", "*")),
            ("GET /a b HTTP/1.1 HTTP/1.0", request("GET", "/a b HTTP/1.1")),
            ("HTTP/1.1 200 OK", Some(Start::Response(200))),
            ("HTTP/1.0 404", Some(Start::Response(404))),
            ("HTTP/1.1 20 OK", None),
            ("HTTP/1.1 +20 OK", None),
            ("GET / HTTP/2.0", None),
            ("GET /", None),
            ("get / HTTP/1.1", None),
            ("OPTIONS rtsp://x/ RTSP/1.0", None),
            (" / HTTP/1.1", None),
            ("GET  HTTP/1.1", None),
            ("", None),
        ] {
            assert_eq!(start(line.as_bytes()), want, "{line}");
        }
    }

    #[test]
    fn targets() {
        let parts = |method: &str, t: &str| {
            let t = target(method.as_bytes(), t.as_bytes());
            let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
            (t.authority.map(text), text(t.path), text(t.query))
        };
        let some = |s: &str| Some(s.to_owned());
        assert_eq!(parts("GET", "/a?b=c?d"), (None, "/a".into(), "b=c?d".into()));
        assert_eq!(parts("GET", "/r?u=http://x/"), (None, "/r".into(), "u=http://x/".into()));
        assert_eq!(parts("POST", "http://u@h.example:80/p#f"), (some("h.example:80"), "/p".into(), "f".into()));
        assert_eq!(parts("GET", "HTTP://h.example"), (some("h.example"), "".into(), "".into()));
        assert_eq!(parts("CONNECT", "h.example:443"), (some("h.example:443"), "".into(), "".into()));
    }

    #[test]
    fn hosts_without_port_and_brackets() {
        for (authority, want) in [("h", "h"), ("h:80", "h"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("::1", "::1"), ("", ""), ("[", "")] {
            assert_eq!(host(authority.as_bytes()), want.as_bytes());
        }
    }

    #[test]
    fn odd_bytes_do_not_lose_the_host() {
        let head = parse(b"GET /\xff HTTP/1.1\r\nX: \x01\xfe\x00\r\nno colon\r\n: empty\r\n folded: y\r\nhOsT :  h.example \r\nHost: second\r\n\r\nHost: body")
            .expect("a request");
        assert_eq!(head.host, Some(&b"h.example"[..]));
        assert_eq!(parse(b"GET / HTTP/1.1\nHost: h.example\n\n").and_then(|h| h.host), Some(&b"h.example"[..]));
    }

    #[test]
    fn lengths() {
        let of = |text: &str| {
            let text = format!("POST / HTTP/1.1\r\n{text}\r\n\r\n");
            parse(text.as_bytes()).map(|h| (h.length, h.chunked, h.ambiguous))
        };
        assert_eq!(of("Content-Length: 5"), Some((Some(5), false, false)));
        assert_eq!(of("Content-Length: 5\r\nContent-Length: 5"), Some((Some(5), false, false)));
        assert_eq!(of("Content-Length: 5\r\nContent-Length: 6"), Some((Some(6), false, true)));
        assert_eq!(of("Content-Length: +5"), Some((None, false, true)));
        assert_eq!(of("Content-Length: 99999999999999999999"), Some((None, false, true)));
        assert_eq!(of("Transfer-Encoding: gzip, Chunked"), Some((None, true, false)));
    }

    proptest! {
        #[test]
        fn the_end_is_found_from_wherever_the_search_stopped(body in "[a\r\n]{0,40}", from in 0usize..40) {
            let whole = end(body.as_bytes(), 0);
            if whole.is_none_or(|e| e > from) {
                prop_assert_eq!(end(body.as_bytes(), from.min(body.len())), whole);
            }
        }

        #[test]
        fn agrees_with_httparse(method in "[A-Z]{1,8}", path in "/[!-~]{0,30}", names in proptest::collection::vec("[A-Za-z-]{1,10}", 0..5), host in "[ -~]{0,20}") {
            let mut text = format!("{method} {path} HTTP/1.1\r\n");
            for name in &names {
                text.push_str(&format!("{name}: x\r\n"));
            }
            text.push_str(&format!("Host: {host}\r\n\r\n"));
            let mut headers = [httparse::EMPTY_HEADER; 8];
            let mut strict = httparse::Request::new(&mut headers);
            if strict.parse(text.as_bytes()).is_ok_and(|s| s.is_complete()) {
                let ours = parse(text.as_bytes()).expect("what httparse takes");
                prop_assert_eq!(ours.start, Start::Request { method: method.as_bytes(), target: path.as_bytes() });
                let theirs = strict.headers.iter().find(|h| h.name.eq_ignore_ascii_case("host")).map(|h| h.value);
                prop_assert_eq!(ours.host, theirs.map(<[u8]>::trim_ascii));
                prop_assert_eq!(end(text.as_bytes(), 0), Some(text.len()));
            } else {
                prop_assert!(false, "httparse refused {:?}", text);
            }
        }
    }
}
