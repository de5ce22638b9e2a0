//! The books again, naively: from the JSON of events and the page of the protocol, with none of the
//! code under test. Slow, short, and meant to be read beside section 3.
//!
//! It knows communities whose key needs no approval, which is what its tests use.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A charter as far as the ledger needs it.
pub struct Charter {
    pub id: String,
    pub community: String,
    pub key: String,
    pub witnesses: BTreeSet<String>,
    pub quorum: usize,
}

/// Where an account stands: what a checkpoint line says.
#[derive(Default, Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub next_seq: u64,
    pub last_order: Option<String>,
    pub debits: i128,
    pub pending: i128,
    pub credits: i128,
    pub charges: i128,
    pub policy: u64,
}

impl Standing {
    pub fn balance(&self) -> i128 {
        self.credits - self.debits + self.charges
    }
}

/// The whole set of events, read once more for every question.
pub struct Naive {
    pub charters: Vec<Charter>,
    pub events: Vec<Value>,
}

type Row = Vec<String>;

fn rows(event: &Value, name: &str) -> Vec<Row> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = event["tags"].as_array().unwrap().iter();
    let all = all.map(|tag| tag.as_array().unwrap().iter().map(text).collect::<Row>());
    all.filter(|tag| tag[0] == name).collect()
}

fn value(event: &Value, name: &str) -> Option<String> {
    rows(event, name).first().map(|row| row[1].clone())
}

fn marked(event: &Value, marker: &str) -> Option<String> {
    let found = rows(event, "e").into_iter().find(|row| row.get(3).is_some_and(|m| m == marker));
    found.map(|row| row[1].clone())
}

fn plain(event: &Value) -> Option<String> {
    rows(event, "e").into_iter().find(|row| row.len() < 4).map(|row| row[1].clone())
}

fn id(event: &Value) -> String {
    event["id"].as_str().unwrap().to_owned()
}

fn author(event: &Value) -> String {
    event["pubkey"].as_str().unwrap().to_owned()
}

/// One event for each order that an attestation is about: what names no order, and what follows the
/// order's id up to the next.
fn each_said(event: &Value) -> Vec<Value> {
    let tags = event["tags"].as_array().unwrap();
    let is_order = |tag: &&Value| tag[0] == "e" && tag.as_array().unwrap().len() < 4;
    let first = tags.iter().position(|tag| is_order(&tag)).unwrap_or(tags.len());
    let in_all = |tag: &&Value| ["h", "a", "op", "epoch", "log"].iter().any(|name| tag[0] == *name);
    let mut all: Vec<Vec<Value>> = vec![];
    for tag in &tags[first..] {
        if is_order(&tag) {
            all.push(tags.iter().filter(in_all).cloned().collect());
        }
        all.last_mut().unwrap().push(tag.clone());
    }
    let with = |tags: Vec<Value>| {
        let mut said = event.clone();
        said["tags"] = Value::Array(tags);
        said
    };
    all.into_iter().map(with).collect()
}

/// The account that pays in an order.
fn payer(order: &Value) -> String {
    value(order, "from").unwrap_or_else(|| author(order))
}

/// Minor units and decimals.
fn amount(text: &str) -> (i128, usize) {
    let decimals = text.split_once('.').map_or(0, |(_, part)| part.len());
    (text.replace('.', "").parse().unwrap(), decimals)
}

fn decimals(event: &Value, name: &str, at: usize) -> usize {
    amount(&rows(event, name)[0][at]).1
}

impl Naive {
    fn of_kind(&self, kind: u64) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event["kind"] == kind)
    }

    /// Rules count if the community signed them and those before them count.
    fn rules(&self, currency: &str) -> Vec<(&Value, &Charter)> {
        let mut counted: Vec<(&Value, &Charter)> = vec![];
        for epoch in 0..20 {
            for rules in self.of_kind(4750) {
                if value(rules, "epoch") != Some(format!("{epoch}")) {
                    continue;
                }
                let named = marked(rules, "charter");
                let charter =
                    self.charters.iter().find(|charter| Some(&charter.id) == named.as_ref());
                let Some(charter) = charter else { continue };
                let signed = author(rules) == charter.key
                    && value(rules, "h").as_ref() == Some(&charter.community)
                    && value(rules, "a").as_deref() == Some(currency);
                let follows = epoch == 0
                    || counted.iter().any(|(before, _)| {
                        marked(rules, "prev") == Some(id(before))
                            && value(before, "epoch") == Some(format!("{}", epoch - 1))
                            && decimals(before, "limit", 2) == decimals(rules, "limit", 2)
                    });
                if signed && follows {
                    counted.push((rules, charter));
                }
            }
        }
        counted
    }

    /// Every account with the highest counted version of its policy, and everybody who ever signed.
    fn accounts(&self, currency: &str) -> BTreeMap<String, (u64, BTreeSet<String>)> {
        let rules = self.rules(currency);
        let Some((_, charter)) = rules.first() else { return BTreeMap::new() };
        let mut counted: BTreeMap<String, &Value> = BTreeMap::new();
        for version in 1..50 {
            for policy in self.of_kind(4751) {
                let previous = marked(policy, "prev").and_then(|prev| counted.get(&prev).copied());
                let follows = version == 1
                    || previous.is_some_and(|previous| {
                        value(previous, "p") == value(policy, "p")
                            && value(previous, "v") == Some(format!("{}", version - 1))
                    });
                let counts = value(policy, "v") == Some(format!("{version}"))
                    && value(policy, "a").as_deref() == Some(currency)
                    && author(policy) == charter.key
                    && follows;
                if counts {
                    counted.insert(id(policy), policy);
                }
            }
        }
        let mut accounts = BTreeMap::<String, (u64, BTreeSet<String>)>::new();
        for policy in counted.values() {
            let account = accounts.entry(value(policy, "p").unwrap()).or_default();
            account.0 = account.0.max(value(policy, "v").unwrap().parse().unwrap());
            account.1.extend(rows(policy, "signer").into_iter().map(|row| row[1].clone()));
        }
        accounts
    }

    /// The number of rules that count.
    fn number(&self, currency: &str, rules: &str) -> Option<u64> {
        let all = self.rules(currency);
        let named = all.iter().find(|(event, _)| id(event) == rules)?;
        value(named.0, "epoch")?.parse().ok()
    }

    /// Whether an attestation names the rules of its order, or later ones.
    fn in_time(&self, currency: &str, attestation: &Value, order: &Value) -> bool {
        let (named, own) = (value(attestation, "epoch"), value(order, "epoch"));
        let number = |rules: &Option<String>| self.number(currency, rules.as_ref()?);
        named == own || number(&named) > number(&own)
    }

    /// Whether `quorum` distinct witnesses of one counted epoch signed this for it.
    fn is_signed(&self, currency: &str, target: &Value, op: &str) -> bool {
        self.rules(currency).iter().any(|(rules, charter)| {
            let signed = self.of_kind(4753).flat_map(each_said).filter(|attestation| {
                value(attestation, "op").as_deref() == Some(op)
                    && value(attestation, "epoch") == Some(id(rules))
                    && plain(attestation) == Some(id(target))
                    && (op != "attest"
                        || repeats(attestation, target)
                            && self.in_time(currency, attestation, target))
            });
            let witnesses: BTreeSet<_> = signed.map(|said| author(&said)).collect();
            witnesses.intersection(&charter.witnesses).count() >= charter.quorum
        })
    }

    fn certified(&self, currency: &str) -> Vec<&Value> {
        let (rules, accounts) = (self.rules(currency), self.accounts(currency));
        let certified = self.of_kind(4752).filter(|order| {
            let epoch = rules.iter().find(|(rules, _)| Some(id(rules)) == value(order, "epoch"));
            let legs = rows(order, "leg");
            value(order, "a").as_deref() == Some(currency)
                && epoch.is_some_and(|(rules, _)| {
                    legs.iter().all(|leg| amount(&leg[2]).1 == decimals(rules, "limit", 2))
                })
                && legs.iter().all(|leg| accounts.contains_key(&leg[1]))
                && accounts.get(&payer(order)).is_some_and(|(_, s)| s.contains(&author(order)))
                && self.is_signed(currency, order, "attest")
        });
        certified.collect()
    }

    /// The rules in force: the highest epoch, then the lowest id.
    pub fn epoch(&self, currency: &str) -> Option<String> {
        let number = |rules: &Value| value(rules, "epoch").unwrap().parse::<u64>().unwrap();
        let rules = self.rules(currency).into_iter().map(|(rules, _)| (number(rules), id(rules)));
        let rules: Vec<_> = rules.collect();
        let highest = rules.iter().map(|(number, _)| *number).max()?;
        rules.into_iter().filter(|(number, _)| *number == highest).map(|(_, id)| id).min()
    }

    /// What became of a certified hold: `pending`, `void` or `posted`.
    pub fn outcome(&self, hold: &Value) -> &'static str {
        let slot = rows(hold, "hold").remove(0);
        let at_slot = |order: &&Value| {
            payer(order) == slot[3] && value(order, "seq").as_ref() == Some(&slot[4])
        };
        let certified = self.certified(&slot[2]);
        let mut commits: Vec<_> =
            certified.into_iter().filter(at_slot).map(|order| marked(order, "commit")).collect();
        for resolution in self.of_kind(4758).filter(|r| plain(r) == Some(id(hold))) {
            let shown: Vec<Value> =
                serde_json::from_str(resolution["content"].as_str().unwrap()).unwrap();
            let (order, attestations) = shown.split_first().unwrap();
            let epoch = value(&attestations[0], "epoch");
            let signed: BTreeSet<_> = attestations.iter().map(author).collect();
            let enough = self.rules(&slot[2]).iter().any(|(rules, charter)| {
                Some(id(rules)) == epoch
                    && signed.intersection(&charter.witnesses).count() >= charter.quorum
            });
            if enough && at_slot(&order) && value(order, "a").as_ref() == Some(&slot[2]) {
                commits.push(marked(order, "commit"));
            }
        }
        if commits.contains(&Some(id(hold))) {
            "posted"
        } else if commits.is_empty() {
            "pending"
        } else {
            "void"
        }
    }

    /// Whether a certified order has paid: every one but holds that are not posted.
    fn has_paid(&self, order: &Value) -> bool {
        rows(order, "hold").is_empty() || self.outcome(order) == "posted"
    }

    /// What was given back of every order.
    pub fn refunded(&self, currency: &str) -> BTreeMap<String, i128> {
        let mut refunded = BTreeMap::new();
        for order in self.certified(currency) {
            let Some(given) = marked(order, "refund") else { continue };
            let total: i128 = rows(order, "leg").iter().map(|leg| amount(&leg[2]).0).sum();
            *refunded.entry(given).or_default() += total;
        }
        refunded
    }

    /// Every request that counts, with its state: `open`, `paid`, `declined` or `cancelled`.
    pub fn requests(&self, currency: &str) -> BTreeMap<String, &'static str> {
        let accounts = self.accounts(currency);
        let speaks = |event: &Value| {
            let account = payer(event);
            let signs =
                accounts.get(&account).is_some_and(|(_, keys)| keys.contains(&author(event)));
            signs.then_some(account)
        };
        let certified = self.certified(currency);
        let asked = self.of_kind(4754).filter(|request| {
            value(request, "op").as_deref() == Some("invoice")
                && value(request, "a").as_deref() == Some(currency)
        });
        let mut states = BTreeMap::new();
        for request in asked {
            let Some(payee) = speaks(request) else { continue };
            let asked_of = value(request, "p");
            let answered = |status: &str, by: Option<&String>| {
                let mut answers = self.of_kind(4755).filter(|a| plain(a) == Some(id(request)));
                answers.any(|a| {
                    value(a, "status").as_deref() == Some(status) && speaks(a).as_ref() == by
                })
            };
            let mut cited = certified.iter().map(|order| marked(order, "request"));
            let state = if asked_of.is_some() && cited.any(|cites| cites == Some(id(request))) {
                "paid"
            } else if answered("cancelled", Some(&payee)) {
                "cancelled"
            } else if asked_of.is_some() && answered("declined", asked_of.as_ref()) {
                "declined"
            } else {
                "open"
            };
            states.insert(id(request), state);
        }
        states
    }

    /// Where every account of a currency stands.
    pub fn book(&self, currency: &str) -> BTreeMap<String, Standing> {
        let mut book = BTreeMap::<String, Standing>::new();
        for (account, (policy, _)) in self.accounts(currency) {
            book.entry(account).or_default().policy = policy;
        }
        let certified = self.certified(currency);
        for order in &certified {
            for leg in rows(order, "leg") {
                let (minor, _) = amount(&leg[2]);
                let standing = book.get_mut(&payer(order)).unwrap();
                if self.has_paid(order) {
                    standing.debits += minor;
                    book.get_mut(&leg[1]).unwrap().credits += minor;
                } else if self.outcome(order) == "pending" {
                    standing.pending += minor;
                }
            }
        }
        for (account, standing) in &mut book {
            loop {
                let seq = Some(standing.next_seq.to_string());
                let here =
                    certified.iter().filter(|o| payer(o) == *account && value(o, "seq") == seq);
                let Some(lowest) = here.map(|order| id(order)).min() else { break };
                standing.next_seq += 1;
                standing.last_order = Some(lowest);
            }
        }
        for charge in self.of_kind(4756).filter(|c| value(c, "a").as_deref() == Some(currency)) {
            let lines: Vec<_> =
                rows(charge, "debit").into_iter().chain(rows(charge, "credit")).collect();
            let open = lines.iter().all(|line| book.contains_key(&line[1]));
            if open && self.is_signed(currency, charge, "charge") {
                for line in lines {
                    let sign = if line[0] == "debit" { -1 } else { 1 };
                    book.get_mut(&line[1]).unwrap().charges += sign * amount(&line[2]).0;
                }
            }
        }
        book
    }

    /// SHA-256 of the checkpoint lines.
    pub fn root(&self, currency: &str) -> [u8; 32] {
        let mut text = String::new();
        for (account, s) in self.book(currency) {
            let last = s.last_order.unwrap_or_else(|| "-".into());
            let (next, debits, credits) = (s.next_seq, s.debits, s.credits);
            let (pending, charges, policy) = (s.pending, s.charges, s.policy);
            text += &format!(
                "{account}|{next}|{last}|{debits}|{pending}|{credits}|{charges}|{policy}\n"
            );
        }
        Sha256::digest(text).into()
    }
}

/// Whether an attestation repeats what the order says.
fn repeats(attestation: &Value, order: &Value) -> bool {
    let payee = rows(order, "leg").first().map_or_else(|| payer(order), |leg| leg[1].clone());
    let parties: Vec<_> = rows(attestation, "p").into_iter().map(|row| row[1].clone()).collect();
    rows(attestation, "leg") == rows(order, "leg")
        && value(attestation, "seq") == value(order, "seq")
        && parties == [payer(order), payee]
}
