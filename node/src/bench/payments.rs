//! Payments a second: every order is checked, judged against the books, attested by the node's own
//! key and kept, before its OK. So each is two events in the journal, and two signatures: one
//! verified, one made.
//!
//! Each account has one payment under way at a time, as people have: a wave holds one of each.

use std::thread;

use anyhow::{Context as _, Result, bail};
use ayni_lets::{Body, Ledger, Order, Policy, Rules, Terms};
use ayni_protocol::{EventId, Keys, Part as _, VerifiedEvent, kind};
use ayni_store::DiskStore;

use super::ingest::{offer, shares};
use super::machine::Machine;
use super::subject::{Folder, Subject};
use super::{Bench, Report, float};
use crate::founding::{self, Founded, Plan};
use crate::{clock, keys};

const ACCOUNTS: u64 = 10_000;
/// Payments of each account.
const WAVES: usize = 8;
const CONNECTIONS: usize = 4;

/// Measures payments through our own node; other relays keep no books.
pub fn measure(bench: &Bench, machine: &Machine, report: &mut Report<'_>) -> Result<()> {
    if bench.url.is_some() {
        return Ok(());
    }
    let folder = Folder::new()?;
    let founded = founding::found(folder.path(), &Plan::default())?;
    let town = Town::of(&folder, &founded)?;
    let openings: Vec<_> = town.members.iter().map(|member| town.opening(member)).collect();
    let waves = town.waves()?;
    let subject = Subject::start(&bench.program, folder)?;
    let mut rates = Vec::new();
    for events in std::iter::once(&openings).chain(&waves) {
        let (rate, refused) = offer(&subject.url, &shares(events, CONNECTIONS))?;
        if let Some(refusal) = refused {
            bail!("the node refused: {refusal}");
        }
        rates.push(rate);
    }
    // Of equal waves the time of all is the sum of the times of each.
    let secs: f64 = rates.iter().skip(1).map(|rate| float(openings.len()) / rate).sum();
    let rate = float(openings.len() * waves.len()) / secs;
    let share = 100.0 * rate / machine.verifications;
    report.row("payments", rate, "payments/s", format!("{share:.0} % of verification"));
    Ok(())
}

/// A community, and who pays in it.
struct Town {
    founded: Founded,
    community: Keys,
    rules_id: EventId,
    rules: Rules,
    members: Vec<Keys>,
}

impl Town {
    fn of(folder: &Folder, founded: &Founded) -> Result<Self> {
        let (store, _) = DiskStore::open(folder.path())?;
        let mut found = None;
        store.replay(|it| it == kind::RULES, |event| event, |event| found = Some(event));
        let event = found.context("the community has no rules")?;
        let Body::Rules(rules) = Ledger::read(&event)?.body else { bail!("no rules") };
        let member = |number: u64| {
            let mut secret = [0x5a; 32];
            secret[24..].copy_from_slice(&number.to_be_bytes());
            Keys::from_secret(secret).context("a secret key")
        };
        Ok(Self {
            founded: founded.clone(),
            community: keys::of_node(folder.path(), "community")?,
            rules_id: event.id,
            rules: Rules::clone(&rules),
            members: (0..ACCOUNTS).map(member).collect::<Result<_>>()?,
        })
    }

    fn sign(&self, keys: &Keys, body: impl Into<Body>) -> VerifiedEvent {
        let body: Body = body.into();
        body.draft(&self.founded.community).sign(keys, clock::now(), clock::entropy())
    }

    fn opening(&self, member: &Keys) -> VerifiedEvent {
        let policy = Policy::open(self.founded.address.clone(), member.public());
        self.sign(&self.community, policy)
    }

    /// Wave by wave, everybody's next payment to their neighbour.
    fn waves(&self) -> Result<Vec<Vec<VerifiedEvent>>> {
        let half = self.members.len().div_ceil(2);
        let chains = thread::scope(|scope| {
            let parts = self.members.chunks(half).enumerate();
            let work: Vec<_> = parts
                .map(|(part, payers)| {
                    scope.spawn(move || {
                        let payers = payers.iter().enumerate();
                        payers.map(|(at, payer)| self.chain(part * half + at, payer)).collect()
                    })
                })
                .collect();
            let join = |thread: thread::ScopedJoinHandle<'_, Result<Vec<_>>>| {
                thread.join().ok().context("a thread of the load broke")?
            };
            work.into_iter().map(join).collect::<Result<Vec<Vec<Vec<VerifiedEvent>>>>>()
        })?;
        let chains: Vec<_> = chains.concat();
        let wave = |at: usize| chains.iter().filter_map(|chain| chain.get(at).cloned()).collect();
        Ok((0..WAVES).map(wave).collect())
    }

    /// What one member pays, each payment naming the one before.
    fn chain(&self, at: usize, payer: &Keys) -> Result<Vec<VerifiedEvent>> {
        let next = (at + 1) % self.members.len();
        let payee = self.members.get(next).context("a neighbour")?.public();
        let (mut previous, mut chain) = (self.rules_id, Vec::new());
        for seq in 0.. {
            if chain.len() == WAVES {
                break;
            }
            let terms =
                Terms { epoch: self.rules_id, seq, previous, payee, gross: 1, levied: true };
            let event = self.sign(payer, Order::new(&terms, &self.rules)?);
            previous = event.id;
            chain.push(event);
        }
        Ok(chain)
    }
}
