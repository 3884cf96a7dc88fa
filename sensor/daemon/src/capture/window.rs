//! A window over a byte stream: read in large chunks, borrowed from without copying. Only what straddles two chunks is moved.
//!
//! Must not know capture formats.

use std::io;
use std::ops::Range;

/// Why the bytes end where they end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The stream is over.
    Clean,
    /// The compressed data stops in the middle.
    Cut(&'static str),
    /// The compressed data cannot be decompressed further; what to do about it.
    Damaged(String, Option<&'static str>),
}

/// A stream of bytes that knows how it ended.
pub(super) trait Stream: Send {
    /// Reads some bytes; `Ok(0)` at the end.
    ///
    /// # Errors
    /// Only for failures of the device; trouble with the data is an end (see [`Stream::ended`]).
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize>;

    /// Why there are no more bytes; asked after `Ok(0)`.
    fn ended(&self) -> Ended {
        Ended::Clean
    }
}

/// Any reader is a stream that ends cleanly (tests).
#[cfg(test)]
pub(super) struct Plain<R>(pub R);

#[cfg(test)]
impl<R: io::Read + Send> Stream for Plain<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

/// A page of memory.
const PAGE: usize = 4_096;

/// Chunks from which on it pays to begin a read at a page.
const ALIGNED_MIN: usize = 64 * 1024;

/// The window.
pub(super) struct Window {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    /// Bytes of one read.
    chunk: usize,
    start: usize,
    end: usize,
    /// Where in the stream the buffer begins, modulo 2^64: at first the stream begins inside of it.
    base: u64,
    ended: Option<Ended>,
}

impl Window {
    /// A window that reads `chunk` bytes at a time (at least one).
    pub fn new(stream: Box<dyn Stream>, chunk: usize) -> Self {
        let room = if chunk >= ALIGNED_MIN { chunk + 2 * PAGE } else { chunk.max(1) };
        Window { stream, buffer: vec![0; room], chunk, start: 0, end: 0, base: 0, ended: None }
    }

    /// Where the next read is to go, behind `left` bytes that are kept: to the beginning of a page, because the kernel copies to such
    /// places several times as fast.
    fn place(&self, left: usize) -> usize {
        let to_page = self.buffer.as_ptr().align_offset(PAGE);
        let page = if left > to_page { to_page.saturating_add(PAGE) } else { to_page };
        if self.chunk >= ALIGNED_MIN && left <= page && page.saturating_add(self.chunk) <= self.buffer.len() { page } else { left }
    }

    /// Makes sure that `n` bytes can be looked at; false when the stream ends before.
    ///
    /// Callers bound `n`: the buffer grows to hold it.
    #[inline]
    pub fn need(&mut self, n: usize) -> io::Result<bool> {
        if self.end - self.start >= n {
            return Ok(true);
        }
        self.refill(n)
    }

    #[cold]
    fn refill(&mut self, n: usize) -> io::Result<bool> {
        let left = self.end - self.start;
        let place = self.place(left);
        self.buffer.copy_within(self.start..self.end, place - left);
        self.base = self.offset().wrapping_sub((place - left) as u64);
        (self.start, self.end) = (place - left, place);
        if self.buffer.len() < self.start + n {
            self.buffer.resize(self.start + n, 0);
        }
        while self.end - self.start < n && self.ended.is_none() {
            let until = self.buffer.len().min(self.end.saturating_add(self.chunk.max(n)));
            let read = self.stream.read(&mut self.buffer[self.end..until])?;
            if read == 0 {
                self.ended = Some(self.stream.ended());
            }
            self.end += read;
        }
        Ok(self.end - self.start >= n)
    }

    /// The bytes that can be looked at without reading.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The same, and where they begin: whoever takes some of them moves that on.
    pub fn ahead(&mut self) -> (&[u8], &mut usize) {
        (&self.buffer[self.start..self.end], &mut self.start)
    }

    /// Steps over `n` bytes that were looked at; their place stays valid for [`Window::slice`] until the next read.
    #[inline]
    pub fn consume(&mut self, n: usize) -> Range<usize> {
        let from = self.start;
        self.start = self.end.min(from + n);
        from..self.start
    }

    /// Steps over `n` bytes of any number, reading on as needed; false when the stream ends before.
    pub fn skip(&mut self, mut n: u64) -> io::Result<bool> {
        loop {
            let here = usize::try_from(n).unwrap_or(usize::MAX).min(self.end - self.start);
            self.consume(here);
            n -= here as u64;
            if n == 0 {
                return Ok(true);
            }
            if !self.need(1)? {
                return Ok(false);
            }
        }
    }

    /// Bytes at a place that [`Window::consume`] gave.
    #[inline]
    pub fn slice(&self, place: Range<usize>) -> &[u8] {
        &self.buffer[place]
    }

    /// How many bytes of the stream were stepped over.
    #[inline]
    pub fn offset(&self) -> u64 {
        self.base.wrapping_add(self.start as u64)
    }

    /// Why the stream is over, when it is.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// Bytes of memory that the buffer holds.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn bytes_are_the_same_at_any_chunk_size() {
        let data: Vec<u8> = (0..=255).cycle().take(3_000).collect();
        for chunk in [1, 2, 3, 7, 64, 1_000, 5_000] {
            let mut window = Window::new(Box::new(Plain(io::Cursor::new(data.clone()))), chunk);
            let mut got = Vec::new();
            while window.need(10).expect("no device") {
                let place = window.consume(10);
                got.extend_from_slice(window.slice(place));
            }
            assert_eq!((got.len(), window.offset()), (3_000, 3_000));
            assert!(got == data, "chunk {chunk}");
            assert!(window.bytes().is_empty());
            assert_eq!(window.ended(), Some(&Ended::Clean));
        }
    }

    #[test]
    fn skips_beyond_the_chunk_and_stops_at_the_end() {
        let mut window = Window::new(Box::new(Plain(io::repeat(7).take(1_000))), 16);
        assert!(window.skip(900).expect("no device"));
        assert_eq!(window.offset(), 900);
        assert!(!window.skip(u64::MAX).expect("no device"));
        assert_eq!(window.offset(), 1_000);
        assert_eq!(window.capacity(), 16);
    }
}
