//! What is answered: every route, pages, filters, problems; and the document says so.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::http::api::ROUTES;
use crate::http::document;

/// `path` with an id that there is.
fn real(server: &Running, path: &str) -> String {
    let first = |list: &str, what: &str| server.json(list)[what][0].clone();
    let id = match path {
        _ if path.starts_with("/api/v1/findings/{id}") => first("/api/v1/findings", "findings")["id"].clone(),
        _ if path.starts_with("/api/v1/devices/{id}") => first("/api/v1/devices", "devices")["device"]["id"].clone(),
        _ if path.starts_with("/api/v1/waivers/{id}") => first("/api/v1/waivers", "waivers")["id"].clone(),
        _ => return path.to_string(),
    };
    path.replace("{id}", id.as_str().expect("an id"))
}

/// Holds a value to a schema: every field is declared, every required field there.
fn fits(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(one_of) = schema["oneOf"].as_array() {
        let other = one_of.iter().find(|s| s["type"] != "null").filter(|_| !value.is_null());
        return other.into_iter().for_each(|schema| fits(document, schema, value, place));
    }
    if let Some(name) = schema["$ref"].as_str() {
        let found = document.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{place}: {name} is not in the document"));
        return fits(document, found, value, place);
    }
    match value {
        Value::Object(fields) if schema.get("additionalProperties").is_some() => {
            fields.iter().for_each(|(k, v)| fits(document, &schema["additionalProperties"], v, &format!("{place}.{k}")));
        }
        Value::Object(fields) => {
            let (mut declared, mut required) = (serde_json::Map::new(), BTreeSet::new());
            collect(document, schema, &mut declared, &mut required);
            for (name, field) in fields {
                let schema = declared.get(name).unwrap_or_else(|| panic!("{place}.{name} is not declared"));
                fits(document, schema, field, &format!("{place}.{name}"));
            }
            let missing: Vec<_> = required.iter().filter(|r| !fields.contains_key(*r)).collect();
            assert!(missing.is_empty(), "{place}: {missing:?} must be there");
        }
        Value::Array(items) => items.iter().for_each(|item| fits(document, &schema["items"], item, &format!("{place}[]"))),
        _ => assert!(!schema.is_null(), "{place} has no schema"),
    }
}

fn collect(document: &Value, schema: &Value, declared: &mut serde_json::Map<String, Value>, required: &mut BTreeSet<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let found = document.pointer(name.trim_start_matches('#')).expect("in the document");
        return collect(document, found, declared, required);
    }
    schema["allOf"].as_array().into_iter().flatten().for_each(|part| collect(document, part, declared, required));
    declared.extend(schema["properties"].as_object().cloned().unwrap_or_default());
    required.extend(schema["required"].as_array().into_iter().flatten().filter_map(|r| r.as_str().map(String::from)));
}

#[test]
fn every_route_answers_as_the_document_says() {
    let server = Running::operated(false, Arc::new(Obedient(Ok(ReloadReport::default()))));
    let document: Value = serde_json::from_str(&document()).expect("JSON");
    assert_eq!(server.json("/api/v1/openapi.json"), document);
    let operations =
        document["paths"].as_object().into_iter().flat_map(|p| p.values()).filter_map(Value::as_object).map(|o| o.len()).sum::<usize>();
    assert_eq!(operations, ROUTES.len());
    for route in ROUTES {
        let method = route.method.as_str().to_lowercase();
        let operation = &document["paths"][route.path][&method];
        let path = real(&server, route.path);
        let reply = server.route(route, &path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        assert!(reply.head.contains("cache-control: no-store") && reply.head.contains("x-content-type-options: nosniff"), "{}", reply.head);
        let keys: Vec<&str> = operation["parameters"].as_array().into_iter().flatten().filter_map(|p| p["name"].as_str()).collect();
        assert!(route.query.iter().all(|k| keys.contains(&k.name)), "{path}: {keys:?}");
        let content = &operation["responses"]["200"]["content"];
        if let Some(json) = content.get("application/json").filter(|_| route.path != "/api/v1/openapi.json") {
            fits(&document, &json["schema"], &serde_json::from_str(&reply.body).expect("JSON"), route.path);
        }
    }
    let problem = server.get("/api/v1/nothing").problem();
    fits(&document, &document["components"]["schemas"]["Problem"], &problem, "problem");
}

#[test]
fn pages_tell_every_finding_once_and_filters_choose() {
    let server = Running::plain();
    let (mut ids, mut target, mut pages) = (Vec::new(), "/api/v1/findings?limit=7".to_string(), 0);
    loop {
        let page = server.json(&target);
        assert_eq!(page["total"], 30);
        ids.extend(page["findings"].as_array().expect("a list").iter().map(|f| f["id"].to_string()));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        target = format!("/api/v1/findings?limit=7&cursor={next}");
    }
    assert_eq!((pages, ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (5, 30, 30));
    let device = server.json("/api/v1/findings?limit=1")["findings"][0]["device"]["id"].as_str().expect("an id").to_string();
    for (query, total) in [
        ("verdict=violation".to_string(), 10),
        ("verdict=violation,waived".into(), 30),
        ("verdict=compliant".into(), 0),
        ("stage=open".into(), 24),
        ("level=confirmed&app=wechat".into(), 30),
        ("app=other".into(), 0),
        ("segment=10.10.20.0%2F24".into(), 20),
        (format!("device={device}"), 3),
        ("since=2026-11-23T11:47:10Z".into(), 20),
    ] {
        assert_eq!(server.json(&format!("/api/v1/findings?{query}"))["total"], total, "{query}");
    }
    let devices = server.json("/api/v1/devices?limit=4");
    assert_eq!((devices["total"].clone(), devices["devices"].as_array().map(Vec::len)), (10.into(), Some(4)));
    assert_eq!(server.json(&format!("/api/v1/devices/{device}"))["list"].as_array().map(Vec::len), Some(3));
    let segments = server.json("/api/v1/segments");
    assert_eq!((&segments["segments"][0]["open"]["violation"], &segments["segments"][1]["name"]), (&8.into(), &"10.10.20.0/24".into()));
}

#[test]
fn a_finding_has_the_fields_of_scan() {
    let server = Running::plain();
    let served = server.json("/api/v1/findings?limit=1")["findings"][0].clone();
    let fields = |v: &Value| v.as_object().expect("an object").keys().cloned().collect::<BTreeSet<String>>();
    let scanned = serde_json::to_value(crate::output::json::finding_line(&tracked(0).finding)).expect("JSON");
    let more: BTreeSet<String> = ["stage", "opened", "changed", "reopened", "acknowledged", "escalated"].map(String::from).into();
    assert_eq!(fields(&served), fields(&scanned).union(&more).cloned().collect());
    assert_eq!(fields(&served["device"]), fields(&scanned["device"]));
    assert_eq!(served["opened"], "2026-11-23T11:47:00.000000Z");
}

#[test]
fn what_makes_no_sense_is_told_with_a_remedy() {
    let server = Running::plain();
    for (target, status, remedy) in [
        ("/api/v1/findings?verdct=violation", 400, "did you mean `verdict`?"),
        ("/api/v1/findings?verdict=violaton", 400, "did you mean `violation`?"),
        ("/api/v1/findings?cursor=zz", 400, "take `next` of the page before"),
        ("/metrics?x=1", 400, "this route takes no query"),
        ("/api/v1/finding", 404, "did you mean `/api/v1/findings`?"),
        ("/", 404, "GET /api/v1/openapi.json lists what there is"),
        ("/api/v1/findings/rf-0000000000000000", 404, "GET /api/v1/findings lists those that there are"),
        ("/api/v1/devices/dev-000000000000", 404, "GET /api/v1/devices lists those that there are"),
        ("/api/v1/reload", 405, "GET reads, POST does something; GET /api/v1/openapi.json lists which path takes which"),
    ] {
        let reply = server.get(target);
        assert_eq!((reply.status, reply.problem()["remedy"].as_str()), (status, Some(remedy)), "{target}");
    }
    let reply = server.ask("POST /api/v1/findings HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(reply.status == 405 && reply.head.contains("allow: get,head"), "{}", reply.head);
}

#[test]
fn health_follows_clock_and_rings() {
    let server = Running::plain();
    let status = |change: fn(&mut Status)| {
        let mut status = Status::clone(&filled().status());
        change(&mut status);
        server.state.set_status(status);
        (server.get("/healthz").status, server.get("/readyz").status)
    };
    assert_eq!(status(|_| ()), (200, 200));
    assert_eq!(status(|s| s.at = s.at.before(Duration::from_secs(30))), (503, 200));
    assert_eq!(status(|s| s.ready = false), (200, 503));
    assert_eq!(status(|s| s.rings.iter_mut().for_each(|r| r.state = "gone")), (200, 503));
    assert_eq!(server.get("/version").status, 200);
}
