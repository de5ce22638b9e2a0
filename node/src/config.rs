//! The configuration: `ayni.toml`, and over it the environment.
//!
//! Every key may also be given as `AYNI_SECTION__KEY`. An unknown key is an error that names the
//! nearest right one: a misspelt limit that is silently ignored protects nobody.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ayni_protocol::{Kind, Limits, PublicKey, relay_url};
use ayni_raffle::Gates;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::{country, keys};

/// Everything that can be configured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the node listens and who it says it is.
    pub node: Node,
    /// Who may write and read.
    pub relay: Relay,
    /// Randomness for draws.
    pub beacon: Beacon,
    /// Legal gates of raffles by country.
    pub raffle: Raffle,
    /// Figures of reciprocity that the node publishes.
    pub metrics: Metrics,
    /// How long events are kept.
    pub retention: Retention,
    /// A limit on everything; NIP-11 advertises them.
    pub limits: Limits,
}

/// `[node]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// Address and port to listen on.
    pub listen: String,
    /// Addresses under which clients reach this node, for NIP-42 and NIP-62, such as
    /// `wss://ayni.example`.
    /// The listening address always counts.
    pub public_urls: Vec<String>,
    /// Addresses of reverse proxies whose `X-Forwarded-For` is believed. Without them every client
    /// behind one counts as the proxy.
    pub trusted_proxies: Vec<IpAddr>,
    /// What is logged: `error`, `warn`, `info`, `debug`, or a tracing filter such as
    /// `info,ayni_relay=debug`.
    pub log: String,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7777".into(),
            public_urls: Vec::new(),
            trusted_proxies: Vec::new(),
            log: "info".into(),
        }
    }
}

/// `[relay]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Relay {
    /// A relay and nothing else: no community, no books, no events of the economy.
    pub only: bool,
    /// Name shown to clients; empty for the community's name.
    pub name: String,
    /// Description shown to clients.
    pub description: String,
    /// Contact of the operator.
    pub contact: String,
    /// URL of an icon shown to clients.
    pub icon: String,
    /// Whose ordinary events are stored: `open` for everyone's, `invited` for those of members and
    /// of whoever joined with an invitation, `members` for members' alone.
    pub write: Write,
    /// When a client is asked who it is (NIP-42).
    pub auth: Auth,
    /// Public keys (npub or hex) that may manage the relay (NIP-86), beside the node's own.
    pub admins: Vec<String>,
    /// Kinds that are stored; empty for all.
    pub allowed_kinds: Vec<u16>,
    /// Kinds that are not.
    pub denied_kinds: Vec<u16>,
    /// Zero bits that a stranger's event id begins with (NIP-13).
    pub min_pow_difficulty: u32,
    /// Ordinary events a minute by one member; 0 for any number. No rate binds a client on this
    /// machine itself.
    pub member_events_per_minute: u32,
    /// Ordinary events a day by one member; 0 for any number.
    pub member_events_per_day: u32,
    /// Ordinary events a minute by strangers from one address; 0 for any number.
    pub stranger_events_per_minute: u32,
    /// Requests a minute to manage the relay, from one address; 0 for any number.
    pub management_per_minute: u32,
    /// Hours for which an invitation can be used (NIP-43).
    pub invitation_hours: u32,
    /// A program that judges ordinary events, in strfry's format, with its arguments.
    pub plugin: Vec<String>,
    /// Milliseconds it may take over an event.
    pub plugin_timeout_ms: u64,
    /// What holds when it takes longer or does not run.
    pub plugin_fallback: Fallback,
    /// Whether words can be searched for (NIP-50), which takes an index beside the journal.
    pub search: bool,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            only: false,
            name: String::new(),
            description: "A community's relay, books, votes and raffles".into(),
            contact: String::new(),
            icon: String::new(),
            write: Write::Open,
            auth: Auth::OnDemand,
            admins: Vec::new(),
            allowed_kinds: Vec::new(),
            denied_kinds: Vec::new(),
            min_pow_difficulty: 0,
            member_events_per_minute: 60,
            member_events_per_day: 2_000,
            stranger_events_per_minute: 20,
            management_per_minute: 120,
            invitation_hours: 168,
            plugin: Vec::new(),
            plugin_timeout_ms: 1_000,
            plugin_fallback: Fallback::Reject,
            search: true,
        }
    }
}

/// Whose ordinary events are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Write {
    /// Everyone's.
    Open,
    /// Those of members and of whoever joined with an invitation.
    Invited,
    /// Members' alone.
    Members,
}

/// What holds of an event that the plugin did not judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// It is stored.
    Accept,
    /// It is refused, with `error:`, so that it is sent again.
    Reject,
}

/// When a client is asked who it is (NIP-42).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// As soon as it connects.
    OnConnect,
    /// When it asks for something that needs it.
    OnDemand,
}

/// `[beacon]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Beacon {
    /// Where drand rounds are fetched, tried in turn. Empty: they are entered by hand.
    pub sources: Vec<String>,
    /// Accept a local test chain, whose owner knows every draw beforehand. Never for real raffles.
    pub insecure_test_chain: bool,
}

impl Default for Beacon {
    fn default() -> Self {
        let sources = ["api.drand.sh", "api2.drand.sh", "api3.drand.sh", "drand.cloudflare.com"];
        Self {
            sources: sources.map(|host| format!("https://{host}")).to_vec(),
            insecure_test_chain: false,
        }
    }
}

/// `[raffle]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Raffle {
    /// What the law of each country asks; raffles are off where nothing is said.
    pub gates: Gates,
}

/// `[metrics]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Seconds between two looks at whether a figure changed; 0 to publish none (NIP-85).
    pub publish_secs: u64,
    /// Days that the published figures look back.
    pub window_days: u64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { publish_secs: 3_600, window_days: 365 }
    }
}

/// `[retention]`: how long events are kept. 0 is for ever, or any number. The economy's events,
/// deletions and requests to vanish are kept whatever is said here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// How often the store is looked through, and compacted where that gives enough back.
    pub every_secs: u64,
    /// Room that all events may take together, in MiB; the oldest go first.
    pub max_mib: u64,
    /// Days that events of kinds without a rule of their own are kept after their `created_at`.
    pub age_days: u64,
    /// How many events of each such kind are kept of each author.
    pub per_author: u32,
    /// Rules for some kinds; the first that names a kind holds for it.
    pub rules: Vec<RetentionRule>,
}

/// `[[retention.rules]]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionRule {
    /// Which kinds.
    pub kinds: Vec<u16>,
    /// Days that they are kept.
    pub age_days: u64,
    /// How many are kept of each author.
    pub per_author: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { every_secs: 600, max_mib: 0, age_days: 0, per_author: 0, rules: Vec::new() }
    }
}

impl Retention {
    /// What the store is told.
    #[must_use]
    pub fn rules(&self) -> ayni_store::Retention {
        let own = self.rules.iter().map(|rule| (&rule.kinds[..], rule.age_days, rule.per_author));
        // A rule without kinds would be one for all.
        let own = own.filter(|(kinds, ..)| !kinds.is_empty());
        let rest = (&[][..], self.age_days, self.per_author);
        let rule = |(kinds, age_days, per_author): (&[u16], u64, u32)| ayni_store::Rule {
            kinds: kinds.iter().copied().map(Kind).collect(),
            age_secs: (age_days > 0).then(|| age_days.saturating_mul(86_400)),
            per_author: (per_author > 0).then_some(per_author),
        };
        let bytes = (self.max_mib > 0).then(|| self.max_mib.saturating_mul(1 << 20));
        ayni_store::Retention { rules: own.chain([rest]).map(rule).collect(), bytes }
    }
}

impl Config {
    /// Reads the file, if there is one, and the environment over it.
    ///
    /// # Errors
    /// With the place, what is wrong and what was probably meant.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let chosen = file.map_or_else(|| PathBuf::from("ayni.toml"), Path::to_owned);
        let text = match std::fs::read_to_string(&chosen) {
            Ok(text) => text,
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                String::new()
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", chosen.display()));
            }
        };
        Self::parse(&text, std::env::vars()).with_context(|| format!("in {}", chosen.display()))
    }

    /// Reads TOML text and variables over it.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, variables: impl Iterator<Item = (String, String)>) -> Result<Self> {
        let mut table: toml::Table = toml::from_str(text)?;
        for (name, value) in variables {
            let Some((section, key)) =
                name.strip_prefix("AYNI_").and_then(|rest| rest.split_once("__"))
            else {
                continue;
            };
            let section = table
                .entry(section.to_lowercase())
                .or_insert_with(|| toml::Value::Table(toml::Table::new()));
            let Some(section) = section.as_table_mut() else {
                bail!("{name} names a section that is no section in the file");
            };
            section.insert(key.to_lowercase(), literal(&value));
        }
        check_names(&table)?;
        Ok(table.try_into()?)
    }

    /// Whether a node can run with it: what is more than the right name and the right type.
    ///
    /// # Errors
    /// With the key, what it says, and what it should say.
    pub fn check(&self) -> Result<()> {
        let listen = &self.node.listen;
        if !is_address(listen) {
            bail!("node.listen = {listen:?} is no address and port, such as 127.0.0.1:7777");
        }
        for url in &self.node.public_urls {
            if relay_url::normalised(url).is_none() {
                bail!("node.public_urls: {url:?} is no address, such as wss://ayni.example");
            }
        }
        for url in &self.beacon.sources {
            if !is_web_address(url) {
                bail!("beacon.sources: {url:?} is no address, such as https://api.drand.sh");
            }
        }
        for country in self.raffle.gates.0.keys() {
            if country != "default" && !country::is_country_or_region(country) {
                bail!(
                    "[raffle.gates.{country}] names no country: write its two letters, such as \
                     PT, or a region of it, such as DE-BY, in capitals; or default for all others"
                );
            }
        }
        if self.limits.writer_queue == 0 {
            bail!("limits.writer_queue = 0 lets nothing be written");
        }
        self.admins()?;
        self.log_filter()?;
        Ok(())
    }

    /// The keys of `relay.admins`.
    ///
    /// # Errors
    /// Naming what is no key.
    pub fn admins(&self) -> Result<Vec<PublicKey>> {
        let read = |text: &String| {
            keys::public(text).with_context(|| format!("relay.admins: {text:?} is no public key"))
        };
        self.relay.admins.iter().map(read).collect()
    }

    /// What `node.log` lets through.
    ///
    /// # Errors
    /// Where it is no filter. A single word is a level: as the name of a part of the program, which
    /// the syntax allows too, a misspelt level would switch all logging off.
    pub fn log_filter(&self) -> Result<EnvFilter> {
        let log = &self.node.log;
        let wrong = || {
            format!(
                "node.log = {log:?} is no filter: write error, warn, info, debug, trace or off, \
                 or a tracing filter such as info,ayni_relay=debug"
            )
        };
        let is_plain = |part: &str| !part.contains(['=', '[']);
        let mut words = log.split(',').map(str::trim).filter(|part| is_plain(part));
        if words.any(|word| word.parse::<LevelFilter>().is_err()) {
            bail!(wrong());
        }
        EnvFilter::try_new(log).with_context(wrong)
    }

    /// How the store is kept; requests to vanish are heard under the node's addresses.
    #[must_use]
    pub fn store_options(&self) -> ayni_store::Options {
        let mut urls = self.node.public_urls.clone();
        urls.push(format!("ws://{}", self.node.listen));
        ayni_store::Options { urls, ..ayni_store::Options::default() }
    }

    /// The whole configuration with its defaults, as TOML.
    ///
    /// # Errors
    /// Never for a valid configuration.
    pub fn to_toml(&self) -> Result<String> {
        Ok(toml::to_string_pretty(self)?)
    }
}

/// Whether a socket may be bound to it: a host, which may be a name, and a port.
fn is_address(text: &str) -> bool {
    let named = |(host, port): (&str, &str)| {
        !host.is_empty() && !host.contains([':', '/', ' ']) && port.parse::<u16>().is_ok()
    };
    text.parse::<SocketAddr>().is_ok() || text.rsplit_once(':').is_some_and(named)
}

/// Whether something can be fetched from there.
fn is_web_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| relay_url::normalised(url).is_some() && !rest.contains(' '))
}

/// A variable's value: TOML where it reads as TOML (numbers, lists, true), else text.
fn literal(value: &str) -> toml::Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}")).ok();
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| value.into())
}

/// Refuses a name that is not in the default configuration, naming the nearest that is.
fn check_names(table: &toml::Table) -> Result<()> {
    let known = toml::Table::try_from(Config::default())?;
    for (section, value) in table {
        let Some(known) = known.get(section).and_then(toml::Value::as_table) else {
            bail!("there is no section [{section}]; {}", nearest(section, known.keys()));
        };
        let Some(values) = value.as_table() else { bail!("[{section}] must be a section") };
        for key in values.keys() {
            if !known.contains_key(key) {
                bail!("there is no key {section}.{key}; {}", nearest(key, known.keys()));
            }
        }
    }
    Ok(())
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let best = known.min_by_key(|candidate| distance(name, candidate));
    best.map_or_else(String::new, |best| format!("did you mean {best}?"))
}

/// Levenshtein distance, by bytes: good enough to find a misspelt key.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, a) in one.bytes().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(other.bytes()) {
            let best = (diagonal + usize::from(a != b)).min(*cell + 1).min(left + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config> {
        let owned = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Config::parse(text, owned)
    }

    #[test]
    fn the_default_is_read_as_it_is_written() {
        let text = Config::default().to_toml().unwrap();
        assert_eq!(parse(&text, &[]).unwrap(), Config::default());
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let variables =
            [("AYNI_NODE__LISTEN", "0.0.0.0:80"), ("AYNI_LIMITS__FILTERS", "7"), ("AYNI_KEY", "x")];
        let config = parse("[node]\nlisten = \"127.0.0.1:1\"", &variables).unwrap();
        assert_eq!((config.node.listen.as_str(), config.limits.filters), ("0.0.0.0:80", 7));
    }

    #[test]
    fn a_misspelt_key_is_refused_with_the_right_one() {
        let says = |text: &str| parse(text, &[]).unwrap_err().to_string();
        assert!(says("[limits]\nfilterz = 3").contains("did you mean filters?"));
        assert!(says("[relai]\nwrite = \"open\"").contains("did you mean relay?"));
        assert!(says("[relay]\nwrite = \"anyone\"").contains("open"));
    }

    #[test]
    fn what_no_node_can_run_with_is_refused() {
        let says = |text: &str| parse(text, &[]).unwrap().check().unwrap_err().to_string();
        for (text, key) in [
            ("[node]\nlisten = \"abc\"", "node.listen"),
            ("[node]\nlisten = \"127.0.0.1:99999\"", "node.listen"),
            ("[node]\nlisten = \"::1:80\"", "node.listen"),
            ("[node]\npublic_urls = [\"x\"]", "node.public_urls"),
            ("[node]\nlog = \"loud\"", "node.log"),
            ("[node]\nlog = \"info,ayni=loud\"", "node.log"),
            ("[relay]\nadmins = [\"ana\"]", "relay.admins"),
            ("[beacon]\nsources = [\"nope\"]", "beacon.sources"),
            ("[beacon]\nsources = [\"wss://api.drand.sh\"]", "beacon.sources"),
            ("[raffle.gates.Portugal]\nallowed = true", "[raffle.gates.Portugal]"),
            ("[limits]\nwriter_queue = 0", "limits.writer_queue"),
        ] {
            assert!(says(text).starts_with(key), "{text}: {}", says(text));
        }
    }

    #[test]
    fn what_a_node_can_run_with_is_right() {
        let npub = keys::npub(&keys::generate().public());
        for text in [
            String::new(),
            "[node]\nlisten = \"localhost:80\"\nlog = \"off\"".into(),
            "[node]\nlisten = \"[::]:7777\"\nlog = \"warn,ayni_node=trace\"".into(),
            "[node]\npublic_urls = [\"wss://ayni.example/relay\", \"https://a.example\"]".into(),
            format!("[relay]\nadmins = [\"{npub}\"]"),
            "[beacon]\nsources = []".into(),
            "[raffle.gates.default]\n\n[raffle.gates.PT]\n\n[raffle.gates.DE-BY]".into(),
        ] {
            parse(&text, &[]).unwrap().check().unwrap();
        }
    }

    #[test]
    fn retention_is_read_from_top_to_bottom() {
        let text = "[retention]\nage_days = 30\nmax_mib = 2\n\n\
                    [[retention.rules]]\nkinds = [7, 16]\nage_days = 1\n\n\
                    [[retention.rules]]\nkinds = [0]\nper_author = 1\n";
        let rules = parse(text, &[]).unwrap().retention.rules();
        assert_eq!(rules.bytes, Some(2 << 20));
        let told =
            rules.rules.iter().map(|rule| (rule.kinds.len(), rule.age_secs, rule.per_author));
        let expected = [(2, Some(86_400), None), (1, None, Some(1)), (0, Some(2_592_000), None)];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        assert!(Config::default().retention.rules().is_all());
        let wrong = parse("[[retention.rules]]\nkind = [7]", &[]).unwrap_err();
        assert!(format!("{wrong:#}").contains("kinds"), "{wrong:#}");
    }

    #[test]
    fn distances_are_counted() {
        assert_eq!(
            [distance("", "abc"), distance("abc", "abc"), distance("kitten", "sitting")],
            [3, 0, 3]
        );
    }
}
