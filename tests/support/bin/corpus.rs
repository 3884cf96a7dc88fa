//! Writes a large capture for measuring: `corpus KIND UNITS OUT.pcap`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use ringfence_tests::corpus::{Corpus, write};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [kind, units, path] = &args[..] else {
        eprintln!("usage: corpus mix|storm|bulk|flood|mid-stream|tunnels|fragments UNITS OUT.pcap");
        return ExitCode::from(2);
    };
    let Some((_, corpus)) = Corpus::WORDS.iter().find(|(w, _)| w == kind) else {
        eprintln!("{kind}: no kind of corpus");
        return ExitCode::from(2);
    };
    let Ok(units) = units.parse() else {
        eprintln!("{units}: not a number");
        return ExitCode::from(2);
    };
    let written = File::create(path).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let frames = write(*corpus, units, &mut out)?;
        out.flush()?;
        Ok(frames)
    });
    match written {
        Ok(frames) => {
            println!("{frames} frames");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}
