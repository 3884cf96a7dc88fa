//! The golden files against our JSON Schemas, by Python's `jsonschema`, and against what the standards' makers publish: OCSF's schema of the
//! version that we name, and Elastic's table of ECS fields.

use std::path::PathBuf;
use std::process::Command;

use ringfence_tests::{peers, root};

fn golden(form: &str) -> [PathBuf; 2] {
    ["", "-identities"].map(|suffix| root().join(format!("sensor/daemon/src/deliver/format/golden/{form}{suffix}.txt")))
}

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
assert n == 20, n
"#;

#[test]
fn goldens_are_as_the_schemas_say() {
    if peers::python(&["jsonschema"], "python3-jsonschema").is_none() {
        return;
    }
    for (form, schema) in [("json", "event"), ("eve", "eve"), ("ecs", "ecs"), ("ocsf", "ocsf")] {
        let schema = root().join(format!("docs/schema/{schema}.json"));
        let done = peers::python(&["jsonschema"], "python3-jsonschema")
            .expect("it was there")
            .args(["-c", CHECK])
            .arg(schema)
            .arg(root().join("docs/schema/event.json"))
            .args(golden(form))
            .output()
            .expect("runs");
        assert!(done.status.success(), "{form}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// OCSF's own schema of version 1.6.0 allows no attribute that it does not know. Then attributes are spoiled, and that must be noticed.
const OCSF: &str = r#"
import json, sys
from jsonschema import Draft202012Validator as V
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
schema = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.6.0"))
classes = {2003: "compliance_finding", 2004: "detection_finding"}
v = {uid: V(schema.get_class_schema(name, [])) for uid, name in classes.items()}
seen = set()
for path in sys.argv[1:]:
    for line in open(path, encoding="utf-8"):
        doc = json.loads(line)
        seen.add(doc["class_uid"])
        check = v[doc["class_uid"]]
        errors = [f"{list(e.absolute_path)}: {e.message[:300]}" for e in check.iter_errors(doc)]
        assert not errors, (path, errors[:5])
        for spoiled in ({"surprise": 1}, {"severity_id": 42}, {"time": "now"}, {"metadata": {}}, {"finding_info": {"uid": 1}}):
            assert not check.is_valid({**doc, **spoiled}), (path, spoiled)
assert seen == {2003, 2004}, seen
"#;

#[test]
fn ocsf_is_as_its_own_schema_says() {
    let Some(mut python) = peers::python(&["jsonschema", "ocsf_json_schema"], "python3-jsonschema, and ocsf-json-schema by pip") else {
        return;
    };
    let done = python.args(["-c", OCSF]).args(golden("ocsf")).output().expect("runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Every field outside of `ringfence` is one of ECS, of the kind that ECS says, with a value that it allows; `tls.client.ja4` is ours.
const ECS: &str = r#"
const { EcsFlat } = require(process.argv[1] + "/build/commonjs/ecs_flat.js");
const fs = require("fs");
const number = new Set(["long", "integer", "float", "scaled_float", "double"]);
function look(name, value, wrong) {
  const field = EcsFlat[name];
  if (!field && value !== null && typeof value === "object" && !Array.isArray(value)) {
    for (const [key, inner] of Object.entries(value)) look(name ? name + "." + key : key, inner, wrong);
    return;
  }
  if (!field) { wrong.add(name + " is no field"); return; }
  // Elasticsearch takes one value for a list and a list for one value; we write lists where ECS asks for them.
  if (field.normalize.includes("array") !== Array.isArray(value)) wrong.add(name + " is " + (Array.isArray(value) ? "" : "no ") + "list");
  for (const one of [value].flat()) {
    if ((typeof one === "number") !== number.has(field.type)) wrong.add(name + ": " + JSON.stringify(one) + " is no " + field.type);
    if (field.type === "ip" && !require("net").isIP(one)) wrong.add(name + ": " + one + " is no address");
    if (field.type === "date" && isNaN(Date.parse(one))) wrong.add(name + ": " + one + " is no date");
    if (field.allowed_values && !field.allowed_values.some(v => v.name === one)) wrong.add(name + ": " + one + " is not allowed");
    if (field.pattern && !new RegExp("^(?:" + field.pattern + ")$").test(one)) wrong.add(name + ": " + one + " is not as its pattern");
  }
}
const wrong = new Set(), noticed = new Set();
let lines = 0;
for (const path of process.argv.slice(2)) {
  for (const line of fs.readFileSync(path, "utf8").trim().split("\n")) {
    const doc = JSON.parse(line);
    lines += 1;
    delete doc.ringfence;
    if (doc.tls) delete doc.tls.client.ja4;
    look("", doc, wrong);
    for (const name of ["@timestamp", "ecs"]) if (!(name in doc)) wrong.add("no " + name);
  }
}
look("", { event: { kind: "wrong", category: "network" }, surprise: 1, source: { ip: "x", bytes: "1" } }, noticed);
if (wrong.size || noticed.size !== 5 || lines !== 20) { console.error([...wrong], [...noticed], lines); process.exit(1); }
"#;

#[test]
fn ecs_has_only_fields_that_ecs_knows() {
    let package = peers::unpacked().join("ecs/package");
    if !package.is_dir() {
        return eprintln!("skipped: Elastic's table of fields is not here (tests/peers.sh fetches it where there is npm)");
    }
    let done = Command::new("node").args(["-e", ECS]).arg(package).args(golden("ecs")).output().expect("node runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
