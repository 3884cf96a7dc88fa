//! Runs captures, as they are and damaged, through a sensor in this process: `hostile TIMES DIR...`. Exit 1 when one was too much work.

use std::path::Path;
use std::process::ExitCode;

use ringfence_tests::hostile::{Runner, files, peak_memory_kib};
use ringfence_tests::prng::Prng;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((Ok(times), dirs)) = args.split_first().map(|(times, dirs)| (times.parse::<usize>(), dirs)) else {
        eprintln!(
            "usage: hostile TIMES DIR...\n\nEach file below the folders as it is and TIMES times damaged, and TIMES damaged offices."
        );
        return ExitCode::from(2);
    };
    let mut runner = Runner::new();
    runner.office(0..1);
    let baseline = peak_memory_kib();
    let mut rng = Prng::new(11);
    for path in dirs.iter().flat_map(|dir| files(Path::new(dir))) {
        runner.file(&path, times, &mut rng);
    }
    runner.office(1..1 + times as u64);
    let report = runner.report();
    println!("{} captures, {} runs, {} frames", report.captures, report.runs, report.frames);
    println!("peak memory: {} KiB, {} KiB more than for one damaged office", peak_memory_kib(), peak_memory_kib() - baseline);
    println!("hungriest: {} KiB more, {}", report.hungriest.0, report.hungriest.1);
    println!("slowest: {:?}, {}", report.slowest.0, report.slowest.1);
    println!("most shown: {:.1} bytes for one, {}", report.most_shown.0, report.most_shown.1);
    report.overworked.iter().for_each(|run| eprintln!("too much work: {run}"));
    ExitCode::from(u8::from(!report.overworked.is_empty()))
}
