//! What the sensor does with personal data, in words: made from the configuration that holds and from constants of the code, by templates
//! in English and Czech. What no key and no constant says, no sentence may say.

use minijinja::value::Serde;
use minijinja::{Environment, Value};
use pulldown_cmark::{Event, Options, Parser, html};
use serde::Serialize;

use crate::config::Config;
use crate::control::{RESOLVE_CONFIRM, RESOLVES_PER_HOUR, Right};
use crate::store;

/// A document, by its name and language.
const TEMPLATES: &[(&str, &str)] = &[
    ("annex.en", include_str!("privacy/templates/annex.en.md")),
    ("annex.cs", include_str!("privacy/templates/annex.cs.md")),
    ("notice.en", include_str!("privacy/templates/notice.en.md")),
    ("notice.cs", include_str!("privacy/templates/notice.cs.md")),
];

/// Words of tables in Czech.
const CZECH: &[(&str, &str)] = &[
    ("sensitive", "citlivý"),
    ("standard", "běžný"),
    ("guest", "hosté"),
    ("separate", "oddělená zařízení"),
    ("findings", "nálezy"),
    ("history", "historie nálezů"),
    ("sightings", "kdy a kde bylo zařízení vidět"),
    ("spans of use", "doby používání"),
    ("devices", "zařízení bez nálezu"),
    ("coverage of segments", "pokrytí segmentů"),
    ("coverage of interfaces", "pokrytí rozhraní"),
    ("waiver uses", "využití výjimek"),
    ("audit log", "auditní záznam"),
];

#[derive(Serialize)]
struct Facts {
    version: &'static str,
    site: String,
    apps: Vec<String>,
    lines: usize,
    devices: usize,
    designated: usize,
    waivers: usize,
    interfaces: Vec<String>,
    filter: String,
    segments: Vec<Segment>,
    exposure_days: u64,
    window_hours: u64,
    quiet_hours: u64,
    retention: Vec<Kept>,
    aggregate: bool,
    group_min: u64,
    identities: bool,
    listen: Option<String>,
    token: bool,
    tls: bool,
    operators: Vec<Operator>,
    resolvers: Vec<String>,
    erasers: Vec<String>,
    two_persons: bool,
    resolves_per_hour: usize,
    confirm_minutes: u64,
    outputs: Vec<Output>,
    sandbox: bool,
}

#[derive(Serialize)]
struct Segment {
    name: String,
    class: &'static str,
    selectors: Vec<String>,
}

#[derive(Serialize)]
struct Kept {
    name: &'static str,
    days: Option<u64>,
}

/// A way out.
#[derive(Serialize)]
struct Output {
    name: String,
    kind: &'static str,
    target: String,
    identities: bool,
}

#[derive(Serialize)]
struct Operator {
    name: String,
    may: Vec<&'static str>,
}

/// What holds: the configuration, and the apps that rules recognise.
fn facts(config: &Config, apps: &[String]) -> Facts {
    let (policy, service) = (&config.policy, &config.service);
    let holders = |right: Right| {
        let may = service.http.operators.iter().filter(|o| o.may.contains(&right));
        may.map(|o| o.name.clone()).collect::<Vec<_>>()
    };
    Facts {
        version: env!("CARGO_PKG_VERSION"),
        site: config.site.clone(),
        apps: apps.to_vec(),
        lines: policy.lines.len(),
        devices: policy.register.devices().count(),
        designated: policy.register.devices().filter(|d| d.designated).count(),
        waivers: policy.waivers.len(),
        interfaces: service.capture.interfaces.clone(),
        filter: service.capture.filter.clone(),
        segments: segments(config),
        exposure_days: policy.exposure.as_secs() / 86_400,
        window_hours: service.findings.window.as_secs() / 3_600,
        quiet_hours: service.findings.quiet.as_secs() / 3_600,
        retention: retention(config),
        aggregate: service.privacy.aggregate_only,
        group_min: service.privacy.group_min,
        identities: service.http.identities,
        listen: service.http.listen.map(|a| a.to_string()),
        token: service.http.token_file.is_some(),
        tls: service.http.tls_key.is_some(),
        operators: service
            .http
            .operators
            .iter()
            .map(|o| Operator { name: o.name.clone(), may: o.may.iter().map(|r| r.name()).collect() })
            .collect(),
        resolvers: holders(Right::Resolve),
        erasers: holders(Right::Erase),
        two_persons: service.privacy.resolve_two_persons,
        resolves_per_hour: RESOLVES_PER_HOUR,
        confirm_minutes: RESOLVE_CONFIRM.as_secs() / 60,
        outputs: service.outputs_with(service.privacy.aggregate_only).iter().map(Output::of).collect(),
        sandbox: service.state.sandbox,
    }
}

impl Output {
    fn of(output: &crate::config::Output) -> Output {
        let far = output.endpoint.as_ref().map(|e| format!("{}://{}:{}", e.scheme, e.host, e.port));
        let target = far.unwrap_or_else(|| output.path.display().to_string());
        Output { name: output.name.clone(), kind: output.kind, target, identities: output.identities }
    }
}

fn segments(config: &Config) -> Vec<Segment> {
    let configured = config.policy.segments.all().filter(|s| !s.selectors.is_empty());
    let row = |s: &ringfence_core::policy::Segment| Segment {
        name: s.name.to_string(),
        class: s.class.name(),
        selectors: s.selectors.iter().map(ToString::to_string).collect(),
    };
    configured.map(row).collect()
}

fn retention(config: &Config) -> Vec<Kept> {
    let days = |kept: Option<std::time::Duration>| kept.map(|k| k.as_secs() / 86_400);
    let retention = &config.service.retention;
    // Where only groups are told, nothing of the rest is written.
    let written = |name: &str| !config.service.privacy.aggregate_only || name.starts_with("coverage");
    let classes = store::classes(retention).filter(|(name, _)| written(name)).map(|(name, kept)| Kept { name, days: days(kept) });
    classes.chain([Kept { name: "audit log", days: days(retention.audit) }]).collect()
}

/// A document (`annex`, `notice`) in a language (`en`, `cs`), as Markdown.
///
/// # Errors
/// When there is no such document, or its template is wrong.
pub fn markdown(document: &str, language: &str, config: &Config, apps: &[String]) -> Result<String, String> {
    let name = format!("{document}.{language}");
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.add_filter("plain", |text: String| plain(&text));
    environment.add_filter("cs_class", |text: String| czech(&text));
    environment.add_filter("cs_data", |text: String| czech(&text));
    environment.add_filter("en_days", |days: u64| format!("{days} day{}", if days == 1 { "" } else { "s" }));
    environment.add_filter("cs_days", |days: u64| czech_days(days));
    for (name, text) in TEMPLATES {
        environment.add_template(name, text).map_err(|e| e.to_string())?;
    }
    let template = environment.get_template(&name).map_err(|e| e.to_string())?;
    let text = template.render(Value::from(Serde(facts(config, apps)))).map_err(|e| e.to_string())?;
    Ok(format!("{}\n", text.trim_end()))
}

/// Markdown as a page that needs nothing else.
pub fn page(markdown: &str, language: &str) -> String {
    // Nothing in it is HTML, whatever somebody called their site.
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        other => other,
    });
    let mut body = String::new();
    html::push_html(&mut body, events);
    format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Ringfence</title>\n<style>{STYLE}</style>\n{body}</html>\n"
    )
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}\
    h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid #ccc}\
    table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{border:1px solid #bbb;padding:.3rem .6rem;text-align:left;vertical-align:top}\
    th{background:#f0f0f0}code{background:#f4f4f4;padding:0 .2rem}@media print{body{margin:0;font-size:11pt}h2{break-after:avoid}}";

fn czech(text: &str) -> String {
    CZECH.iter().find(|(english, _)| *english == text).map_or(text, |(_, czech)| czech).to_string()
}

fn czech_days(days: u64) -> String {
    let word = match days {
        1 => "den",
        2..=4 => "dny",
        _ => "dní",
    };
    format!("{days} {word}")
}

/// A text that somebody wrote, without a meaning in Markdown.
fn plain(text: &str) -> String {
    let special = |c: char| c.is_ascii_punctuation() && !matches!(c, '.' | ',' | ':' | '/' | '-');
    text.chars().filter(|c| !c.is_control()).flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "site = \"Acme <script>alert(1)</script> | *x* {{ apps }}\"\n[segments.lab]\nclass = \"sensitive\"\nvlans = 10\n";

    #[test]
    fn what_somebody_wrote_stays_text() {
        let config = Config::parse(CONFIG, "id,macs\n", &[]).expect("right");
        for document in ["annex", "notice"] {
            for language in ["en", "cs"] {
                let page = page(&markdown(document, language, &config, &["wechat".into()]).expect("made"), language);
                assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; | *x* {{ apps }}"), "{page}");
                assert!(!page.contains("<script"), "{page}");
            }
        }
        assert!(markdown("annex", "de", &config, &[]).is_err());
    }

    #[test]
    fn nothing_leaves_that_section_six_does_not_tell() {
        let outputs = "
[[output]]
name = \"siem\"
kind = \"syslog\"
endpoint = \"udp://logs.example.org:514\"
[[output]]
name = \"desk\"
kind = \"file\"
path = \"/tmp/events.json\"
identities = true
";
        let config = Config::parse(&format!("{CONFIG}{outputs}"), "id,macs\n", &[]).unwrap_or_else(|e| panic!("{:#?}", e.problems()));
        for (language, pseudonyms, plain) in
            [("en", "with pseudonyms", "with addresses and names"), ("cs", "s pseudonymy", "s adresami a názvy")]
        {
            let text = markdown("annex", language, &config, &[]).expect("made");
            let told = text.lines().find(|l| l.contains("logs.example.org:514")).unwrap_or_else(|| panic!("{text}"));
            assert!(told.contains("siem") && told.contains(pseudonyms) && told.contains("events.json") && told.contains(plain), "{told}");
        }
    }

    #[test]
    fn every_class_of_data_has_its_czech_word() {
        let config = Config::parse(CONFIG, "id,macs\n", &[]).expect("right");
        for kept in retention(&config) {
            assert_ne!(czech(kept.name), kept.name);
        }
        assert_eq!(["sensitive", "standard", "guest", "separate"].map(czech), ["citlivý", "běžný", "hosté", "oddělená zařízení"]);
        assert_eq!([1, 3, 365].map(czech_days), ["1 den", "3 dny", "365 dní"]);
    }
}
