//! Every kind of output through every trouble, each for real minutes: `outage [SECONDS]`, 120 where none are given. Takes eight times as
//! long, all kinds at once. The last lines tell what came; whatever is missing ends it with an error.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ringfence_tests::outage::far::{Alertmanager, FarEnd, File, Nats, Rsyslog, Webhook, certificate};
use ringfence_tests::outage::gate::Trouble;
use ringfence_tests::outage::{Outcome, survive};
use ringfence_tests::outputs::Source;

const ALL: [Trouble; 7] = [Trouble::Broken, Trouble::Hangs, Trouble::Cut, Trouble::Deaf, Trouble::Slow, Trouble::Killed, Trouble::Stopped];

/// Makes a far end in a folder of its own.
type Start = fn(&Path) -> Option<Box<dyn FarEnd>>;

const KINDS: &[Start] = &[
    |_| Some(Box::new(Webhook::start())),
    |dir| Some(Box::new(Alertmanager::start(dir, 60)?)),
    |dir| Some(Box::new(Rsyslog::start(dir, false)?)),
    |dir| Some(Box::new(Rsyslog::start(dir, true)?)),
    |dir| Some(Box::new(Nats::start(dir)?)),
    |dir| Some(Box::new(File::start(dir))),
    #[cfg(feature = "kafka")]
    |_| Some(Box::new(ringfence_tests::outage::kafka::Kafka::start())),
];

/// One kind; its name, and what came.
fn run(start: Start, span: Duration) -> Option<(&'static str, Outcome)> {
    let dir = tempfile::tempdir().expect("a folder");
    certificate(dir.path());
    let mut far = start(dir.path())?;
    let mut source = Source::open(dir.path(), &far.output());
    let outcome = survive(&mut *far, &mut source, &ALL.map(|trouble| (trouble, span)), span * 2 + Duration::from_secs(300));
    source.end();
    Some((far.name(), outcome))
}

fn main() {
    let span = Duration::from_secs(std::env::args().nth(1).map_or(120, |s| s.parse().expect("seconds")));
    let began = Instant::now();
    let threads: Vec<_> = KINDS.iter().map(|start| thread::spawn(move || run(*start, span))).collect();
    println!("{} troubles of {} s for each kind", ALL.len(), span.as_secs());
    let outcomes: Vec<_> = threads.into_iter().map(|t| t.join().expect("nothing is missing")).collect();
    for (name, Outcome { written, came, failed }) in outcomes.into_iter().flatten() {
        println!("{name}: {written} events, {came} came, none missing, {failed} attempts failed");
    }
    println!("{} s", began.elapsed().as_secs());
}
