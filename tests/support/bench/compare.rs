//! The sensor beside the baseline: the same file, one after the other, again and again; only the ratio counts.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::checks::Scan;
use super::median;
use super::program::{peak_anonymous, run};
use crate::corpus::{self, Corpus};
use crate::{real_captures, root};

/// A corpus, how large it is in full, and what is wanted of it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What is read.
    pub corpus: Corpus,
    /// Its name.
    pub name: &'static str,
    /// Units (see [`corpus::write`]) of a full run; a short one has an eighth.
    pub units: u64,
    /// Processor time of the sensor over that of the baseline, at most.
    pub ratio_max: Option<f64>,
}

/// Every corpus of the table.
pub const TARGETS: [Target; 7] = [
    Target { corpus: Corpus::Mix, name: "mix", units: 3_500_000, ratio_max: Some(1.3) },
    Target { corpus: Corpus::Storm, name: "storm", units: 300_000, ratio_max: Some(2.0) },
    Target { corpus: Corpus::Bulk, name: "bulk", units: 1_000_000, ratio_max: Some(0.7) },
    Target { corpus: Corpus::Flood, name: "flood", units: 6_000_000, ratio_max: Some(1.0) },
    Target { corpus: Corpus::MidStream, name: "mid-stream", units: 2_000_000, ratio_max: None },
    Target { corpus: Corpus::Tunnels, name: "tunnels", units: 100_000, ratio_max: None },
    Target { corpus: Corpus::Fragments, name: "fragments", units: 60_000, ratio_max: None },
];

/// What is run, and where its files lie.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The sensor's binary.
    pub sensor: PathBuf,
    /// The baseline's binary.
    pub baseline: PathBuf,
    /// Where corpora are kept between runs.
    pub dir: PathBuf,
    /// An eighth of everything.
    pub short: bool,
    /// Rounds of A B.
    pub rounds: usize,
}

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Line {
    /// What was read.
    pub target: Target,
    /// Frames in it.
    pub frames: u64,
    /// Nanoseconds per frame of the baseline, of the sensor.
    pub nanos: [f64; 2],
    /// Median and spread of the ratios of single rounds.
    pub ratio: (f64, f64),
    /// Most anonymous memory, bytes.
    pub memory: u64,
}

impl Setup {
    /// The file of a corpus, made when it is not there yet; and its units.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn corpus(&self, target: &Target) -> Result<(PathBuf, u64), String> {
        let units = if self.short { target.units / 8 } else { target.units };
        // A mix of real captures is another one than that of a machine without them.
        let source = if target.corpus == Corpus::Mix && real_captures().is_some() { "-real" } else { "" };
        let path = self.dir.join(format!("{}{source}-{units}.pcap", target.name));
        if !path.exists() {
            let part = path.with_extension("part");
            let written = File::create(&part).and_then(|file| {
                let mut out = BufWriter::with_capacity(1 << 20, file);
                corpus::write(target.corpus, units, &mut out)?;
                out.flush()?;
                std::fs::rename(&part, &path)
            });
            written.map_err(|e| format!("{}: {e}", path.display()))?;
        }
        Ok((path, units))
    }

    /// `ringfence scan` with the shipped rules and the example policy.
    pub fn scan(&self, path: &Path) -> Command {
        let mut command = Command::new(&self.sensor);
        command.args(["scan", "-o", "json", "-c"]).arg(root().join("deploy/config/ringfence.toml")).arg(path);
        command
    }

    /// Measures one corpus.
    ///
    /// # Errors
    /// When a program fails, or what is measured did not happen.
    pub fn measure(&self, target: Target) -> Result<Line, String> {
        let (path, units) = self.corpus(&target)?;
        let baseline = || run(Command::new(&self.baseline).arg(&path));
        lay_out(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        // The first round is not counted.
        let words = baseline()?.words;
        let frames: u64 = words.split(' ').next().and_then(|n| n.parse().ok()).ok_or("the baseline counted nothing")?;
        let (mut theirs, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.rounds.max(1) {
            let (a, b) = (baseline()?, run(&mut self.scan(&path))?);
            Scan::read(&b.words)?.check(target.corpus, units, frames)?;
            theirs.push(a.cpu.as_nanos() as f64 / frames as f64);
            ours.push(b.cpu.as_nanos() as f64 / frames as f64);
            ratios.push(b.cpu.as_secs_f64() / a.cpu.as_secs_f64());
        }
        let memory = peak_anonymous(&mut self.scan(&path))?;
        Ok(Line { target, frames, nanos: [median(&theirs).0, median(&ours).0], ratio: median(&ratios), memory })
    }
}

/// Puts a file into the page cache as whoever reads it once leaves it there: in large pieces. What was just written, or half forgotten
/// since, lies in single pages, and how long these take to copy is a matter of chance.
fn lay_out(path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    let mut chunk = vec![0; 1 << 20];
    while file.read(&mut chunk)? > 0 {}
    Ok(())
}

/// The lines as a Markdown table.
pub fn table(lines: &[Line]) -> String {
    let mut text = String::from(
        "| corpus | frames | baseline, ns | sensor, ns | ratio | spread | wanted | memory, MiB |\n|---|---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        let wanted = match line.target.ratio_max {
            Some(max) if line.ratio.0 <= max => format!("<= {max:.1}"),
            Some(max) => format!("<= {max:.1}, **missed**"),
            None => "-".into(),
        };
        let [theirs, ours] = line.nanos;
        let (ratio, spread) = (line.ratio.0, line.ratio.1 * 100.0);
        let memory = line.memory as f64 / f64::from(1 << 20);
        let (name, frames) = (line.target.name, line.frames);
        text += &format!("| {name} | {frames} | {theirs:.0} | {ours:.0} | {ratio:.2} | {spread:.0} % | {wanted} | {memory:.1} |\n");
    }
    text
}
