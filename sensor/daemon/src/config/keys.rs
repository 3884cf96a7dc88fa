//! Every key of the configuration, declared once: the documentation is made from this table, and a test holds the readers to it.

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Where: the file or table.
    pub place: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// One sentence.
    pub meaning: &'static str,
}

const fn key(place: &'static str, name: &'static str, kind: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key { place, name, kind, default, meaning }
}

const TOP: &str = "ringfence.toml";
const SEGMENT: &str = "[segments.NAME]";
const POLICY: &str = "[policy]";
const LEVELS: &str = "[policy.min_level]";
const LINE: &str = "[[policy.line]]";
const DEVICE: &str = "[[device]]";
const WAIVER: &str = "[[waiver]]";
const CAPTURE: &str = "[capture]";
const HTTP: &str = "[http]";
const OPERATOR: &str = "[operators.NAME]";
const IDENTITY: &str = "[identity]";
const STATE: &str = "[state]";
const FINDINGS: &str = "[findings]";
const ALARMS: &str = "[alarms]";
const PRIVACY: &str = "[privacy]";
const RETENTION: &str = "[retention]";

const OUTPUT: &str = "[[output]]";

const LEVEL: &str = "possible, probable, confirmed";
const DATE: &str = "date, or time with its offset";

/// The table of keys.
#[rustfmt::skip]
pub static KEYS: &[Key] = &[
    key(TOP, "site", "text", "empty", "What this place is called in outputs."),
    key(TOP, "segments_file", "path", "`segments.toml` if it lies beside", "A file with more `[segments.NAME]` tables, relative to this one."),
    key(TOP, "devices_file", "path", "`devices.toml` and `devices.csv` if they lie beside", "The device register: TOML with `[[device]]` tables, or CSV with a header line."),
    key(TOP, "waivers_file", "path", "`waivers.toml` if it lies beside", "A file with `[[waiver]]` tables."),
    key(TOP, "rules_dir", "path", "only the shipped rules", "A folder of your own rules, laid over the shipped ones; `--rules` goes before."),
    key(SEGMENT, "class", "sensitive, standard, guest, separate", "required", "What the segment is for."),
    key(SEGMENT, "vlans", "VLAN ids 1 to 4094, ranges such as \"200-209\"", "none", "Frames with one of these tags belong to it; of several tags the innermost that is configured decides."),
    key(SEGMENT, "tunnels", "kind and id: \"vxlan:5001\"", "none", "Frames out of one of these tunnels belong to it: mpls, pppoe, gre, erspan, vxlan, geneve, gtp, sgt."),
    key(SEGMENT, "interfaces", "names", "none", "Capture interfaces that see nothing else; VLANs and tunnels go before."),
    key(SEGMENT, "prefixes", "CIDR prefixes", "none", "Devices with an address in one of these belong to it, where nothing above decides; the longest prefix wins."),
    key(POLICY, "exposure_days", "days, 1 to 3650", "30", "A device with confirmed use in so many days that appears in a sensitive segment breaches separation."),
    key(POLICY, "waiver_days_max", "days, 1 to 3650", "365", "A waiver may last so long at most."),
    key(POLICY, "waiver_warn_days", "days, 1 to 3650", "14", "So many days before its end a waiver counts as about to end, and is told."),
    key(POLICY, "waiver_four_eyes", "true or false", "false", "Two people must approve a waiver: `second_approver` in files, `ringfence waiver approve` for those added by command."),
    key(POLICY, "work_names", "host name patterns", "none", "The organisation's work services: a device that shows them and the app is not separate."),
    key(POLICY, "work_prefixes", "CIDR prefixes", "none", "Addresses of the organisation's work services."),
    key(POLICY, "local_suffixes", "names", "none", "Search suffixes that resolvers append, stripped before names are matched; beside lan, local, home and other usual ones."),
    key(POLICY, "min_level", "table", "probable everywhere", "The level from which use can be judged worse than `observed`, by segment class."),
    key(POLICY, "line", "tables, see below", "none", "What the organisation says about an app, where."),
    key(LEVELS, "sensitive", LEVEL, "probable", "In sensitive segments."),
    key(LEVELS, "standard", LEVEL, "probable", "In standard segments."),
    key(LEVELS, "guest", LEVEL, "probable", "In guest segments."),
    key(LEVELS, "separate", LEVEL, "probable", "In segments for separate devices."),
    key(LINE, "name", "text", "required", "What outputs call the line; unique."),
    key(LINE, "apps", "names of apps", "all", "The apps that it is about."),
    key(LINE, "classes", "segment classes", "all", "The classes of segments that it is about."),
    key(LINE, "segments", "names of segments", "all", "The segments that it is about."),
    key(LINE, "status", "banned, separate_device, under_audit, tolerated, allowed", "required", "What it says; the first line that matches decides."),
    key(DEVICE, "id", "text", "required", "Its name in the register; unique."),
    key(DEVICE, "macs", "hardware addresses", "none", "All of them: a laptop has several. At least one of macs, names and addresses is needed."),
    key(DEVICE, "names", "host names", "none", "What it calls itself in DHCP or mDNS."),
    key(DEVICE, "addresses", "addresses", "none", "Fixed addresses."),
    key(DEVICE, "owner", "text", "none", "Who holds it, as a pseudonym."),
    key(DEVICE, "kind", "text", "none", "phone, laptop ..."),
    key(DEVICE, "designated", "true or false; in CSV yes or no", "false", "A separate device: the app may be used on it where separate devices may be."),
    key(DEVICE, "allowed_segments", "names of segments", "all of class separate and guest", "Where a designated device may be; of class separate or guest."),
    key(WAIVER, "id", "text", "required", "Its number; unique. A renewal has its own."),
    key(WAIVER, "holders", "register ids or \"mac:02:00:5e:10:00:01\"", "required", "Who may; never everybody."),
    key(WAIVER, "apps", "names of apps", "required", "Which apps."),
    key(WAIVER, "segments", "names of segments", "required", "Where."),
    key(WAIVER, "approver", "text", "required", "Who approved it."),
    key(WAIVER, "reason", "text", "required", "Why."),
    key(WAIVER, "start", DATE, "required", "From when; a date begins at midnight UTC."),
    key(WAIVER, "end", DATE, "required", "Until when; a date counts to its end in UTC."),
    key(WAIVER, "second_approver", "text", "none", "Who approved it as well; required with policy.waiver_four_eyes."),
    key(WAIVER, "revoked", DATE, "none", "From when it covers nothing any more, before its end."),
    key(WAIVER, "revoked_reason", "text", "required with `revoked`", "Why it was revoked."),
    key(CAPTURE, "interfaces", "names, or \"any\"", "required by `run`", "What the sensor listens on: a mirror port, a TAP, a bridge."),
    key(CAPTURE, "rings", "1 to 64", "1", "Ring threads for each interface; the kernel keeps both directions of a flow on one."),
    key(CAPTURE, "buffer_mib", "MiB, 1 to 4096", "64", "Kernel buffer of each ring."),
    key(CAPTURE, "snaplen_bytes", "bytes, 256 to 262144", "262144", "Bytes kept of a frame; offloads make frames far larger than the MTU."),
    key(CAPTURE, "promiscuous", "true or false", "true", "See frames that are not for this host."),
    key(CAPTURE, "filter", "all, handshakes, or a pcap filter", "all", "What the kernel passes on; `handshakes` drops bulk payload, see `docs/capture.md`."),
    key(HTTP, "listen", "address and port, or \"off\"", "127.0.0.1:9477", "Where metrics and API are served; beyond loopback only with token and TLS."),
    key(HTTP, "token_file", "path", "none", "A file with the token that clients show as `Authorization: Bearer`."),
    key(HTTP, "tls_certificate", "path", "none", "Certificate chain, PEM."),
    key(HTTP, "tls_key", "path", "none", "Its private key, PEM."),
    key(HTTP, "identities", "true or false", "false", "Serve plain addresses and names instead of pseudonyms."),
    key(OPERATOR, "token_file", "path", "required", "A file with the token of this person alone; reading needs none where [http] has none, doing something always does."),
    key(OPERATOR, "may", "acknowledge, waivers, devices, resolve, erase", "required", "What this person may do."),
    key(IDENTITY, "radius_accounting", "true or false", "false", "Learn from RADIUS accounting on the wire which MAC has which address. User names are not read."),
    key(STATE, "dir", "path", "/var/lib/ringfence", "Where findings, the audit log and the site key are kept."),
    key(STATE, "user", "user name", "ringfence", "Whom it becomes when it was started as root; empty to stay."),
    key(STATE, "sandbox", "true or false", "true", "Confine itself with Landlock and seccomp once it runs."),
    key(STATE, "drain_secs", "seconds, 1 to 600", "10", "How long it may take to end on SIGTERM."),
    key(FINDINGS, "window_hours", "hours, 1 to 168", "24", "Signs combine over so long."),
    key(FINDINGS, "quiet_hours", "hours, 1 to 8760", "24", "A finding without signs for so long is resolved."),
    key(FINDINGS, "escalate_hours", "hours, 0 to 8760", "24", "An open finding (unapproved or worse) that nobody acknowledges for so long becomes urgent; 0: never."),
    key(FINDINGS, "escalate_reopened", "times, 0 to 1000", "3", "A finding that was opened again so often becomes urgent at once; 0: never."),
    key(ALARMS, "silence_secs", "seconds, 1 to 86400", "60", "An interface that had traffic and is silent for so long is an alarm."),
    key(ALARMS, "loss", "share above 0 to 1", "0.01", "Share of frames lost above which it is an alarm."),
    key(ALARMS, "one_way", "share above 0 to 1", "0.5", "Share of flows seen in one direction only above which it is an alarm."),
    key(PRIVACY, "resolve_two_persons", "true or false", "false", "It takes two operators with the right `resolve` to learn who is behind a pseudonym."),
    key(PRIVACY, "aggregate_only", "true or false", "false", "Only counts over groups of devices leave the sensor; see `docs/privacy.md`."),
    key(PRIVACY, "group_min", "devices, 2 to 1000", "5", "With `aggregate_only`: groups of fewer devices are not told."),
    key(RETENTION, "findings_days", "days, 0 to 36500", "365", "Findings that have ended are deleted so long after their last change; 0 keeps them, here and below."),
    key(RETENTION, "history_days", "days, 0 to 36500", "365", "What happened to findings."),
    key(RETENTION, "sightings_days", "days, 0 to 36500", "90", "Which device was seen when and where."),
    key(RETENTION, "coverage_days", "days, 0 to 36500", "400", "What was watched when."),
    key(RETENTION, "audit_days", "days, 0 to 36500", "1095", "The audit log; what is left of it stays verifiable."),
    key(OUTPUT, "name", "text", "required", "What it is called in logs and metrics; unique."),
    key(OUTPUT, "kind", "alertmanager, webhook, syslog, file, nats, kafka", "required", "How events leave."),
    key(OUTPUT, "format", "json, eve, ecs, ocsf, cef, text", "syslog: text; others: json", "In which form; not every kind carries every form, and alertmanager has its own."),
    key(OUTPUT, "endpoint", "https://host:port/path, tls://host:port ...", "required, but for files", "Where to. alertmanager, webhook: http, https; syslog: udp, tcp, tls; nats: nats, tls; kafka: kafka."),
    key(OUTPUT, "path", "path", "required for files", "Which file; its folder must exist."),
    key(OUTPUT, "ca", "path", "what the system trusts", "Whom to trust over TLS, PEM."),
    key(OUTPUT, "certificate", "path", "none", "The sensor's own certificate chain where the far end asks for one, PEM."),
    key(OUTPUT, "key", "path", "none", "Its private key, PEM."),
    key(OUTPUT, "secret_file", "path", "none", "A file with a secret: the key of the webhook's signature; Alertmanager's bearer token; for NATS credentials, an NKey's seed, `user:password` or a token."),
    key(OUTPUT, "identities", "true or false", "false", "Plain addresses and names instead of pseudonyms."),
    key(OUTPUT, "verdicts", "verdicts", "all", "Only findings with one of these."),
    key(OUTPUT, "min_level", LEVEL, "all", "Only findings from this level."),
    key(OUTPUT, "segments", "names of segments", "all", "Only findings in one of these."),
    key(OUTPUT, "spool_events", "100 to 1000000", "50000", "Events that may wait while the far end is down; beyond it the oldest go, counted."),
    key(OUTPUT, "per_minute", "1 to 600000", "6000", "Events that are sent in a minute; more wait, and a summary says how many."),
    key(OUTPUT, "subject", "subject", "ringfence.findings", "NATS: under which subject."),
    key(OUTPUT, "stream", "name", "none", "NATS: the stream of the subject, made where it is not there; without it the stream must be there."),
    key(OUTPUT, "topic", "topic", "ringfence.findings", "Kafka: which topic; it must be there, or the brokers make it."),
    key(OUTPUT, "resend_secs", "seconds, 1 to 3600", "60", "Alertmanager: how often alerts are sent again; without word from the sensor they end after four times as long."),
    key(OUTPUT, "rotate_mib", "MiB, 0 to 1048576", "100", "Files: rotated at this size; 0 for never, as when another program rotates it."),
    key(OUTPUT, "rotate_hours", "hours, 0 to 8760", "0", "Files: rotated at this age; 0 for never."),
    key(OUTPUT, "keep_files", "1 to 10000", "10", "Files: rotated ones that are kept."),
];

/// `docs/config.md`, generated.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Configuration\n\nEvery key. Generated from the table in the source; do not edit. An annotated example is in `deploy/config/`, \
         what the words mean is in `docs/policy.md`.\n\n\
         `ringfence check -c ringfence.toml` tells everything that is wrong at once. `[segments.NAME]`, `[[device]]` and `[[waiver]]` may \
         stand in `ringfence.toml` or in a file of their own; names are unique over all files. A list with one value may be written \
         without brackets.\n",
    );
    let mut place = "";
    for key in KEYS {
        if key.place != place {
            place = key.place;
            text.push_str(&format!("\n## `{place}`\n\n| key | value | without it | meaning |\n|---|---|---|---|\n"));
        }
        text.push_str(&format!("| `{}` | {} | {} | {} |\n", key.name, key.kind, key.default, key.meaning));
    }
    text.push_str(
        "\n## `devices.csv`\n\nThe keys of `[[device]]` as columns, in any order; only `id` must be there. Cells are separated by commas, or \
         by semicolons where the header has no comma; several values in one cell by spaces or `|`.\n",
    );
    text
}
