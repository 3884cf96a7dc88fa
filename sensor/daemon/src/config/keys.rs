//! Every key of the configuration, declared once: the documentation is made from this table.

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
const LINE: &str = "[[policy.line]]";
const DEVICE: &str = "[[device]]";
const WAIVER: &str = "[[waiver]]";

/// The table of keys.
pub static KEYS: &[Key] = &[
    key(TOP, "site", "text", "empty", "What this place is called in outputs."),
    key(TOP, "segments_file", "path", "none", "A file with more [segments.NAME] tables, relative to this one."),
    key(TOP, "devices_file", "path", "none", "The device register: TOML with [[device]] tables, or CSV with a header line."),
    key(TOP, "waivers_file", "path", "none", "A file with [[waiver]] tables."),
    key(SEGMENT, "class", "sensitive, standard, guest, separate", "required", "What the segment is for."),
    key(SEGMENT, "vlans", "VLAN ids 1 to 4094", "none", "Frames with one of these tags belong to it."),
    key(SEGMENT, "prefixes", "CIDR prefixes", "none", "Devices with an address in one of these belong to it; the longest prefix wins."),
    key(SEGMENT, "tunnels", "numbers", "none", "Ids of tunnels (VXLAN, GENEVE, GRE key, ERSPAN session) that carry it."),
    key(SEGMENT, "interfaces", "names", "none", "Capture interfaces that see nothing else."),
    key(
        POLICY,
        "exposure_days",
        "days",
        "30",
        "A device with confirmed use in so many days that appears in a sensitive segment breaches separation.",
    ),
    key(POLICY, "waiver_days_max", "days", "365", "A waiver may last so long at most."),
    key(
        POLICY,
        "min_level",
        "table class = level",
        "probable",
        "The level from which a verdict can be worse than observed, by segment class.",
    ),
    key(
        POLICY,
        "work_names",
        "host name patterns",
        "none",
        "The organisation's work services: a device that shows them and the app is not separate.",
    ),
    key(POLICY, "work_prefixes", "CIDR prefixes", "none", "Addresses of the organisation's work services."),
    key(
        POLICY,
        "local_suffixes",
        "names",
        "lan, local, home ...",
        "Search suffixes that resolvers append, stripped before names are matched; added to the built-in ones.",
    ),
    key(LINE, "name", "text", "required", "What outputs call the line."),
    key(LINE, "apps", "names of apps", "all", "The apps that it is about."),
    key(LINE, "classes", "segment classes", "all", "The classes of segments that it is about."),
    key(LINE, "segments", "names of segments", "all", "The segments that it is about."),
    key(
        LINE,
        "status",
        "banned, separate_device, under_audit, tolerated, allowed",
        "required",
        "What it says; the first line that matches decides.",
    ),
    key(DEVICE, "id", "text", "required", "Its name in the register."),
    key(DEVICE, "macs", "hardware addresses", "none", "All of them: a laptop has several."),
    key(DEVICE, "names", "host names", "none", "What it calls itself in DHCP or mDNS."),
    key(DEVICE, "addresses", "addresses", "none", "Fixed addresses."),
    key(DEVICE, "owner", "text", "none", "Who holds it, as a pseudonym."),
    key(DEVICE, "kind", "text", "none", "phone, laptop ..."),
    key(DEVICE, "designated", "true or false", "false", "A separate device: the app may be used on it where separate devices may be."),
    key(
        DEVICE,
        "allowed_segments",
        "names of segments",
        "none",
        "Where a designated device may be besides segments of class separate and guest.",
    ),
    key(WAIVER, "id", "text", "required", "Its number."),
    key(WAIVER, "holders", "register ids or mac:ADDRESS", "required", "Who may; never everybody."),
    key(WAIVER, "apps", "names of apps", "required", "Which apps."),
    key(WAIVER, "segments", "names of segments", "required", "Where."),
    key(WAIVER, "approver", "text", "required", "Who approved it."),
    key(WAIVER, "reason", "text", "required", "Why."),
    key(WAIVER, "start", "date or time with its offset", "required", "From when."),
    key(WAIVER, "end", "date or time with its offset", "required", "Until when (a date: midnight UTC at its beginning)."),
];

/// `docs/config.md`, generated.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Configuration\n\nEvery key. Generated from the table in the source; do not edit. An annotated example is in `deploy/config/`.\n\
         `ringfence check -c ringfence.toml` tells everything that is wrong at once.\n",
    );
    let mut place = "";
    for key in KEYS {
        if key.place != place {
            place = key.place;
            text.push_str(&format!("\n## `{place}`\n\n| key | value | without it | meaning |\n|---|---|---|---|\n"));
        }
        text.push_str(&format!("| `{}` | {} | {} | {} |\n", key.name, key.kind, key.default, key.meaning));
    }
    text
}
