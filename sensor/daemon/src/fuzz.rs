//! Entry points for fuzzing the shell's readers, as `ringfence_core::fuzz` has them for the core: any bytes, and a panic when
//! something that must always hold does not.

use std::sync::OnceLock;

use ringfence_core::fuzz::Target;

use crate::capture::{FileSource, Options, Source, Step, Warning};
use crate::config::Config;

/// Every entry point of the shell, by name.
pub const TARGETS: &[(&str, Target)] = &[("capture_file", capture_file), ("config", config)];

/// Frames that are read from one input: a compressed capture of nothing may hold millions.
const FRAMES_MAX: usize = 4_096;

/// Pieces in which the file is read the second time.
const CHUNK_SMALL: usize = 64;

/// What reading a file gave: each frame's time, link type, length on the wire and bytes; then what was lost.
type Found = (Vec<(u64, u16, u32, Vec<u8>)>, Vec<Warning>, Option<String>);

/// A capture file in any format, plain or compressed: however it is cut into reads, it says the same.
pub fn capture_file(data: &[u8]) {
    let whole = read(data, Options::default());
    let pieces = read(data, Options { chunk: CHUNK_SMALL, ..Options::default() });
    assert!(whole == pieces, "read differently in pieces: {:?} and {:?}", whole.1, pieces.1);
}

fn read(data: &[u8], options: Options) -> Found {
    let mut source = match FileSource::from_bytes("fuzz", data.to_vec(), &options) {
        Ok(source) => source,
        Err(error) => return (Vec::new(), Vec::new(), Some(error.to_string())),
    };
    let mut frames = Vec::new();
    while frames.len() < FRAMES_MAX {
        match source.next() {
            Ok(Step::Frame(f)) => frames.push((f.ts.nanos(), f.link_type, f.wire_len, f.bytes.to_vec())),
            Ok(Step::Idle(_)) => panic!("a file does not idle"),
            Ok(Step::End) => return (frames, source.warnings(), None),
            Err(error) => return (frames, source.warnings(), Some(error.to_string())),
        }
    }
    (frames, Vec::new(), None)
}

/// A configuration: the text up to a record separator (1e), and a register of devices behind it.
pub fn config(data: &[u8]) {
    static APPS: OnceLock<Vec<String>> = OnceLock::new();
    let apps = APPS.get_or_init(|| ["qq", "wechat", "wecom"].map(String::from).to_vec());
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (main, devices) = text.split_once('\u{1e}').unwrap_or((text, ""));
    let lines = main.lines().count().max(devices.lines().count());
    match Config::parse(main, devices, apps) {
        Ok(config) => {
            let _ = config.register();
            assert!(!config.warnings.has_errors());
        }
        Err(found) => {
            assert!(found.has_errors());
            for problem in found.problems() {
                assert!(!problem.message.is_empty() && problem.line <= lines + 1, "{problem}");
            }
        }
    }
}
