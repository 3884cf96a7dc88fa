//! How far a message body goes (RFC 9112 sections 6 and 7), and who wants to see it.

use super::shortlink::Held;

/// The longest chunk size line, with extensions, in bytes.
const CHUNK_LINE_BYTES_MAX: usize = 1_024;

/// The longest trailer section, in bytes.
const TRAILER_BYTES_MAX: usize = 16 * 1_024;

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked(Chunk),
    /// With the connection.
    UntilClose,
}

/// Where in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Before a size line.
    Size,
    /// So many bytes before the end of a chunk.
    Data(u64),
    /// Behind a chunk, before its line end.
    End,
    /// Behind the last chunk, so many trailer bytes in.
    Trailer(usize),
    /// Behind the empty line.
    Done,
}

/// What is done with the bytes of a body.
#[derive(Debug)]
pub(super) enum Taste {
    /// Nothing: they are skipped, most of them unseen.
    Skip,
    /// A request that waits for them.
    ShortLink(Box<Held>),
    /// The begin of an old clear short link whose body has so many bytes.
    Legacy(Vec<u8>, u64),
    /// A reply of the app's own name service.
    NewDns(Vec<u8>),
}

/// One step through a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// So many of the bytes are body.
    Content(usize),
    /// The next bytes are body, whether they are here or not.
    Unseen(usize),
    /// So many bytes are framing.
    Frame(usize),
    /// More bytes are needed: so many unread ones.
    Need(usize),
    /// The body has ended.
    End,
    /// It has no order that is known.
    Broken,
}

impl Framing {
    /// What the next bytes are; `unseen`: nobody wants to see them.
    pub(super) fn step(&mut self, rest: &[u8], unseen: bool) -> Piece {
        match self {
            Framing::Length(0) => Piece::End,
            Framing::Length(left) => content(left, rest, unseen),
            Framing::UntilClose if rest.is_empty() => Piece::Need(0),
            Framing::UntilClose => Piece::Content(rest.len()),
            Framing::Chunked(chunk) => chunk.step(rest, unseen),
        }
    }
}

fn content(left: &mut u64, rest: &[u8], unseen: bool) -> Piece {
    let wanted = usize::try_from(*left).unwrap_or(usize::MAX);
    if unseen {
        *left = 0;
        return Piece::Unseen(wanted);
    }
    let count = wanted.min(rest.len());
    if count == 0 {
        return Piece::Need(0);
    }
    *left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
    Piece::Content(count)
}

impl Chunk {
    fn step(&mut self, rest: &[u8], unseen: bool) -> Piece {
        match self {
            Chunk::Data(0) => {
                *self = Chunk::End;
                Piece::Frame(0)
            }
            Chunk::Data(left) => content(left, rest, unseen),
            Chunk::Size => self.size(rest),
            Chunk::Done => Piece::End,
            Chunk::End => match line(rest) {
                Some((b"", used)) => {
                    *self = Chunk::Size;
                    Piece::Frame(used)
                }
                None if rest.len() < 2 => Piece::Need(rest.len().saturating_add(1)),
                _ => Piece::Broken,
            },
            Chunk::Trailer(seen) => match line(rest) {
                Some((b"", used)) => {
                    *self = Chunk::Done;
                    Piece::Frame(used)
                }
                Some((_, used)) if seen.saturating_add(used) < TRAILER_BYTES_MAX => {
                    *seen = seen.saturating_add(used);
                    Piece::Frame(used)
                }
                None if rest.len() < CHUNK_LINE_BYTES_MAX => Piece::Need(rest.len().saturating_add(1)),
                _ => Piece::Broken,
            },
        }
    }

    fn size(&mut self, rest: &[u8]) -> Piece {
        let Some((text, used)) = line(rest) else {
            return if rest.len() < CHUNK_LINE_BYTES_MAX { Piece::Need(rest.len().saturating_add(1)) } else { Piece::Broken };
        };
        let digits = text.split(|b| *b == b';').next().unwrap_or(text).trim_ascii();
        let size = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        match size.and_then(|d| u64::from_str_radix(d, 16).ok()) {
            Some(0) => *self = Chunk::Trailer(0),
            Some(size) => *self = Chunk::Data(size),
            None => return Piece::Broken,
        }
        Piece::Frame(used)
    }
}

/// The first line without its end, and how many bytes it takes with it. A longer one than is waited for is none, also when it is there
/// at once: how a stream is cut must not matter.
fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let at = bytes.iter().take(CHUNK_LINE_BYTES_MAX).position(|b| *b == b'\n')?;
    let text = bytes.get(..at)?;
    Some((text.strip_suffix(b"\r").unwrap_or(text), at.checked_add(1)?))
}
