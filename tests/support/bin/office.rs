//! Writes the demo office as a capture, or says what its devices do.

use std::process::ExitCode;

use ringfence_tests::office;

const USAGE: &str = "usage: office OUT.pcap | office --list\n\nWrites two hours of a small office as a capture, the same bytes each time.\n\
                     --list  say what each device does";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => print!("{}", office::list()),
        ["--help" | "-h"] => println!("{USAGE}"),
        [path] if !path.starts_with('-') => return write(path),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn write(path: &str) -> ExitCode {
    match office::write(path.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}
