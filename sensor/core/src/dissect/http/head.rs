//! The head of an HTTP/1 message: start line and the few headers that matter (RFC 9112 sections 2 to 6).
//!
//! Lenient where a strict parser would lose the name: odd bytes in other headers, bare line feeds, spaces in the target.

use memchr::{memchr, memchr2};

/// What a version begins with.
pub(super) const VERSION: &[u8] = b"HTTP/1.";

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
    if let Some(rest) = line.strip_prefix(VERSION) {
        let code = rest.split(|b| *b == b' ').nth(1).filter(|c| c.len() == 3)?;
        return Some(Start::Response(number(code).and_then(|n| u16::try_from(n).ok())?));
    }
    let letters = line.iter().take(METHOD_BYTES_MAX).take_while(|b| is_method_byte(**b)).count();
    let (method, rest) = line.split_at_checked(letters).filter(|(method, rest)| !method.is_empty() && rest.starts_with(b" "))?;
    // Nearly always it is the end of the line, and so the last one.
    let version = match rest.len().checked_sub(VERSION.len() + 1) {
        Some(at) if rest.get(at..).is_some_and(|tail| tail.starts_with(VERSION)) => at,
        _ => rest.windows(VERSION.len()).rposition(|w| w == VERSION)?,
    };
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

/// Whether a head may begin here, by its first line.
pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| is_method_byte(*first)) && lines(bytes).next().and_then(start).is_some()
}

/// Reads a head, whole or cut.
pub(super) fn parse(bytes: &[u8]) -> Option<Head<'_>> {
    bytes.first().filter(|first| is_method_byte(**first))?;
    let mut lines = lines(bytes);
    let mut head = Head::new(start(lines.next()?)?);
    lines.take_while(|line| !line.is_empty()).for_each(|line| head.take(line));
    Some(head)
}

/// Reads a head that is here to its end, and says where that is, in one go: the same as [`end`], then [`parse`]. `None` for anything else.
pub(super) fn whole(bytes: &[u8]) -> Option<(Head<'_>, usize)> {
    bytes.first().filter(|first| is_method_byte(**first))?;
    let (line, mut rest) = line(bytes)?;
    let mut head = Head::new(start(line)?);
    loop {
        let (line, after) = self::line(rest)?;
        if line.is_empty() {
            return Some((head, bytes.len().checked_sub(after.len())?));
        }
        head.take(line);
        rest = after;
    }
}

impl<'a> Head<'a> {
    const fn new(start: Start<'a>) -> Self {
        Head { start, host: None, user_agent: None, upgrade: None, length: None, chunked: false, ambiguous: false }
    }

    /// Takes a header line. Of most nothing is wanted.
    #[inline(always)]
    fn take(&mut self, line: &'a [u8]) {
        if let Some(b'h' | b'H' | b'u' | b'U' | b'c' | b'C' | b't' | b'T') = line.first() {
            self.take_wanted(line);
        }
    }

    fn take_wanted(&mut self, line: &'a [u8]) {
        match line.first() {
            Some(b'h' | b'H') => self.host = self.host.or_else(|| value(line, b"host")),
            Some(b'u' | b'U') => {
                self.user_agent = self.user_agent.or_else(|| value(line, b"user-agent"));
                self.upgrade = self.upgrade.or_else(|| value(line, b"upgrade"));
            }
            Some(b'c' | b'C') => {
                let Some(text) = value(line, b"content-length") else { return };
                let length = number(text);
                self.ambiguous |= length.is_none() || self.length.is_some_and(|old| Some(old) != length);
                self.length = length;
            }
            Some(b't' | b'T') => {
                let Some(codings) = value(line, b"transfer-encoding") else { return };
                self.chunked = codings.last_chunk::<7>().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
            }
            _ => {}
        }
    }
}

/// The first line without what ends it, and what comes behind it; `None` while its end is not here.
#[inline]
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at_checked(memchr(b'\n', bytes)?)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..)?))
}

/// Lines without what ends them; the last one ends with the bytes.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let here = rest?;
        let Some((line, after)) = line(here) else {
            rest = None;
            return Some(here.strip_suffix(b"\r").unwrap_or(here));
        };
        rest = Some(after);
        Some(line)
    })
}

/// The value of a header line that has this name; spaces may stand around the value and behind the name.
#[inline]
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = line.split_at_checked(name.len())?;
    // Names of other lengths are told apart by what follows, which costs less than to compare them.
    let ends = rest.first().is_some_and(|next| *next == b':' || next.is_ascii_whitespace());
    if !ends || !head.eq_ignore_ascii_case(name) {
        return None;
    }
    Some(rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii())
}

/// A decimal number of digits only.
fn number(text: &[u8]) -> Option<u64> {
    text.first()?;
    text.iter().try_fold(0u64, |so_far, digit| {
        let value = digit.checked_sub(b'0').filter(|value| *value < 10)?;
        so_far.checked_mul(10)?.checked_add(u64::from(value))
    })
}

/// Takes a request target apart.
pub(super) fn target<'a>(method: &[u8], target: &'a [u8]) -> Target<'a> {
    if method == b"CONNECT" {
        return Target { authority: Some(target), ..Target::default() };
    }
    let scheme = if target.starts_with(b"/") { None } else { target.windows(3).take(12).position(|w| w == b"://") };
    let (authority, rest) = match scheme.and_then(|at| target.get(at.checked_add(3)?..)) {
        Some(rest) => {
            let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            (Some(authority.rsplit(|b| *b == b'@').next().unwrap_or(authority)), rest)
        }
        None => (None, target),
    };
    let path_end = memchr2(b'?', b'#', rest).unwrap_or(rest.len());
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
        for (line, want) in
            [("Host \t: x", Some("x")), ("Host", None), ("Hos: x", None), ("Host-: x", None), ("Host x: y", None), ("HOST:", Some(""))]
        {
            let text = format!("GET / HTTP/1.1\r\n{line}\r\n\r\n");
            assert_eq!(parse(text.as_bytes()).and_then(|h| h.host), want.map(str::as_bytes), "{line}");
        }
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
        fn a_value_stands_behind_its_name(line in "(host|HOST|hosts|Ho)[ \t:x]{0,4}[ -~]{0,4}") {
            let colon = line.find(':').map(|at| (line[..at].trim_ascii_end(), line[at + 1..].trim_ascii()));
            let naive = colon.filter(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, value)| value.as_bytes());
            prop_assert_eq!(value(line.as_bytes(), b"host"), naive);
        }

        #[test]
        fn in_one_go_or_in_two(
            first in "(GET / HTTP/1.1|HTTP/1.1 200 OK|GET|)",
            lines in "(\r?\n(Host: a|Host: b|content-length: 5|Content-Length : [56x]|Transfer-Encoding: (gzip, )?chunked|x[\r:]|))*",
            tail in "[a\r\n]{0,6}",
        ) {
            let text = format!("{first}{lines}{tail}");
            let bytes = text.as_bytes();
            let two = end(bytes, 0).and_then(|end| Some((parse(bytes.get(..end)?)?, end)));
            prop_assert_eq!(whole(bytes), two);
            prop_assert_eq!(begins(bytes), parse(bytes).is_some());
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
