//! The commands: what people type. `ayni --help` fits a screen.
//!
//! A command either runs the node, works on a stopped node's folder, or speaks to a running node
//! over HTTP with events it signed itself. Exit codes: 0 done, 1 failed, 2 bad usage; `verify` and
//! `import` have one more each.

use std::path::PathBuf;

use anyhow::Result;
use ayni_protocol::Keys;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::keys;

mod awaited;
mod backup;
mod batch;
mod begun;
mod bench;
mod bring;
mod charge;
pub mod client;
mod currency;
mod governance;
mod key;
mod ledger;
mod market;
mod member;
mod merit;
mod operate;
mod patience;
mod place;
mod raffle;
mod rate;
mod relay;
mod request;
mod rules;
mod show;
mod steward;
mod trade;
mod witness;

use client::Client;

/// A community's relay, books, votes and raffles in one program.
#[derive(Parser)]
#[command(name = "ayni", version, about, max_term_width = 100, disable_help_subcommand = true)]
#[command(
    after_help = "Start with `run` or `demo`. Also: rate, ratings, steward, approve, bench, compact, man."
)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Args, Clone)]
struct Common {
    /// The node's folder
    #[arg(long, global = true, value_name = "DIR", default_value = "data", env = "AYNI_DATA")]
    data: PathBuf,
    /// The running node to speak to [default: the folder's]
    #[arg(long, global = true, value_name = "URL", env = "AYNI_NODE")]
    node: Option<String>,
    /// Your key: a key file, nsec1…, ncryptsec1… or hex
    #[arg(long, global = true, value_name = "KEY", env = "AYNI_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The configuration file [default: ayni.toml]
    #[arg(long, global = true, value_name = "FILE", env = "AYNI_CONFIG")]
    config: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run the node; the first start makes keys, a community and its currency
    #[command(after_help = "Example: ayni run --data data --listen 127.0.0.1:7777")]
    Run(operate::Run),
    /// Make a community with its currency, without starting the node
    #[command(
        after_help = "Example: ayni init --name \"Vale do Sol\" --country PT --currency Hour"
    )]
    Init(operate::Init),
    /// Run a node on a temporary folder with a lively small community
    Demo(operate::Demo),
    /// Make, show, import and export keys
    #[command(subcommand)]
    Key(key::Key),
    /// Pay somebody
    #[command(
        after_help = "Example: ayni pay ben 4.50 --memo \"two jars of honey\" --key ana.key\n         \
                      ayni pay --request 5f2c… --key ana.key\n         \
                      ayni pay --csv wages.csv --dry-run --key shop.key"
    )]
    Pay(Box<ledger::Pay>),
    /// Ask to be paid, see who asks, decline
    #[command(subcommand)]
    Request(request::Requests),
    /// Show a balance, yours if you name nobody
    Balance(ledger::Who),
    /// Show an account's entries with the running balance
    #[command(after_help = "Example: ayni statement ana --csv > ana.csv")]
    Statement(ledger::Statement),
    /// Rate a trade of yours; `ayni ratings` shows what others say
    #[command(
        hide = true,
        after_help = "Example: ayni rate 5f2c… 0.9 --note \"on time\" --key ana.key\n         \
                      ayni ratings ana"
    )]
    Rate(rate::Rate),
    /// Show what others say of trades with somebody
    #[command(hide = true)]
    Ratings(rate::Ratings),
    /// Open, limit, suspend, close and list accounts
    #[command(subcommand)]
    Member(member::Member),
    /// Show and change the rules of the currency: limits, levies, fees
    #[command(subcommand)]
    Currency(currency::Currencies),
    /// Book what the community decided: fees, demurrage, reversals, write-offs
    #[command(
        after_help = "Example: ayni charge writeoff 12.00 --from commons --to rui\n         \
                      ayni charge reversal --order 5f2c… --note \"paid twice\"\n         \
                      ayni checkpoint && ayni charge demurrage\n\
                      `ayni checkpoint` signs the books as this machine's witness; the others follow.\n\
                      `ayni approve ID --key steward.key` approves an act, where the charter asks for it."
    )]
    Charge(charge::Booking),
    /// Sign a checkpoint of the books, as this machine's witness
    #[command(hide = true)]
    Checkpoint,
    /// Approve an act of the community, as one of its stewards
    #[command(hide = true, after_help = "Example: ayni approve 5f2c… --key steward.key")]
    Approve(charge::Approval),
    /// Agree on trade with other currencies; `ayni pay --in` uses it
    #[command(subcommand)]
    Trade(trade::Trade),
    /// Thank members in points
    #[command(subcommand)]
    Merit(merit::Merits),
    /// List what you offer and want, and find what others do
    #[command(subcommand)]
    Listing(market::Listings),
    /// Suggest trades: who has what you want, and rings that close
    #[command(after_help = "Example: ayni match --key ana.key")]
    Match(market::Match),
    /// Show how balanced giving and taking are
    Metrics(market::Metrics),
    /// Put a question to the vote
    #[command(after_help = "Example: ayni propose budget.toml --key ana.key")]
    Propose(governance::Propose),
    /// Vote
    #[command(after_help = "Example: ayni vote 5f2c… well=7 roof=-7 --key ana.key")]
    Vote(governance::Vote),
    /// Show how a vote stands, or how it ended
    Tally(governance::Tally),
    /// Announce raffles, buy tickets, draw
    #[command(subcommand)]
    Raffle(raffle::Raffle),
    /// Audit raw events offline: exit 0 certified, 1 provisional, 2 mismatch, 3 disputed
    #[command(after_help = "Example: ayni export | ayni verify -")]
    Verify(operate::Verify),
    /// Read events, one JSON object a line, into the node, which may run or not
    #[command(
        after_help = "Example: strfry export | ayni import -\nExit code 3 where lines were refused."
    )]
    Import(operate::Import),
    /// Write the node's events, one JSON object a line
    #[command(after_help = "Example: ayni export --filter '{\"kinds\":[4752]}' > orders.jsonl")]
    Export(operate::Export),
    /// Keep in step with other nodes
    #[command(subcommand)]
    Peer(operate::Peer),
    /// Let several nodes keep the books together
    #[command(subcommand)]
    Witness(witness::Witness),
    /// Let several people act for the community, each with their own key
    #[command(subcommand, hide = true)]
    Steward(steward::Steward),
    /// Manage the relay: ban, allow, name it (NIP-86)
    #[command(after_help = "Example: ayni relay banpubkey npub1… \"sells watches\"\n         \
                      ayni relay supportedmethods")]
    Relay(relay::Relay),
    /// Copy the journal and keys to an empty folder, while the node runs or not
    Backup(backup::Backup),
    /// Copy a backup into an empty data folder
    #[command(after_help = "Example: ayni restore /mnt/backup --data data")]
    Restore(backup::Restore),
    /// Drop what was deleted, replaced or expired from a stopped node's disk
    #[command(hide = true)]
    Compact,
    /// Put a relay under load, for sizing a machine
    #[command(hide = true, after_help = "Example: ayni bench ingest --events 100000")]
    Bench(bench::Bench),
    /// Check, print and explain the configuration
    #[command(subcommand)]
    Config(operate::Configuration),
    /// Print the completions of a shell
    #[command(hide = true)]
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(hide = true)]
    Man,
}

/// Runs what the command line says; gives the exit code.
///
/// # Errors
/// What went wrong, to be printed with exit code 1.
pub fn run(cli: Cli) -> Result<u8> {
    let common = &cli.common;
    match cli.command {
        Command::Run(run) => run.run(common),
        Command::Init(init) => init.run(common),
        Command::Demo(demo) => demo.run(common),
        Command::Key(key) => key.run(common),
        Command::Pay(pay) => pay.run(common),
        Command::Request(requests) => requests.run(common),
        Command::Rate(rate) => rate.run(common),
        Command::Ratings(ratings) => ratings.run(common),
        Command::Merit(merits) => merits.run(common),
        Command::Balance(who) => who.balance(common),
        Command::Statement(statement) => statement.run(common),
        Command::Member(member) => member.run(common),
        Command::Currency(currencies) => currencies.run(common),
        Command::Charge(booking) => booking.run(common),
        Command::Checkpoint => charge::checkpoint(common),
        Command::Approve(approval) => approval.run(common),
        Command::Trade(trade) => trade.run(common),
        Command::Listing(listings) => listings.run(common),
        Command::Match(found) => found.run(common),
        Command::Metrics(metrics) => metrics.run(common),
        Command::Propose(propose) => propose.run(common),
        Command::Vote(vote) => vote.run(common),
        Command::Tally(tally) => tally.run(common),
        Command::Raffle(raffle) => raffle.run(common),
        Command::Verify(verify) => return verify.run(common),
        Command::Import(import) => return import.run(common),
        Command::Export(export) => export.run(common),
        Command::Peer(peer) => peer.run(common),
        Command::Witness(witness) => witness.run(common),
        Command::Steward(steward) => steward.run(common),
        Command::Relay(relay) => relay.run(common),
        Command::Backup(backup) => backup.run(common),
        Command::Restore(restore) => restore.run(common),
        Command::Compact => operate::compact(common),
        Command::Bench(bench) => bench.run(common),
        Command::Config(configuration) => configuration.run(common),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "ayni", &mut std::io::stdout());
            Ok(())
        }
        Command::Man => Ok(clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?),
    }?;
    Ok(0)
}

impl Common {
    /// A client of the node this command speaks to.
    fn client(&self) -> Result<Client> {
        let recorded = std::fs::read_to_string(self.data.join("listen")).ok();
        let node = self.node.clone().or(recorded);
        Client::new(node.as_deref().map_or("ws://127.0.0.1:7777", str::trim))
    }

    /// The keys of whoever types.
    fn keys(&self) -> Result<Keys> {
        match &self.key {
            Some(key) => keys::secret(key),
            None => anyhow::bail!(
                "this needs your key: name it with --key FILE or the variable AYNI_KEY \
                 (`ayni key new FILE` makes one)"
            ),
        }
    }

    /// The community's keys: `--key` if given, else the one in the node's folder.
    fn community_keys(&self) -> Result<Keys> {
        match &self.key {
            Some(key) => keys::secret(key),
            None => keys::of_node(&self.data, "community"),
        }
    }
}
