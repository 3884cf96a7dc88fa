//! Opening inputs: a file or standard input, plain or compressed with gzip or Zstandard (told by content, never by name).
//!
//! Must not know capture formats. Compressed data is only streamed, so a bomb costs time, never memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, FrameHeaderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::progress::Meter;
use super::window::{Ended, Stream};

/// The largest Zstandard window that is followed: `zstd -19` needs 8 MiB (and RFC 8878 section 3.1.1.1.2 asks for that);
/// `--long` and `--ultra` can ask for gigabytes.
const ZSTD_WINDOW_MAX: u64 = 16 * 1024 * 1024;

/// Decompressed bytes that gzip may lose before the place where its data is damaged.
const GZIP_STEP: usize = 16 * 1024;

/// Compressed bytes read at once.
const COMPRESSED_CHUNK: usize = 256 * 1024;

/// What an input turned out to be.
pub(super) struct Opened {
    /// Its bytes, decompressed.
    pub stream: Box<dyn Stream>,
    /// How it was compressed.
    pub compression: Option<&'static str>,
}

/// Opens `path`; `-` is standard input.
pub(super) fn open(path: &str, meter: &Meter) -> io::Result<Opened> {
    let file = if path == "-" {
        if io::stdin().is_terminal() {
            return Err(io::Error::other("a terminal sends no capture: pipe one into it, or name a file"));
        }
        File::from(io::stdin().as_fd().try_clone_to_owned()?)
    } else {
        File::open(path)?
    };
    detect(Box::new(file), meter)
}

/// Looks at the first bytes and puts the right decoder in front.
pub(super) fn detect(inner: Box<dyn Read + Send>, meter: &Meter) -> io::Result<Opened> {
    let mut raw = Raw { inner, head: [0; 4], have: 0, given: 0, begun: true, meter: meter.clone(), over: Arc::default() };
    raw.peek()?;
    let over = raw.over.clone();
    let opened = match raw.head {
        // RFC 1952 section 2.3.1
        [0x1f, 0x8b, 8, _] => {
            let inner = MultiGzDecoder::new(BufReader::with_capacity(COMPRESSED_CHUNK, raw));
            Opened { stream: Box::new(Gzip { inner, over, ended: Ended::Clean }), compression: Some("gzip") }
        }
        // RFC 8878 sections 3.1.1 and 3.1.2
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
            let source = BufReader::with_capacity(COMPRESSED_CHUNK, raw);
            Opened { stream: Box::new(Zstd::new(source, over)), compression: Some("zstd") }
        }
        _ => Opened { stream: Box::new(raw), compression: None },
    };
    Ok(opened)
}

/// A page of a file without its first four bytes.
const FIRST_PAGE: usize = 4_096 - 4;

/// The bytes as they are on disk, counted.
struct Raw {
    inner: Box<dyn Read + Send>,
    head: [u8; 4],
    have: usize,
    given: usize,
    /// Nothing was read behind the head.
    begun: bool,
    meter: Meter,
    /// Set when the end was reached: tells a decoder's "too short" from "corrupt".
    over: Arc<AtomicBool>,
}

impl Raw {
    fn peek(&mut self) -> io::Result<()> {
        while let Some(room) = self.head.get_mut(self.have..).filter(|room| !room.is_empty()) {
            match retry(&mut self.inner, room)? {
                0 => break,
                n => self.have += n,
            }
        }
        self.meter.add(self.have);
        Ok(())
    }
}

impl Read for Raw {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let head = self.head.get(self.given..self.have).unwrap_or_default();
        if !head.is_empty() {
            let n = head.len().min(into.len());
            into[..n].copy_from_slice(&head[..n]);
            self.given += n;
            return Ok(n);
        }
        // The rest of the first page by itself: from there on reads begin where pages do.
        let most = if std::mem::take(&mut self.begun) { FIRST_PAGE.min(into.len()) } else { into.len() };
        let n = retry(&mut self.inner, &mut into[..most])?;
        self.meter.add(n);
        if n == 0 && !into.is_empty() {
            self.over.store(true, Ordering::Relaxed);
        }
        Ok(n)
    }
}

impl Stream for Raw {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Read::read(self, into)
    }
}

fn retry(inner: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match inner.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// A gzip file of any number of members.
struct Gzip {
    inner: MultiGzDecoder<BufReader<Raw>>,
    over: Arc<AtomicBool>,
    ended: Ended,
}

impl Stream for Gzip {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ended != Ended::Clean {
            return Ok(0);
        }
        let n = into.len().min(GZIP_STEP);
        match retry(&mut self.inner, &mut into[..n]) {
            Err(error) if error.raw_os_error().is_some() => Err(error),
            Err(_) if self.over.load(Ordering::Relaxed) => {
                self.ended = Ended::Cut("the gzip data ends in the middle");
                Ok(0)
            }
            Err(error) => {
                self.ended = Ended::Damaged(format!("the gzip data is damaged ({error})"), None);
                Ok(0)
            }
            read => read,
        }
    }

    fn ended(&self) -> Ended {
        self.ended.clone()
    }
}

/// A Zstandard file of any number of frames.
struct Zstd {
    decoder: FrameDecoder,
    source: BufReader<Raw>,
    over: Arc<AtomicBool>,
    inside: bool,
    ended: Option<Ended>,
    /// A failure of the device, told after what was decoded before it.
    failed: Option<io::Error>,
}

impl Zstd {
    fn new(source: BufReader<Raw>, over: Arc<AtomicBool>) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW_MAX);
        Zstd { decoder, source, over, inside: false, ended: None, failed: None }
    }

    /// Decodes one block more, or the head of the next frame.
    fn advance(&mut self) -> io::Result<()> {
        if !self.inside {
            return self.next_frame();
        }
        // the decoder asserts its own invariants; data that breaks one is damaged data, no reason to stop
        let step = catch_unwind(AssertUnwindSafe(|| self.decoder.decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))));
        match step {
            Ok(Ok(_)) => self.inside = !self.decoder.is_finished(),
            Ok(Err(error)) => self.stop(&error),
            Err(_) => {
                self.decoder = FrameDecoder::new();
                self.ended = Some(Ended::Damaged("the zstd data is damaged".to_string(), None));
            }
        }
        Ok(())
    }

    fn next_frame(&mut self) -> io::Result<()> {
        if self.decoder.get_checksum_from_data().is_some_and(|sum| self.decoder.get_calculated_checksum() != Some(sum)) {
            self.ended = Some(Ended::Damaged("the zstd data is damaged (wrong checksum)".to_string(), None));
            return Ok(());
        }
        if self.source.fill_buf()?.is_empty() {
            self.ended = Some(Ended::Clean);
            return Ok(());
        }
        match self.decoder.reset(&mut self.source) {
            Ok(()) => self.inside = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let skipped = io::copy(&mut (&mut self.source).take(u64::from(length)), &mut io::sink())?;
                if skipped < u64::from(length) {
                    self.ended = Some(Ended::Cut("the zstd data ends in the middle"));
                }
            }
            Err(error) => self.stop(&error),
        }
        Ok(())
    }

    /// Ends the stream, but not before the decoder gave what it holds back for back references.
    fn stop(&mut self, error: &FrameDecoderError) {
        let over = self.over.load(Ordering::Relaxed);
        if !over {
            // the decoder hides failures of the device; the device fails again when asked again
            self.failed = self.source.fill_buf().err();
        }
        self.ended = Some(match error {
            _ if over => Ended::Cut("the zstd data ends in the middle"),
            FrameDecoderError::WindowSizeTooBig { requested, .. }
            | FrameDecoderError::FrameHeaderError(FrameHeaderError::WindowTooBig { got: requested }) => Ended::Damaged(
                format!("the zstd data needs {requested} bytes of history, more than the {ZSTD_WINDOW_MAX} that are allowed"),
                Some("decompress it beside: zstd -dc --long=31 FILE | ringfence scan -"),
            ),
            error => Ended::Damaged(format!("the zstd data is damaged ({error})"), None),
        });
        if self.inside {
            // RFC 8878 section 3.1.1.2: an empty raw block marked as the last one, and a checksum that is not looked at
            let end: &[u8] = &[1, 0, 0, 0, 0, 0, 0];
            self.inside = self.decoder.decode_blocks(end, BlockDecodingStrategy::UptoBlocks(1)).is_err();
        }
    }
}

impl Stream for Zstd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.decoder.read(into)?;
            if n > 0 || self.ended.is_some() {
                return self.failed.take_if(|_| n == 0).map_or(Ok(n), Err);
            }
            self.advance()?;
        }
    }

    fn ended(&self) -> Ended {
        self.ended.clone().unwrap_or(Ended::Clean)
    }
}
