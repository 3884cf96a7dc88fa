//! What matches no rule leaves no trace; what matches leaves only the sign.

use ringfence_tests::sensor::run;
use ringfence_tests::{canary, root};

/// CSV has no flows.
fn flows(form: &str) -> &'static [&'static str] {
    if form == "csv" { &[] } else { &["--flows"] }
}

#[test]
fn a_name_that_matches_no_rule_is_found_nowhere() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let capture = dir.path().join("canary.pcap");
    let words = canary::write(&capture);
    assert!(words.len() >= 8, "SNI over TLS and QUIC, Host, path, user agent, DNS, DHCP, mDNS carry a canary each");
    let config = root().join("deploy/config/ringfence.toml");
    for form in ["human", "json", "csv"] {
        for extra in [&[][..], flows(form), &["-c", config.to_str().expect("UTF-8")][..]] {
            let mut args = vec!["scan", "-o", form];
            args.extend(extra);
            args.push(capture.to_str().expect("UTF-8"));
            let done = run(&args);
            assert_eq!(done.status, Some(0), "{}", done.stderr);
            for word in &words {
                assert!(!done.stdout.contains(word) && !done.stderr.contains(word), "{word} is in the {form} answer of {args:?}");
            }
        }
    }
    // The canaries are really there: dissect, which shows everything, sees them.
    let seen = run(&["dissect", "-o", "json", capture.to_str().expect("UTF-8")]).stdout;
    let visible = words.iter().filter(|w| seen.contains(w.as_str())).count();
    assert!(visible >= 4, "only {visible} canaries reached a dissector");
}

#[test]
fn twice_gives_the_same_bytes() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let capture = dir.path().join("office.pcap");
    ringfence_tests::office::write(&capture).expect("written");
    let config = root().join("deploy/config/ringfence.toml");
    for form in ["human", "json", "csv"] {
        let args = ["scan", "-o", form, "-c", config.to_str().expect("UTF-8"), capture.to_str().expect("UTF-8")];
        let args = [&args[..], flows(form)].concat();
        let (first, second) = (run(&args), run(&args));
        assert!(first.stdout.len() > 500, "{}", first.stderr);
        assert_eq!(first.stdout, second.stdout);
    }
}
