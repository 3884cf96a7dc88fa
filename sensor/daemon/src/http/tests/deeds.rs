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
