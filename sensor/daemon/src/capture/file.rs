//! Capture files as a source: one, or several, by the time at which they begin.
//!
//! Must not know what is in the frames.

use std::fs::Metadata;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ringfence_core::decode::Frame;
use ringfence_core::time::Timestamp;

use super::error::{Broken, CaptureError, Loss, Warning};
use super::input::{self, Opened};
use super::pcap::{Located, Next, Pcap, Stop};
use super::pcapng::Pcapng;
use super::progress::Meter;
use super::records::Records;
use super::window::{Ended, Stream, Window};
use super::{Source, Step};
use crate::cli::safe::printable;

/// How files are read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes per read: large enough that the call does not count, small enough that they stay in a core's second-level cache beside the
    /// tables of flows.
    pub chunk: usize,
    /// The number of the first interface.
    pub first_interface: u16,
    /// Counts the bytes that are read.
    pub meter: Meter,
    /// Once it is set, several files end as if there were no more.
    pub stop: Arc<AtomicBool>,
}

impl Default for Options {
    fn default() -> Self {
        Options { chunk: 256 * 1024, first_interface: 0, meter: Meter::hidden(), stop: Arc::default() }
    }
}

/// One capture file: pcap or pcapng, plain or compressed with gzip or Zstandard, all told by content.
///
/// Frames are borrowed from a buffer of one chunk; nothing is allocated per frame. What is no capture is an error of
/// [`FileSource::open`]; a file that breaks later gives every whole frame before, then ends, and [`Source::warnings`] says where.
pub struct FileSource {
    name: String,
    window: Window,
    format: Format,
    over: bool,
    warnings: Vec<Warning>,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl FileSource {
    /// Opens a capture and reads its header; `-` is standard input.
    ///
    /// # Errors
    /// [`CaptureError::Input`] when it cannot be opened or read; [`CaptureError::Broken`] when it is empty, in another format, of an
    /// unknown version, or cut inside its header.
    pub fn open(path: &str, options: &Options) -> Result<Self, CaptureError> {
        let name = if path == "-" { "standard input" } else { path };
        let Opened { stream, compression } = input::open(path, &options.meter).map_err(|error| CaptureError::input(name, &error))?;
        Self::from_stream(name, compression, stream, options)
    }

    /// Reads a capture that lies in memory, compressed or not; `name` is its name in messages.
    ///
    /// # Errors
    /// [`CaptureError`] when it is no capture.
    pub fn from_bytes(name: &str, bytes: impl AsRef<[u8]> + Send + 'static, options: &Options) -> Result<Self, CaptureError> {
        let opened = input::detect(Box::new(Cursor::new(bytes)), &options.meter).map_err(|e| CaptureError::input(name, &e))?;
        FileSource::from_stream(name, opened.compression, opened.stream, options)
    }

    pub(super) fn from_stream(
        name: &str,
        compression: Option<&str>,
        stream: Box<dyn Stream>,
        options: &Options,
    ) -> Result<Self, CaptureError> {
        let name = match compression {
            Some(how) => format!("{} ({how})", printable(name.as_bytes())),
            None => printable(name.as_bytes()),
        };
        let mut window = Window::new(stream, options.chunk);
        let format = header(&name, &mut window, options.first_interface)?;
        Ok(FileSource { name, window, format, over: false, warnings: Vec::new() })
    }

    /// The name in messages, safe to print.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next frame, `None` at the end.
    ///
    /// # Errors
    /// [`CaptureError::Input`] when the device fails; what the file itself lacks is a warning.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        Ok(self.advance()?.map(|found| self.frame(found)))
    }

    /// Moves on to the next frame; `None` when there is none.
    fn advance(&mut self) -> Result<Option<Located>, CaptureError> {
        if self.over {
            return Ok(None);
        }
        let next = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.window),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.window),
        };
        match next {
            Ok(Next::Frame(found)) => return Ok(Some(found)),
            Ok(Next::End) => self.end(None),
            Ok(Next::Stop(stop)) => self.end(Some(*stop)),
            Err(error) => {
                self.end(None);
                return Err(CaptureError::input(&self.name, &error));
            }
        }
        Ok(None)
    }

    fn frame(&self, found: Located) -> Frame<'_> {
        let Located { ts, link_type, interface, wire_len, place } = found;
        Frame { ts, link_type, interface, bytes: self.window.slice(place), wire_len, vlan: None }
    }

    /// Bytes of memory that the buffer holds.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.window.capacity()
    }

    /// The number for the first interface of the next file.
    fn next_interface(&self) -> u16 {
        match &self.format {
            Format::Pcap(pcap) => pcap.interface().saturating_add(1),
            Format::Pcapng(pcapng) => u16::try_from(pcapng.next_base()).unwrap_or(u16::MAX),
        }
    }

    #[cold]
    fn end(&mut self, stop: Option<Stop>) {
        self.over = true;
        if let Format::Pcapng(pcapng) = &self.format {
            for (skip, offset, times) in pcapng.skips() {
                let broken = Broken { file: self.name.clone(), offset, what: skip.what().to_string(), help: None };
                self.warnings.push(Warning { loss: Loss::Skipped, broken, times });
            }
        }
        if let Some(stop) = stop {
            let loss = if stop.cut { Loss::Cut } else { Loss::Damaged };
            self.warnings.push(Warning { loss, broken: broken(&self.name, stop), times: 1 });
        }
    }
}

impl Source for FileSource {
    #[inline]
    fn next(&mut self) -> Result<Step<'_>, CaptureError> {
        Ok(self.next_frame()?.map_or(Step::End, Step::Frame))
    }

    fn warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }
}

/// Several capture files, one after the other, by the time of their first frame; each is opened when its turn comes.
///
/// A file that begins where the ones before end goes on with their interfaces: a capture that was cut into files is one capture.
/// Files that overlap are taps of their own: their interfaces are numbered on (beyond 65,535 they share the last number).
pub struct Files {
    paths: std::vec::IntoIter<(Option<Timestamp>, String)>,
    options: Options,
    current: Option<FileSource>,
    warnings: Vec<Warning>,
    /// The latest frame so far.
    latest: Timestamp,
    /// Where the interfaces of the present file begin.
    base: u16,
}

impl Files {
    /// Reads `paths`; `-` is standard input. Pipes cannot be looked into beforehand: they come last, in the order given.
    pub fn new(paths: Vec<String>, options: Options) -> Self {
        let mut paths: Vec<_> = paths.into_iter().map(|path| (begins(&path), path)).collect();
        paths.sort_by_key(|(at, _)| at.unwrap_or(Timestamp::MAX));
        let base = options.first_interface;
        Files { paths: paths.into_iter(), options, current: None, warnings: Vec::new(), latest: Timestamp::ZERO, base }
    }

    /// Makes sure that a file is open that is not over; false when there is none left.
    fn ready(&mut self) -> Result<bool, CaptureError> {
        loop {
            match &mut self.current {
                Some(file) if !file.over => return Ok(true),
                Some(file) => {
                    self.options.first_interface = file.next_interface();
                    self.warnings.append(&mut file.warnings);
                    self.current = None;
                }
                None => match self.paths.next() {
                    Some((at, path)) => {
                        if at.is_some_and(|at| at >= self.latest) {
                            self.options.first_interface = self.base;
                        }
                        self.base = self.options.first_interface;
                        self.current = Some(FileSource::open(&path, &self.options)?);
                    }
                    None => return Ok(false),
                },
            }
        }
    }
}

impl Source for Files {
    fn next(&mut self) -> Result<Step<'_>, CaptureError> {
        let found = loop {
            if self.options.stop.load(Ordering::Relaxed) || !self.ready()? {
                return Ok(Step::End);
            }
            if let Some(file) = &mut self.current
                && let Some(found) = file.advance()?
            {
                break found;
            }
        };
        self.latest = self.latest.max(found.ts);
        Ok(self.current.as_ref().map_or(Step::End, |file| Step::Frame(file.frame(found))))
    }

    fn records(&mut self) -> Records<'_> {
        let Some(file) = self.current.as_mut().filter(|file| !file.over) else { return Records::default() };
        let Format::Pcap(pcap) = &file.format else { return Records::default() };
        if self.options.stop.load(Ordering::Relaxed) {
            return Records::default();
        }
        let (bytes, start) = file.window.ahead();
        Records::new(bytes, start, &mut self.latest, *pcap)
    }

    fn warnings(&mut self) -> Vec<Warning> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.current.iter_mut().flat_map(Source::warnings));
        warnings
    }
}

/// When a file's first frame was captured; `None` when it is no file, cannot be read, or holds none.
fn begins(path: &str) -> Option<Timestamp> {
    std::fs::metadata(path).ok().filter(Metadata::is_file)?;
    let options = Options { chunk: 64 * 1024, ..Options::default() };
    FileSource::open(path, &options).ok()?.next_frame().ok()?.map(|frame| frame.ts)
}

fn broken(name: &str, stop: Stop) -> Broken {
    Broken { file: name.to_string(), offset: stop.offset, what: stop.what, help: stop.help.map(str::to_string) }
}

/// Reads the header of whatever this is.
fn header(name: &str, window: &mut Window, first_interface: u16) -> Result<Format, CaptureError> {
    let device = |error| CaptureError::input(name, &error);
    if let Some(pcap) = Pcap::open(window, first_interface).map_err(device)? {
        return pcap.map(Format::Pcap).map_err(|stop| CaptureError::Broken(broken(name, stop)));
    }
    if let Some(pcapng) = Pcapng::open(window, first_interface).map_err(device)? {
        return pcapng.map(Format::Pcapng).map_err(|stop| CaptureError::Broken(broken(name, stop)));
    }
    let (what, help) = match (window.ended(), window.bytes()) {
        (Some(Ended::Damaged(what, help)), _) => (what.clone(), *help),
        (Some(Ended::Cut(what)), _) => ((*what).to_string(), Some("get the whole file")),
        (_, []) => ("the file is empty".to_string(), Some("nothing was captured into it: capture again")),
        (_, bytes) => foreign(bytes),
    };
    Err(CaptureError::Broken(Broken { file: name.to_string(), offset: 0, what, help: help.map(str::to_string) }))
}

/// What a file is that is no pcap and no pcapng, by its first bytes, and what to do with it.
fn foreign(bytes: &[u8]) -> (String, Option<&'static str>) {
    const CONVERT: &str = "convert it: editcap -F pcapng IN OUT";
    const KNOWN: &[(&[u8], &str, &str)] = &[
        (&[0xa1, 0xb2, 0xcd, 0x34], "a capture in the patched format of A. Kuznetzov's libpcap", CONVERT),
        (&[0x34, 0xcd, 0xb2, 0xa1], "a capture in the patched format of A. Kuznetzov's libpcap", CONVERT),
        (b"snoop\0\0\0", "a Solaris snoop capture", CONVERT),
        (b"RTSS", "a Microsoft Network Monitor capture", CONVERT),
        (b"GMBU", "a Microsoft Network Monitor capture", CONVERT),
        (b"TRSNIFF data", "a Network General Sniffer capture", CONVERT),
        (b"XCP\0", "a NetXRay capture", CONVERT),
        (b"iptrace ", "an AIX iptrace capture", CONVERT),
        (b"\xfd7zXZ\0", "an xz file", "decompress it: xz -dc FILE | ringfence scan -"),
        (b"BZh", "a bzip2 file", "decompress it: bzip2 -dc FILE | ringfence scan -"),
        (&[0x04, 0x22, 0x4d, 0x18], "an lz4 file", "decompress it: lz4 -dc FILE | ringfence scan -"),
        (b"PK\x03\x04", "a zip archive", "decompress it: unzip -p FILE | ringfence scan -"),
        (&[0x1f, 0x8b], "a gzip file inside another, or of an unknown kind", "decompress it: gzip -dc FILE | ringfence scan -"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "a zstd file inside another", "decompress it: zstd -dc FILE | ringfence scan -"),
    ];
    if let Some((_, what, help)) = KNOWN.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
        return (format!("this is {what}; what can be read is pcap and pcapng, plain or compressed with gzip or zstd"), Some(help));
    }
    let magic: Vec<String> = bytes.iter().take(4).map(|b| format!("{b:02x}")).collect();
    let what = format!("this is neither pcap nor pcapng: it begins with {}", magic.join(" "));
    (what, Some("if it is an ERF or another capture format, convert it: editcap -F pcapng IN OUT"))
}
