//! Writes the seeds of the fuzzing corpora: `seeds DIR`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use ringfence_tests::seeds;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir] = &args[..] else {
        eprintln!("usage: seeds DIR");
        return ExitCode::from(2);
    };
    for seed in seeds::all() {
        let folder = Path::new(dir).join(seed.target);
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(format!("made-{}", seed.name)), &seed.bytes));
        if let Err(error) = written {
            eprintln!("{}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
