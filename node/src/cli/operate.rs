//! `ayni run` and what an operator does besides: found, demonstrate, audit, move, keep copies.

use std::fs;
use std::io::{BufRead, BufReader, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ayni_protocol::Filter;
use ayni_store::{DiskStore, Dropped, Fault, Recovery};
use clap::{Args, Subcommand};

use super::client::encoded;
use super::{Common, show};
use crate::config::Config;
use crate::console::{interrupted, welcome, welcome_to_relay};
use crate::founding::{self, Plan};
use crate::import::{self, Door};
use crate::management::{self, Log};
use crate::peers::Peers;
use crate::running::{self, Options};
use crate::{country, demo, keys, verify};

#[derive(Args)]
pub struct Run {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Be a Nostr relay and nothing else: no community, no books
    #[arg(long)]
    relay_only: bool,
    /// The folder is the newest copy there is: attest without asking peers what was signed since
    #[arg(long)]
    newest_copy: bool,
    /// Accept and serve a local test beacon; draws are then no secret to the operator
    #[arg(long)]
    insecure_test_chain: bool,
}

#[derive(Args)]
pub struct Init {
    /// Name of the community
    #[arg(long, default_value = "Our community")]
    name: String,
    /// Languages by code, the preferred first
    #[arg(long = "lang", value_name = "CODE", default_value = "en")]
    languages: Vec<String>,
    /// Country by its two letters (ISO 3166-1), such as PT; its legal gates decide whether there may be raffles
    #[arg(long, value_name = "CODE")]
    country: Option<String>,
    /// Name of the currency
    #[arg(long, default_value = "Hour")]
    currency: String,
    /// Its code
    #[arg(long, default_value = "HOUR")]
    code: String,
    /// Its decimals, 0 to 6
    #[arg(long, default_value_t = 2)]
    scale: u8,
    /// How far below zero an account may go, at first
    #[arg(long, default_value = "20.00")]
    limit: String,
    /// Who else may act for the community, with their own key; once for each
    #[arg(long = "steward", value_name = "NPUB")]
    stewards: Vec<String>,
    /// How many stewards must approve what is not an everyday act
    #[arg(long, value_name = "N", default_value_t = 0)]
    approvals: usize,
    /// Timings of votes and raffles in seconds, over a local test beacon
    #[arg(long)]
    insecure_test_chain: bool,
}

#[derive(Args)]
pub struct Demo {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7777")]
    listen: String,
}

#[derive(Args)]
pub struct Verify {
    /// Events as JSON lines; - for standard input
    file: PathBuf,
    /// Accept draws from a local test chain
    #[arg(long)]
    insecure_test_chain: bool,
}

#[derive(Args)]
pub struct Import {
    /// Events as JSON lines; - for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
}

#[derive(Args)]
pub struct Export {
    /// Only events that match this NIP-01 filter
    #[arg(long, value_name = "JSON")]
    filter: Option<String>,
}

#[derive(Subcommand)]
pub enum Peer {
    /// Keep in step with a node; takes effect when this node starts
    #[command(after_help = "Example: ayni peer add ws://127.0.0.1:7777 --data second")]
    Add {
        /// Its address, ws://… or wss://…
        url: String,
    },
    /// List the nodes this one keeps in step with
    List,
    /// Keep in step no longer
    Remove {
        /// Its address
        url: String,
    },
}

#[derive(Subcommand)]
pub enum Configuration {
    /// Check the configuration file and the environment
    Check,
    /// Print every key with its default
    Default,
}

impl Run {
    pub fn run(self, common: &Common) -> Result<()> {
        let mut config = Config::load(common.config.as_deref())?;
        if let Some(listen) = self.listen {
            config.node.listen = listen;
        }
        config.beacon.insecure_test_chain |= self.insecure_test_chain;
        config.relay.only |= self.relay_only;
        config.check()?;
        log(&config)?;
        let listener = running::bind(&config)?;
        if config.relay.only {
            founding::prepare_relay(&common.data)?;
        } else if founding::is_due(&common.data) {
            let founded = founding::found(&common.data, &Plan::default())?;
            announce(&founded);
        }
        let local_beacon = if config.beacon.insecure_test_chain {
            founding::local_beacon(&common.data)?
        } else {
            None
        };
        let (data, newest_copy) = (common.data.clone(), self.newest_copy);
        let options = Options { listener, config, data, local_beacon, newest_copy };
        let runtime = runtime()?;
        let done = runtime.block_on(until_stopped(options));
        // What is still asked of others, such as a round of a beacon, is not waited for.
        runtime.shutdown_timeout(PARTING);
        done
    }
}

/// How long a node that has stopped waits for threads that do not matter any more.
const PARTING: std::time::Duration = std::time::Duration::from_secs(2);

/// Runs a node until it is told to stop, or fails.
async fn until_stopped(options: Options) -> Result<()> {
    let data = options.data.clone();
    let only = options.config.relay.only;
    let node = running::start(options)?;
    if only {
        welcome_to_relay(node.address, &data);
    } else {
        welcome(node.address, &data);
    }
    let failed = node.failed();
    tokio::select! {
        () = interrupted() => {
            eprintln!("Stopping; everything acknowledged is on disk.");
            // Whoever asks twice does not want to wait, and loses nothing but time at the next start.
            tokio::spawn(async {
                interrupted().await;
                std::process::exit(1);
            });
        }
        () = failed => eprintln!("The node has to stop; see the log above."),
    }
    node.stop().await
}

fn announce(founded: &founding::Founded) {
    eprintln!(
        "A new community was founded: {} with the currency {}.\n\
         Its key and the node's are in {}; keep a copy in a safe place.",
        founded.name,
        founded.currency,
        founded.keys.display()
    );
    if let Some(rules) = founded.awaited {
        eprintln!(
            "Its rules count once stewards have approved them. When the node runs, each types:\n  \
             ayni approve {rules} --key steward.key"
        );
    }
}

pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

pub fn log(config: &Config) -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(config.log_filter()?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

impl Init {
    pub fn run(self, common: &Common) -> Result<()> {
        let key = |name: &String| keys::public(name).with_context(|| format!("{name} is no key"));
        let plan = Plan {
            name: self.name,
            languages: self.languages,
            country: self.country.as_deref().map(country::code).transpose()?,
            region: None,
            currency: self.currency,
            code: self.code,
            scale: self.scale,
            limit: self.limit,
            stewards: self.stewards.iter().map(key).collect::<Result<_>>()?,
            approvals: self.approvals,
            test_chain: self.insecure_test_chain,
        };
        let founded = founding::found(&common.data, &plan)?;
        announce(&founded);
        let community = serde_json::json!({
            "community": founded.community,
            "currency": founded.address.to_string(),
            "awaited": founded.awaited,
        });
        if common.json { show::json(&community) } else { show::line("Start it with `ayni run`.") }
    }
}

impl Demo {
    pub fn run(self, common: &Common) -> Result<()> {
        let mut config = Config::load(common.config.as_deref())?;
        config.node.listen = self.listen;
        config.beacon.insecure_test_chain = true;
        config.check()?;
        log(&config)?;
        runtime()?.block_on(demo::run(config))
    }
}

impl Verify {
    pub fn run(self, common: &Common) -> Result<u8> {
        let report = verify::audit(open(&self.file)?, self.insecure_test_chain)?;
        if common.json {
            show::json(&report.to_json())?;
        } else {
            show::lines(&report)?;
        }
        Ok(report.exit_code())
    }
}

/// Lines of a file, or of standard input for `-`.
fn open(file: &Path) -> Result<Box<dyn BufRead + Send>> {
    if file == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let opened = fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Box::new(BufReader::new(opened)))
}

/// Refuses a folder that no node ever ran on; opening its store would make it one.
fn require_journal(data: &Path) -> Result<()> {
    if !data.join("journal").is_dir() {
        bail!("{}", no_node(data));
    }
    Ok(())
}

fn no_node(data: &Path) -> String {
    format!("{} is no node's folder: name the right one with --data", data.display())
}

/// Opens the folder of a stopped node.
fn stopped_store(data: &Path, config: &Config) -> Result<DiskStore> {
    require_journal(data)?;
    match DiskStore::open_with(data, &config.store_options()) {
        Ok((store, recovery)) => {
            tell_dropped(&recovery);
            Ok(store)
        }
        Err(Fault::Locked { .. }) => bail!(
            "a node is running on {}: stop it first, or name another folder with --data",
            data.display()
        ),
        Err(fault) => Err(fault).with_context(|| format!("cannot open {}", data.display())),
    }
}

/// Says what was cut off from a journal when it was opened. Who opens it first is the only one to
/// know.
pub(super) fn tell_dropped(recovery: &Recovery) {
    lost(recovery).for_each(|dropped| eprintln!("Attention: {dropped}."));
}

/// What was cut off, but for a last write that nobody was told of.
pub(super) fn lost(recovery: &Recovery) -> impl Iterator<Item = &Dropped> {
    recovery.dropped.iter().filter(|dropped| dropped.kept_in.is_some())
}

/// The store of the folder; nothing where a node runs on it, or another one is named.
fn store_for_import(common: &Common, config: &Config) -> Result<Option<DiskStore>> {
    if common.node.is_some() {
        return Ok(None);
    }
    founding::prepare(&common.data)?;
    match DiskStore::open_with(&common.data, &config.store_options()) {
        Ok((store, recovery)) => {
            tell_dropped(&recovery);
            Ok(Some(store))
        }
        Err(Fault::Locked { .. }) => Ok(None),
        Err(fault) => Err(fault).with_context(|| format!("cannot open {}", common.data.display())),
    }
}

impl Import {
    /// Exit code 3 where lines were refused: everything else was taken all the same.
    pub fn run(self, common: &Common) -> Result<u8> {
        let config = Config::load(common.config.as_deref())?;
        let length = fs::metadata(&self.file).ok().map(|file| file.len());
        let lines = open(&self.file)?;
        let rulebook = management::fold(&Log::read(&common.data)?);
        let imported = match store_for_import(common, &config)? {
            Some(store) => import::import(lines, length, Door::Store(&store, &rulebook), &config)?,
            None => import::import(lines, length, Door::Node(&common.client()?), &config)?,
        };
        if common.json { show::json(&imported.to_json()) } else { show::lines(&imported) }?;
        Ok(if imported.is_whole() { 0 } else { 3 })
    }
}

impl Export {
    pub fn run(self, common: &Common) -> Result<()> {
        let filter = self.filter.as_deref().map(Filter::parse).transpose()?;
        if common.node.is_none() {
            require_journal(&common.data)?;
            if let Ok((store, recovery)) = DiskStore::open(&common.data) {
                tell_dropped(&recovery);
                return import::export(&store, filter.as_ref(), &mut std::io::stdout().lock());
            }
        }
        let query = filter.map(|filter| format!("?filter={}", encoded(&filter.to_json())));
        let path = format!("/api/v1/export{}", query.unwrap_or_default());
        common.client()?.copy(&path, "application/jsonl", &mut std::io::stdout().lock())
    }
}

impl Peer {
    pub fn run(self, common: &Common) -> Result<()> {
        let mut peers = Peers::load(&common.data)?;
        match self {
            Self::Add { url } => {
                let added = peers.add(&url)?;
                founding::prepare(&common.data)?;
                peers.save(&common.data)?;
                show::line(if added {
                    "Added. It is followed when this node starts."
                } else {
                    "It is on the list already."
                })
            }
            Self::Remove { url } => {
                if !peers.remove(&url)? {
                    bail!("{url} is not on the list; see `ayni peer list`");
                }
                peers.save(&common.data)?;
                show::line("Removed. It is followed no longer when this node starts.")
            }
            // A node that never started has a list and no journal yet.
            Self::List if peers.urls.is_empty() && !keys::folder(&common.data).is_dir() => {
                bail!(no_node(&common.data))
            }
            Self::List if common.json => show::json(&serde_json::to_value(&peers.urls)?),
            Self::List => peers.urls.iter().try_for_each(show::line),
        }
    }
}

pub fn compact(common: &Common) -> Result<()> {
    let config = Config::load(common.config.as_deref())?;
    let store = stopped_store(&common.data, &config)?;
    let now = crate::clock::now();
    let removed = store.retain(&config.retention.rules(), now)?;
    show::line(format!("{}, {removed} no longer kept", store.compact(now)?))
}

impl Configuration {
    pub fn run(self, common: &Common) -> Result<()> {
        match self {
            Self::Check => {
                Config::load(common.config.as_deref())?.check()?;
                show::line("The configuration is right.")
            }
            Self::Default => show::lines(Config::default().to_toml()?.trim_end()),
        }
    }
}
