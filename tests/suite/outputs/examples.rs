//! The examples of docs/outputs.md are configurations that load, each of the kind that its section is about.

use ringfence::config::Config;
use ringfence_tests::root;

#[test]
fn every_example_loads() {
    let text = std::fs::read_to_string(root().join("docs/outputs.md")).expect("readable");
    let examples: Vec<&str> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let kinds = ["alertmanager", "webhook", "syslog", "file", "nats", "kafka"];
    assert_eq!(examples.len(), kinds.len());
    for (example, kind) in examples.into_iter().zip(kinds) {
        if kind == "kafka" && !cfg!(feature = "kafka") {
            continue;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("ringfence.toml");
        // The folder of the file must exist where the configuration is loaded.
        std::fs::write(&path, example.replace("/var/log/ringfence/", "")).expect("written");
        let config = Config::load(&path, &[]).unwrap_or_else(|e| panic!("{kind}: {:#?}", e.problems()));
        assert_eq!((config.service.outputs.len(), config.service.outputs[0].kind), (1, kind));
    }
}
