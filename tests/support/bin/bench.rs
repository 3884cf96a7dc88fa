//! `make bench`: the sensor beside the baseline, and how costs grow.
//!
//!     bench compare    processor time and memory beside a libpcap loop with etherparse, by corpus
//!     bench curves     costs by flows, names, segments and findings; two workers
//!     bench all        both
//!
//! `--short` takes an eighth of everything, `--rounds=N` repeats, `--only=NAME` takes one corpus or curve, `--into=DIR` writes the
//! pictures. Fails when something that is measured did not happen.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ringfence_tests::bench::compare::{Setup, TARGETS, table};
use ringfence_tests::bench::{growth, svg};
use ringfence_tests::root;

struct Words(Vec<String>);

impl Words {
    fn has(&self, word: &str) -> bool {
        self.0.iter().any(|w| w == word)
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.0.iter().find_map(|w| w.strip_prefix(key)?.strip_prefix('='))
    }

    fn wants(&self, name: &str) -> bool {
        self.value("--only").is_none_or(|only| only == name)
    }
}

fn main() -> ExitCode {
    let words = Words(std::env::args().skip(1).collect());
    let [compare, curves] = ["compare", "curves"].map(|word| words.has(word) || words.has("all"));
    if !compare && !curves {
        eprintln!("usage: bench compare|curves|all [--short] [--rounds=N] [--only=NAME] [--into=DIR]");
        return ExitCode::from(2);
    }
    let done = if compare { beside_the_baseline(&words) } else { Ok(()) };
    let done = done.and_then(|()| if curves { grow(&words) } else { Ok(()) });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The folder that this program was built into.
fn built() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    own.parent().map(Path::to_path_buf).ok_or_else(|| "no folder".into())
}

fn beside_the_baseline(words: &Words) -> Result<(), String> {
    let built = built()?;
    let dir = root().join("target/bench");
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let setup = Setup {
        sensor: words.value("--sensor").map_or_else(|| built.join("ringfence"), PathBuf::from),
        baseline: built.join("examples/baseline"),
        dir,
        short: words.has("--short"),
        rounds: words.value("--rounds").and_then(|n| n.parse().ok()).unwrap_or(7),
    };
    let mut lines = Vec::new();
    for target in TARGETS.into_iter().filter(|t| words.wants(t.name)) {
        lines.push(setup.measure(target)?);
        eprintln!("{}: {:.2}", target.name, lines.last().map_or(0.0, |l| l.ratio.0));
    }
    print!("{}", table(&lines));
    Ok(())
}

/// Name, title, what grows, what is measured, curves.
type Picture = (&'static str, &'static str, &'static str, Vec<svg::Curve>);

fn grow(words: &Words) -> Result<(), String> {
    let part = if words.has("--short") { 8 } else { 1 };
    let mut pictures: Vec<Picture> = Vec::new();
    let curve = |name: &str, points: Vec<(f64, f64)>| vec![(name.to_string(), points)];
    if words.wants("flows") {
        let counts: &[u64] = if part > 1 { &[10_000, 100_000, 1_000_000] } else { &[10_000, 100_000, 1_000_000, 10_000_000] };
        pictures.push((
            "flows",
            "Cost by concurrent flows",
            "flows",
            curve("segments in mid-stream", growth::flows(counts, 4_000_000 / part)),
        ));
    }
    if words.wants("names") {
        let names = growth::names(&[10, 1_000, 100_000, 1_000_000], 40_000 / part);
        for cost in &names {
            println!("{} names: {:.0} bytes each by size, {:.0} by RssAnon", cost.count, cost.held, cost.anonymous);
        }
        let points = names.iter().map(|cost| (cost.count as f64, cost.nanos)).collect();
        pictures.push(("names", "Cost by name indicators", "names", curve("handshakes", points)));
    }
    if words.wants("segments") {
        let points = growth::segments(&[1, 10, 100, 1_000], 40_000 / part);
        pictures.push(("segments", "Cost by segments", "segments", curve("handshakes", points)));
    }
    if words.wants("findings") {
        let counts: &[u64] = if part > 1 { &[0, 1_000, 10_000] } else { &[0, 1_000, 10_000, 100_000] };
        let costs = growth::findings(counts, 2_000_000 / part);
        for cost in &costs {
            println!("{} open findings: a judgement takes {:.1} ms", cost.count, cost.judgement_millis);
        }
        let points = costs.iter().map(|cost| (cost.count as f64, cost.nanos)).collect();
        pictures.push(("findings", "Cost by open findings", "findings", curve("bulk", points)));
    }
    if words.wants("workers") {
        println!("two workers: {:.2} times one", growth::two_workers(80_000 / part));
    }
    for (name, title, across, curves) in pictures {
        for (curve, points) in &curves {
            let points: Vec<String> = points.iter().map(|(n, nanos)| format!("{n}: {nanos:.1}")).collect();
            println!("{title}, {curve}, ns per packet: {}", points.join(", "));
        }
        if let Some(dir) = words.value("--into") {
            let path = Path::new(dir).join(format!("bench-{name}.svg"));
            let picture = svg::plot(title, across, "ns per packet", &curves);
            std::fs::write(&path, picture).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    Ok(())
}
