//! Reload over HTTP: what it did, what it refused, one at a time.

use std::sync::{PoisonError, mpsc};

use super::*;
use crate::http::Rejudged;

fn post(server: &Running, query: &str) -> Reply {
    server.ask(&format!("POST /api/v1/reload{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
}

#[test]
fn it_says_what_changed() {
    let finding = Rejudged {
        id: "rf-1".into(),
        device: "mac:02:00:5e:10:00:01".into(),
        app: "wechat".into(),
        segment: "lab".into(),
        before: "waived",
        after: "violation",
    };
    let report = ReloadReport {
        generation: 2,
        changes: vec!["waiver W-1 ended".into()],
        needs_restart: vec!["capture.rings".into()],
        findings: vec![finding; 1_500],
        problems: vec![],
    };
    let server = Running::start(&loopback(), Arc::new(Obedient(Ok(report))));
    for (query, dry_run) in [("", false), ("?dry_run=true", true), ("?dry_run=false", false)] {
        let body: serde_json::Value = serde_json::from_str(&post(&server, query).body).expect("JSON");
        assert_eq!((&body["dry_run"], &body["generation"], &body["changes"][0]), (&dry_run.into(), &2.into(), &"waiver W-1 ended".into()));
        assert_eq!((&body["findings"][0]["before"], &body["findings"][0]["after"]), (&"waived".into(), &"violation".into()));
        assert_eq!((body["findings"].as_array().map(Vec::len), &body["findings_total"]), (Some(1_000), &1_500.into()));
    }
    assert_eq!(post(&server, "?dryrun=true").problem()["remedy"], "did you mean `dry_run`?");
}

#[test]
fn a_wrong_set_is_refused_with_everything_that_is_wrong() {
    let report = ReloadReport { problems: vec!["a.toml:1:1: error: bad".into(), "device 10.10.20.99".into()], ..ReloadReport::default() };
    let server = Running::start(&loopback(), Arc::new(Obedient(Ok(report))));
    let reply = post(&server, "");
    assert_eq!((reply.status, &reply.problem()["problems"][0]), (422, &"a.toml:1:1: error: bad".into()));
    assert_eq!(reply.problem()["problems"][1], "device [hidden]");
    let server = Running::start(&loopback(), Arc::new(Obedient(Err("the hub is gone".into()))));
    assert_eq!(post(&server, "").problem()["status"], 503);
}

/// A daemon that reloads until it is told to end.
struct Slow {
    begun: mpsc::Sender<()>,
    end: Mutex<mpsc::Receiver<()>>,
}

impl Control for Slow {
    fn reload(&self, _by: &str) -> Result<ReloadReport, String> {
        self.begun.send(()).expect("somebody waits");
        self.end.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(PATIENCE).map_err(|e| e.to_string())?;
        Ok(ReloadReport::default())
    }

    fn dry_run(&self) -> Result<ReloadReport, String> {
        Ok(ReloadReport::default())
    }
}

#[test]
fn one_at_a_time_and_scrapes_go_on() {
    let ((begun, has_begun), (end, ends)) = (mpsc::channel(), mpsc::channel());
    let server = Running::start(&loopback(), Arc::new(Slow { begun, end: Mutex::new(ends) }));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| post(&server, "").status);
        has_begun.recv_timeout(PATIENCE).expect("begun");
        assert_eq!(post(&server, "").problem()["status"], 409);
        assert_eq!(server.get("/metrics").status, 200);
        assert_eq!(server.get("/api/v1/findings").status, 200);
        end.send(()).expect("it waits");
        assert_eq!(first.join().expect("no panic"), 200);
    });
}
