//! Members and balances out of other systems: what CES, Cyclos, IntegralCES and Komunitin give out.
//!
//! Komunitin's `accounts.csv` and the accounts of IntegralCES and Komunitin as JSON:API have
//! columns of fixed names. CES prints reports and Cyclos lets each administrator choose columns and
//! language, so their tables are read by the headings that their screens use; docs/import.md lists
//! every heading that is understood. History is not brought: a balance is, once.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use ayni_lets::{AccountType, Status};
use ayni_protocol::{PublicKey, Scale};
use clap::ValueEnum;
use rust_decimal::Decimal;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::table::{Column, Complaints, Row, Table};
use crate::{keys, name};

/// Where a file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum System {
    /// Community Exchange System: the member list with balances
    Ces,
    /// Cyclos: users with balances
    Cyclos,
    /// IntegralCES: the accounts of its API, or a table
    #[value(name = "integralces")]
    IntegralCes,
    /// Komunitin: accounts.csv, or the accounts of its API
    Komunitin,
}

impl System {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ces => "CES",
            Self::Cyclos => "Cyclos",
            Self::IntegralCes => "IntegralCES",
            Self::Komunitin => "Komunitin",
        }
    }

    /// The headings of the short name, the first that is there.
    const fn codes(self) -> &'static [&'static str] {
        match self {
            Self::Ces => &["Account", "Account number", "UID", "User ID", "Member ID"],
            Self::Cyclos => &["Username", "Login name", "User", "Account number", "Member"],
            Self::IntegralCes | Self::Komunitin => &["Code", "Account", "Account code"],
        }
    }

    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Ces => &["Name", "Member", "Member name", "Full name"],
            Self::Cyclos => &["Full name", "Name", "Display", "Member name"],
            Self::IntegralCes | Self::Komunitin => &["Name", "Member name"],
        }
    }
}

const BALANCES: &[&str] = &["Balance", "Current balance", "Account balance"];
const LIMITS: &[&str] =
    &["Credit limit", "Debit limit", "Lower limit", "Lower credit limit", "Overdraft"];
const MAXIMA: &[&str] = &["Maximum balance", "Upper limit", "Upper credit limit"];
const STATES: &[&str] = &["Status", "State", "User status"];
const TYPES: &[&str] = &["Type", "Account type", "Kind"];
const KEYS: &[&str] = &["npub", "Nostr", "Public key"];

/// One account as another system had it. Sums are minor units of the new currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// Its line, or its place in a document.
    pub line: u64,
    /// Its short name.
    pub code: String,
    /// Its member's name; may be empty.
    pub name: String,
    /// What it held.
    pub balance: i64,
    /// How far below zero it might go, where it said so.
    pub limit: Option<i64>,
    /// How high it might rise.
    pub max: Option<i64>,
    /// Whether it was in use.
    pub status: Status,
    /// Whose it was.
    pub account_type: AccountType,
    /// The member's key, where the file knows one.
    pub key: Option<PublicKey>,
}

/// How amounts are written.
#[derive(Debug, Clone, Copy)]
pub struct Writing {
    /// Decimals of the new currency.
    pub scale: Scale,
    /// Whether a comma stands before decimals.
    pub comma: bool,
    /// Decimals of whole numbers in a JSON document, where it does not say.
    pub document: Option<u32>,
}

/// A cell for the fields of an account, by the headings of a table or the members of a document.
type Fields = BTreeMap<&'static str, String>;

/// Reads a file. Every row must be right, and the balances must come to nothing together, unless
/// `rest` names an account that takes what is missing.
///
/// # Errors
/// What is wrong, row by row on standard error.
pub fn read(
    text: &str,
    system: System,
    writing: Writing,
    rest: Option<&str>,
) -> Result<Vec<Brought>> {
    let rows = if text.trim_start().starts_with(['{', '[']) {
        documents(text, writing)?
    } else {
        table(text, system)?
    };
    let mut complaints = Complaints::default();
    let mut found = Vec::new();
    let mut codes = BTreeSet::new();
    for (line, fields) in rows {
        match account(line, &fields, writing) {
            Ok(Some(account)) if !codes.insert(account.code.clone()) => {
                complaints.add(line, format!("{} was there before", account.code));
            }
            Ok(Some(account)) => found.push(account),
            Ok(None) => {}
            Err(wrong) => complaints.add(line, format!("{wrong:#}")),
        }
    }
    complaints.settle("nothing was imported")?;
    balance(&mut found, writing.scale, rest)?;
    Ok(found)
}

/// Balances come to nothing, or the rest goes to an account of the file.
fn balance(found: &mut [Brought], scale: Scale, rest: Option<&str>) -> Result<()> {
    let sum: i128 = found.iter().map(|account| i128::from(account.balance)).sum();
    if sum == 0 {
        return Ok(());
    }
    let missing = scale.format(sum);
    let Some(rest) = rest else {
        bail!(
            "the balances come to {missing} together and must come to {}: an account is missing, \
             often the exchange's own, or the one by which it trades with others. Add its row, or \
             name with --rest the account that is to take what is missing; nothing was imported",
            scale.format(0)
        );
    };
    let account = found.iter_mut().find(|account| account.code == rest);
    let account = account.with_context(|| format!("--rest {rest} names no row of the file"))?;
    let after = i128::from(account.balance) - sum;
    account.balance = i64::try_from(after).context("the balances are out of bounds")?;
    Ok(())
}

fn table(text: &str, system: System) -> Result<Vec<(u64, Fields)>> {
    let table = Table::read(text)?;
    let code = table.required(system.codes())?;
    let balance = table.required(BALANCES)?;
    let columns: [(&str, Option<Column>); 8] = [
        ("code", Some(code)),
        ("balance", Some(balance)),
        ("name", table.column(system.names()).filter(|column| *column != code)),
        ("limit", table.column(LIMITS)),
        ("max", table.column(MAXIMA)),
        ("status", table.column(STATES)),
        ("type", table.column(TYPES)),
        ("key", table.column(KEYS)),
    ];
    let fields = |row: &Row| {
        let cells = columns.iter().map(|(name, column)| (*name, row.maybe(*column).to_owned()));
        (row.line, cells.collect())
    };
    Ok(table.rows.iter().map(fields).collect())
}

/// The accounts of one or several JSON:API documents, such as the pages of a list.
fn documents(text: &str, writing: Writing) -> Result<Vec<(u64, Fields)>> {
    let read: Value = serde_json::from_str(text).context("this is no JSON document")?;
    let pages = match read {
        Value::Array(pages) => pages,
        page => vec![page],
    };
    let mut rows = Vec::new();
    for page in &pages {
        let scale = stated_scale(page).or(writing.document).context(
            "amounts of this document are whole numbers, and it does not say of how many decimals: \
             name them with --decimals",
        )?;
        let data = page.get("data").and_then(Value::as_array);
        for resource in data.context("the document has no list `data` of accounts")? {
            let line = u64::try_from(rows.len()).unwrap_or_default().saturating_add(1);
            rows.push((line, attributes(resource, scale)));
        }
    }
    Ok(rows)
}

/// The decimals that the document's currency has.
fn stated_scale(page: &Value) -> Option<u32> {
    let included = page.get("included")?.as_array()?;
    let currency = included
        .iter()
        .find(|resource| resource.get("type").and_then(Value::as_str) == Some("currencies"))?;
    currency.pointer("/attributes/scale")?.as_u64()?.try_into().ok()
}

fn attributes(resource: &Value, scale: u32) -> Fields {
    let attribute = |name: &str| resource.get("attributes").and_then(|all| all.get(name));
    let text = |name: &str| attribute(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let amount = |name: &str| match attribute(name) {
        Some(Value::Number(number)) => number.as_i64().map_or_else(
            || number.to_string(),
            |whole| Decimal::new(whole, scale.min(18)).to_string(),
        ),
        Some(Value::String(written)) => written.clone(),
        _ => String::new(),
    };
    let status = [text("status"), text("state")].into_iter().find(|word| !word.is_empty());
    BTreeMap::from([
        ("code", text("code")),
        ("name", text("name")),
        ("balance", amount("balance")),
        ("limit", amount("creditLimit")),
        ("max", amount("maximumBalance")),
        ("status", status.unwrap_or_default()),
        ("type", String::new()),
        ("key", String::new()),
    ])
}

/// An account; none for one that was closed and held nothing.
fn account(line: u64, fields: &Fields, writing: Writing) -> Result<Option<Brought>> {
    let field = |name| fields.get(name).map(String::as_str).unwrap_or_default();
    let code = name::short(field("code"))?;
    let sum = |name| {
        let text = field(name);
        if text.is_empty() { Ok(None) } else { amount(text, writing).map(Some) }
    };
    let balance = sum("balance")?.with_context(|| format!("{code} has no balance; write 0"))?;
    let status = status(field("status"))?;
    if status == Status::Closed {
        if balance != 0 {
            let held = writing.scale.format(balance.into());
            bail!("{code} is closed and holds {held}; a closed account must hold nothing");
        }
        return Ok(None);
    }
    let key = match field("key") {
        "" => None,
        text => Some(keys::public(text).with_context(|| format!("{text} is no public key"))?),
    };
    Ok(Some(Brought {
        line,
        code: code.to_owned(),
        name: field("name").to_owned(),
        balance,
        // Below zero stands for without limit; here everybody has one.
        limit: sum("limit")?.filter(|limit| *limit >= 0),
        max: sum("max")?.filter(|max| *max > 0),
        status,
        account_type: account_type(field("type")),
        key,
    }))
}

/// An amount in minor units of the new currency, exactly.
fn amount(text: &str, writing: Writing) -> Result<i64> {
    let shown = writing.scale.format(1_234 * i128::from(writing.scale.unit()));
    let wrong = || {
        let hint = if writing.comma { "" } else { "; --decimal-comma reads 1.234,50" };
        format!(
            "{text} is no amount such as {shown}, with at most {} decimals{hint}",
            writing.scale.decimals()
        )
    };
    let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != '\'').collect();
    let plain = if writing.comma { plain.replace('.', "").replace(',', ".") } else { plain };
    let plain = plain.replace('\u{2212}', "-");
    let number = Decimal::from_str_exact(plain.strip_prefix('+').unwrap_or(&plain));
    let mut number = number.ok().with_context(wrong)?;
    let exact = number;
    number.rescale(writing.scale.decimals().into());
    if number != exact {
        bail!(wrong());
    }
    i64::try_from(number.mantissa()).ok().with_context(wrong)
}

fn status(word: &str) -> Result<Status> {
    match word.to_lowercase().as_str() {
        "" | "active" | "enabled" | "ok" | "1" => Ok(Status::Active),
        "disabled" | "suspended" | "blocked" | "locked" | "hidden" | "pending" | "inactive" => {
            Ok(Status::Suspended)
        }
        "closed" | "deleted" | "removed" | "purged" => Ok(Status::Closed),
        _ => bail!("{word} is no status: active, suspended or closed"),
    }
}

/// Whose account it is, by the words that other systems have for it.
fn account_type(word: &str) -> AccountType {
    match word.to_lowercase().as_str() {
        "organisation" | "organization" | "company" | "business" | "shop" => {
            AccountType::Organisation
        }
        "community" | "system" | "admin" | "administrator" | "treasury" | "exchange" => {
            AccountType::Community
        }
        "virtual" | "external" => AccountType::Clearing,
        _ => AccountType::Member,
    }
}

/// A name for what a file says, whatever its order: the same balances are imported once.
#[must_use]
pub fn digest(accounts: &[Brought]) -> String {
    let mut lines: Vec<String> =
        accounts.iter().map(|account| format!("{}|{}", account.code, account.balance)).collect();
    lines.sort_unstable();
    let hash = Sha256::digest(lines.join("\n"));
    ayni_protocol::hex::encode(hash.get(..8).unwrap_or_default())
}

/// What accounts held, as lists of debits and credits that each come to nothing and have at most
/// so many lines: a charge has room for so many.
#[must_use]
pub fn in_parts(balances: &[(PublicKey, i64)], lines_max: usize) -> Vec<BTreeMap<PublicKey, i64>> {
    let owed = balances.iter().filter(|(_, held)| *held < 0).map(|(key, held)| (*key, -*held));
    let held = balances.iter().filter(|(_, held)| *held > 0).copied();
    let (mut debtors, mut creditors) = (owed, held);
    let (mut debtor, mut creditor) = (debtors.next(), creditors.next());
    let mut parts: Vec<BTreeMap<PublicKey, i64>> = vec![BTreeMap::new()];
    while let (Some((from, owes)), Some((to, has))) = (debtor, creditor) {
        let moved = owes.min(has);
        // A pair adds at most two lines.
        if parts.last().is_some_and(|part| part.len().saturating_add(2) > lines_max) {
            parts.push(BTreeMap::new());
        }
        if let Some(part) = parts.last_mut() {
            *part.entry(from).or_default() -= moved;
            *part.entry(to).or_default() += moved;
        }
        debtor = if owes == moved { debtors.next() } else { Some((from, owes - moved)) };
        creditor = if has == moved { creditors.next() } else { Some((to, has - moved)) };
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CES: &str = include_str!("../../tests/imports/ces.csv");
    const CYCLOS: &str = include_str!("../../tests/imports/cyclos.csv");
    const INTEGRALCES: &str = include_str!("../../tests/imports/integralces.json");
    const KOMUNITIN: &str = include_str!("../../tests/imports/komunitin.csv");

    fn writing() -> Writing {
        Writing { scale: Scale::new(2).unwrap(), comma: false, document: None }
    }

    fn brought(text: &str, system: System) -> Vec<Brought> {
        let comma = system == System::Cyclos;
        read(text, system, Writing { comma, ..writing() }, None).unwrap()
    }

    fn said(text: &str) -> String {
        read(text, System::Komunitin, writing(), None).unwrap_err().to_string()
    }

    fn told(accounts: &[Brought]) -> Vec<String> {
        let told = accounts.iter().map(|at| {
            let (limit, max) = (at.limit.unwrap_or(-1), at.max.unwrap_or(-1));
            format!("{} {} {limit} {max} {}", at.code, at.balance, at.status.as_str())
        });
        told.collect()
    }

    #[test]
    fn a_list_of_ces_is_read() {
        let found = brought(CES, System::Ces);
        assert_eq!(
            told(&found),
            [
                "VALE0000 1250 -1 -1 active",
                "VALE0001 -4200 5000 -1 active",
                "VALE0002 3125 -1 -1 active",
                "VALE0003 -175 2000 -1 suspended",
            ]
        );
        assert_eq!((found[2].name.as_str(), found[2].line), ("Ben, the baker", 4));
    }

    #[test]
    fn a_list_of_cyclos_is_read() {
        let found = brought(CYCLOS, System::Cyclos);
        assert_eq!(
            told(&found),
            [
                "ana -123450 200000 -1 active",
                "ben 120000 0 500000 active",
                "carla 3450 -1 -1 suspended"
            ]
        );
        assert_eq!(found[0].name, "Ana Quispe");
    }

    #[test]
    fn accounts_of_komunitin_and_integralces_are_read() {
        assert_eq!(
            told(&brought(KOMUNITIN, System::Komunitin)),
            [
                "VALE0001 -4200 5000 -1 active",
                "VALE0002 4025 10000 15000 active",
                "VALE0003 175 -1 -1 active"
            ]
        );
        let expected = ["VALE0001 -4200 5000 -1 active", "VALE0002 4200 -1 15000 active"];
        assert_eq!(told(&brought(INTEGRALCES, System::IntegralCes)), expected);
        // Without its currency, a document does not say what its whole numbers mean.
        let bare = INTEGRALCES.replace("currencies", "others");
        assert!(said(&bare).contains("--decimals"));
        let named = Writing { document: Some(2), ..writing() };
        assert_eq!(told(&read(&bare, System::IntegralCes, named, None).unwrap()), expected);
    }

    #[test]
    fn what_is_missing_to_zero_is_named_or_taken() {
        let text = "code,balance\nana,-3\nben,5.50\n";
        let told = said(text);
        assert!(told.contains("come to 2.50 together and must come to 0.00"), "{told}");
        let taken = read(text, System::Komunitin, writing(), Some("ana")).unwrap();
        assert_eq!(taken.iter().map(|at| at.balance).collect::<Vec<_>>(), [-550, 550]);
        let nobody = read(text, System::Komunitin, writing(), Some("eve")).unwrap_err();
        assert!(nobody.to_string().contains("names no row"));
    }

    #[test]
    fn each_wrong_row_says_what_is_wrong() {
        let account = |text: &str| {
            let table = Table::read(&format!("code,balance,status,npub\n{text}\n")).unwrap();
            let row = &table.rows[0];
            let cell = |name: &str| row.maybe(table.column(&[name])).to_owned();
            let fields = BTreeMap::from([
                ("code", cell("code")),
                ("balance", cell("balance")),
                ("status", cell("status")),
                ("key", cell("npub")),
            ]);
            account(2, &fields, writing()).unwrap_err().to_string()
        };
        for (row, expected) in [
            (",1", "needs a short name"),
            ("ana,", "ana has no balance; write 0"),
            ("ana,1.234", "at most 2 decimals"),
            ("ana,\"1,50\"", "--decimal-comma"),
            ("ana,free", "free is no amount such as 1234.00"),
            ("ana,1,asleep", "asleep is no status"),
            ("ana,1,closed", "ana is closed and holds 1.00"),
            ("ana,1,active,npub1x", "npub1x is no public key"),
        ] {
            let told = account(row);
            assert!(told.contains(expected), "{row}: {told}");
        }
        assert!(said("code,balance\nana,1\nana,-1\n").contains("1 row is wrong"));
        assert!(said("name,balance\nana,1\n").contains("no column Code"));
        assert!(said("{\"data\": 1, \"included\": []}").contains("--decimals"));
        assert!(said("{nonsense").contains("no JSON document"));
    }

    #[test]
    fn the_same_balances_have_one_digest() {
        let mut accounts = brought(CES, System::Ces);
        let before = digest(&accounts);
        accounts.reverse();
        assert_eq!(digest(&accounts), before);
        accounts[0].balance += 1;
        assert_ne!(digest(&accounts), before);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// Every part comes to nothing and is short enough, and together they are the balances.
        #[test]
        fn parts_come_to_nothing(held in prop::collection::vec(-500_i64..500, 0..60), most in 2_usize..9) {
            let mut held = held;
            held.push(-held.iter().sum::<i64>());
            let keyed = |(at, minor): (usize, &i64)| {
                (PublicKey([u8::try_from(at).unwrap(); 32]), *minor)
            };
            let balances: Vec<_> = held.iter().enumerate().map(keyed).collect();
            let mut sums: BTreeMap<PublicKey, i64> = BTreeMap::new();
            for part in in_parts(&balances, most) {
                prop_assert!(part.len() <= most && part.values().sum::<i64>() == 0);
                prop_assert!(part.values().all(|minor| *minor != 0));
                part.into_iter().for_each(|(key, minor)| *sums.entry(key).or_default() += minor);
            }
            for (key, minor) in balances {
                prop_assert_eq!(sums.remove(&key).unwrap_or_default(), minor);
            }
        }
    }
}
