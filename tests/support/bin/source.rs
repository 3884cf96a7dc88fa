//! Opens findings until it is killed, and says each number once it is on disk: `source DIR FIRST`. The outputs are those of
//! `DIR/outputs.toml`.

use std::io::Write;
use std::path::Path;

use ringfence_tests::outputs::Source;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let dir = Path::new(&args[1]);
    let first: u64 = args[2].parse().expect("a number");
    let outputs = std::fs::read_to_string(dir.join("outputs.toml")).expect("outputs.toml");
    let mut source = Source::open(dir, &outputs);
    for n in first.. {
        source.opens([n]);
        let mut out = std::io::stdout().lock();
        writeln!(out, "{n}").and_then(|()| out.flush()).expect("written");
    }
}
