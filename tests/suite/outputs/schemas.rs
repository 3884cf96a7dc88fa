//! The golden files against the JSON Schemas, by Python's `jsonschema`.

use std::process::Command;

use ringfence_tests::root;

/// Validates every line of a file; then takes each required key out of each line, and that must be noticed.
const CHECK: &str = r#"
import json, sys
from jsonschema import Draft202012Validator as V
schema = json.load(open(sys.argv[1]))
V.check_schema(schema)
v = V(schema)
whole = V(json.load(open(sys.argv[2])))
n = 0
for path in sys.argv[3:]:
    for line in open(path, encoding="utf-8"):
        doc = json.loads(line)
        errors = [f"{list(e.absolute_path)}: {e.message}" for e in v.iter_errors(doc)]
        assert not errors, (path, errors[:5])
        for key in schema["required"]:
            assert not v.is_valid({k: x for k, x in doc.items() if k != key}), (path, key)
        assert not v.is_valid({**doc, "surprise": 1}), path
        inside = doc.get("ringfence") or doc.get("unmapped", {}).get("ringfence") or doc
        assert whole.is_valid(inside), (path, list(whole.iter_errors(inside))[:3])
        n += 1
assert n == 18, n
"#;

#[test]
fn goldens_are_as_the_schemas_say() {
    let has = Command::new("python3").args(["-c", "import jsonschema"]).output().is_ok_and(|o| o.status.success());
    if !has {
        eprintln!("skipped: no jsonschema for python3 (Debian package python3-jsonschema)");
        return;
    }
    for (form, schema) in [("json", "event"), ("eve", "eve"), ("ecs", "ecs"), ("ocsf", "ocsf")] {
        let golden = |suffix: &str| root().join(format!("sensor/daemon/src/deliver/format/golden/{form}{suffix}.txt"));
        let schema = root().join(format!("docs/schema/{schema}.json"));
        let done = Command::new("python3")
            .args(["-c", CHECK])
            .arg(schema)
            .arg(root().join("docs/schema/event.json"))
            .args([golden(""), golden("-identities")])
            .output()
            .expect("runs");
        assert!(done.status.success(), "{form}: {}", String::from_utf8_lossy(&done.stderr));
    }
}
