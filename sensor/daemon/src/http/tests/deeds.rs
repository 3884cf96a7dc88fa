//! What operators do over HTTP: who may, what is taken, what is refused.

use super::*;
use crate::config::Operator;

fn server(dir: &std::path::Path) -> Running {
    let operator = |name: &str, may: &[Right]| {
        let token_file = dir.join(name);
        std::fs::write(&token_file, format!("token-of-{name}-here")).expect("written");
        Operator { name: name.into(), token_file, may: may.to_vec() }
    };
    let operators = vec![operator("jana", &[Right::Acknowledge]), operator("petr", &[Right::Waivers])];
    Running::start(&config::Http { operators, ..loopback() }, Arc::new(Obedient(Ok(ReloadReport::default()))))
}

fn post(server: &Running, path: &str, who: &str, body: &str) -> Reply {
    let length = body.len();
    server.ask(&format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer token-of-{who}-here\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ))
}

#[test]
fn a_finding_is_taken_care_of_by_name() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let server = server(dir.path());
    let id = server.json("/api/v1/findings?limit=1")["findings"][0]["id"].as_str().expect("an id").to_string();
    let path = format!("/api/v1/findings/{id}/acknowledge");
    let done = post(&server, &path, "jana", "{\"note\": \"on it\"}");
    let body: serde_json::Value = serde_json::from_str(&done.body).expect("JSON");
    assert_eq!(
        (&body["id"], &body["acknowledged"]["by"], &body["acknowledged"]["note"]),
        (&id.as_str().into(), &"jana".into(), &"on it".into())
    );
    for (who, body, status, kind) in [
        ("petr", "{}", 403, "right"),
        ("nobody", "{}", 401, "operator"),
        ("jana", "", 400, "bad-body"),
        ("jana", "{\"note\": 1}", 400, "bad-body"),
        ("jana", "{\"notes\": \"\"}", 400, "bad-body"),
        ("jana", "{\"note\": \"late\"}", 409, "conflict"),
    ] {
        let problem = post(&server, &path, who, body).problem();
        assert_eq!(
            (&problem["status"], &problem["type"]),
            (&status.into(), &format!("urn:ringfence:problem:{kind}").into()),
            "{who} {body}"
        );
    }
    assert_eq!(post(&server, "/api/v1/findings/rf-none/acknowledge", "jana", "{}").status, 404);
    let long = format!("{{\"note\": \"{}\"}}", "x".repeat(20_000));
    assert_eq!(post(&server, &path, "jana", &long).status, 413);
    assert_eq!(server.get(&path).status, 405);
}

#[test]
fn one_device_is_named_to_whom_it_is_permitted() {
    let server = Running::operated(false, Arc::new(Obedient(Ok(ReloadReport::default()))));
    let ask = |path: &str, who: &str, body: &str| post(&server, path, who, body);
    let asked = |reason: &str| format!("{{\"pseudonym\": \"dev-0123456789ab\", \"reason\": \"{reason}\"}}");
    let named = ask("/api/v1/resolve", "jana", &asked("incident 4711"));
    let body: serde_json::Value = serde_json::from_str(&named.body).expect("JSON");
    assert_eq!((&body["device"]["id"], &body["device"]["mac"]), (&"dev-0123456789ab".into(), &"00:00:5e:00:53:99".into()));
    let waits = ask("/api/v1/resolve", "jana", &asked("wait"));
    assert!(waits.status == 200 && !waits.body.contains("00:00:5e") && waits.body.contains("0123456789abcdef"), "{}", waits.body);
    assert_eq!(ask("/api/v1/resolve", "jana", &asked("often")).problem()["status"], 429);
    assert_eq!(ask("/api/v1/resolve", "nobody", &asked("x")).status, 401);
    assert_eq!(ask("/api/v1/resolve/0123456789abcdef/confirm", "jana", "").status, 200);
    assert_eq!(server.get("/api/v1/resolve").status, 405, "nothing lists");
}
