//! Writes the demo office, or the scenario of a case folder, as a capture; or says what the office's devices do.

use std::process::ExitCode;

use ringfence_tests::office;
use ringfence_tests::scenarios::Scenario;

const USAGE: &str = "usage: office OUT.pcap | office --scenario NAME OUT.pcap | office --list\n\nWrites two hours of a small office as a capture, the same bytes each time.\n\
                     --scenario NAME  the story of tests/cases/NAME instead\n                     --list           say what each device of the office does";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => print!("{}", office::list()),
        ["--help" | "-h"] => println!("{USAGE}"),
        ["--scenario", name, path] => {
            let Some(scenario) = Scenario::of(name) else {
                eprintln!("there is no scenario {name}");
                return ExitCode::from(2);
            };
            return write(path, &scenario.capture());
        }
        [path] if !path.starts_with('-') => return write(path, &office::capture()),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn write(path: &str, capture: &[u8]) -> ExitCode {
    match std::fs::write(path, capture) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}
