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

#[test]
fn devices_are_joined_and_parted_by_those_who_may() {
    let server = Running::operated(false, Arc::new(Obedient(Ok(ReloadReport::default()))));
    let ids: Vec<String> =
        (0..2).map(|n| server.json("/api/v1/devices")["devices"][n]["device"]["id"].as_str().expect("an id").into()).collect();
    let post = |body: &str| {
        let head =
            format!("POST /api/v1/links HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN_OF_JANA}\r\nContent-Length: {}", body.len());
        server.ask(&format!("{head}\r\nConnection: close\r\n\r\n{body}"))
    };
    let body = |kind: &str, a: &str, b: &str| format!("{{\"kind\":\"{kind}\",\"a\":\"{a}\",\"b\":\"{b}\",\"reason\":\"its dock\"}}");
    let done: serde_json::Value = serde_json::from_str(&post(&body("merge", &ids[0], &ids[1])).body).expect("JSON");
    assert_eq!((done["kind"].as_str(), done["a"].as_str(), done["by"].as_str()), (Some("merge"), Some(&*ids[0]), Some("jana")));
    for (kind, a, b, status) in
        [("merge", &*ids[0], &*ids[0], 422), ("join", &ids[0], &ids[1], 400), ("split", "dev-000000000000", &ids[1], 404)]
    {
        assert_eq!(post(&body(kind, a, b)).problem()["status"], status, "{kind} {a}");
    }
    assert_eq!(server.get("/api/v1/links").body.matches("canary").count(), 0, "who said it and why is not for everybody");
}

#[test]
fn the_history_of_a_device_names_it_to_those_who_may_ask() {
    let server = Running::operated(false, Arc::new(Obedient(Ok(ReloadReport::default()))));
    let id = server.json("/api/v1/devices")["devices"][0]["device"]["id"].as_str().expect("an id").to_string();
    let path = format!("/api/v1/devices/{id}/history");
    let hidden = server.json(&path);
    assert_eq!(
        (&hidden["device"]["id"], &hidden["stays"][0]["address"], &hidden["names"][0]["name"]),
        (&id.as_str().into(), &serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert_eq!((hidden["stays"][0]["segment"].as_str(), hidden["stays"][0]["sources"][0].as_str()), (Some("lab"), Some("dhcp")));
    let as_jana = |path: &str| {
        server.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN_OF_JANA}\r\nConnection: close\r\n\r\n"))
    };
    let named: serde_json::Value = serde_json::from_str(&as_jana(&format!("{path}?reason=incident%207")).body).expect("JSON");
    assert_eq!((named["stays"][0]["address"].as_str(), named["names"][0]["name"].as_str()), (Some("10.10.20.99"), Some("canary-name")));
    assert!(!as_jana(&path).body.contains("canary-name"), "not without a reason");
    assert_eq!(server.get(&format!("{path}?reason=x")).status, 401, "not for nobody");
}
