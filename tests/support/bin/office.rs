//! Writes the morning of the demo office as a capture: `office OUT.pcap`, or tells its stories: `office --list`.

use std::path::Path;
use std::process::ExitCode;

use ringfence_tests::office::{STORIES, write};

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("--list") => {
            STORIES.iter().for_each(|s| println!("{:<18} {:<80} {}", s.name, s.about, s.expected));
            ExitCode::SUCCESS
        }
        Some(path) => match write(Path::new(path)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{path}: {error}");
                ExitCode::FAILURE
            }
        },
        None => {
            eprintln!("usage: office OUT.pcap | --list");
            ExitCode::from(2)
        }
    }
}
