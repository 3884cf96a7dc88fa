//! Nobody is named unless `identities` says so.

use super::*;
use crate::control::Right;
use crate::http::api::ROUTES;

/// Every answer that there is, as one text.
fn everything(server: &Running) -> String {
    let first = |list: &str, what: &str| server.json(list)[what][0].clone();
    let finding = first("/api/v1/findings", "findings")["id"].as_str().expect("an id").to_string();
    let device = first("/api/v1/devices", "devices")["device"]["id"].as_str().expect("an id").to_string();
    let mut text = String::new();
    // Naming somebody is what `resolve` is for.
    for route in ROUTES.iter().filter(|r| r.right != Some(Right::Resolve)) {
        let id = match route.path {
            path if path.contains("devices") => &device,
            path if path.contains("waivers") => "W-1",
            _ => &finding,
        };
        let path = route.path.replace("{id}", id);
        let reply = server.route(route, &path);
        assert_eq!(reply.status, 200, "{path}");
        // Whoever changes waivers sees for whom they are.
        if route.right == Some(Right::Waivers) {
            continue;
        }
        text += &(reply.head + &reply.body + "\n");
    }
    text
}

fn reported() -> Arc<Obedient> {
    let change = "device canary at 10.10.20.99 with 00:00:5e:00:53:99 is new".to_string();
    let finding = crate::http::Rejudged {
        id: tracked(1).finding.id,
        device: tracked(1).finding.device.key,
        app: "wechat".into(),
        segment: "lab".into(),
        before: "waived",
        after: "violation",
    };
    Arc::new(Obedient(Ok(ReloadReport { changes: vec![change], findings: vec![finding], ..ReloadReport::default() })))
}

#[test]
fn no_answer_names_anybody() {
    let server = Running::operated(false, reported());
    let text = everything(&server).to_lowercase();
    for word in IDENTITIES {
        assert!(!text.contains(word), "{word} is served");
    }
    // Neither the core's own ids, which can be found by trying every hardware address.
    for n in 0..30 {
        let finding = tracked(n).finding;
        assert!(!text.contains(&finding.id) && !text.contains(&finding.device.id), "{}", finding.id);
    }
    assert!(text.contains("szshort.weixin.qq.com") && text.contains("10.10.20.0/24"), "signs and segments are told");
    assert!(text.contains("waiver w-1 covers it"));
}

#[test]
fn identities_are_told_where_that_is_wanted() {
    let text = everything(&Running::operated(true, reported()));
    for word in IDENTITIES {
        assert!(text.contains(word), "{word} is not served: so its absence elsewhere proves nothing");
    }
    assert!(text.contains(&tracked(0).finding.id));
}

/// Three of four segments' groups are told; the routes that tell of devices say why they do not.
#[test]
fn only_groups_are_told_where_that_is_wanted() {
    let server = Running::grouped(&loopback(), reported(), Some(5));
    for route in ROUTES.iter().filter(|r| r.right.is_none()) {
        let reply = server.route(route, &route.path.replace("{id}", "dev-0123456789ab"));
        let told = crate::http::api::AGGREGATE.contains(&route.path);
        assert_eq!(reply.status, if told { 200 } else { 403 }, "{}", route.path);
        let body = reply.body.to_lowercase();
        assert!(IDENTITIES.iter().all(|word| !body.contains(word)), "{}", route.path);
        let named = |text: &str| {
            ["dev-", "rf-"].iter().any(|begin| {
                text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                    .any(|w| w.strip_prefix(begin).is_some_and(|d| d.len() >= 12 && d.bytes().all(|b| b.is_ascii_hexdigit())))
            })
        };
        assert!(told || !reply.problem()["detail"].as_str().expect("a text").is_empty());
        assert!(!named(&body), "{} tells of a device: {body}", route.path);
    }
    assert!(server.get("/api/v1/devices").problem()["detail"].as_str().is_some_and(|d| d.contains("aggregate_only")));
    let answer = server.json("/api/v1/aggregates");
    assert_eq!(answer["group_min"], 5);
    let groups = answer["groups"].as_array().expect("a list");
    assert!(!groups.is_empty() && groups.iter().all(|g| g["devices"].as_u64() >= Some(5)), "{answer}");
}
