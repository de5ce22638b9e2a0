//! `ayni pay --csv`: many payments out of a table, each paid once however often it is run.
//!
//! Every order is written down, signed, beside the table before it is sent. Whoever runs the same
//! table again, after a crash or a refusal, sends what was written down and signs nothing twice: an
//! order that the node knows is never replaced, and one that it never saw paid nothing.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ayni_lets::{Body, Enforce};
use ayni_protocol::{Amount, Event, Keys, PublicKey, VerifiedEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ledger::{Wish, order, spelt};
use super::place::{Member, Place, meant};
use super::{Common, show};
use crate::table::{Complaints, Table};
use crate::{clock, keys, table};

const WAITS: &str = "its order is with the witnesses; it will count or be refused";

/// One row that says whom to pay how much.
struct Payment {
    line: u64,
    payee: PublicKey,
    name: String,
    amount: Amount,
    memo: String,
}

/// What is written down of a row before its order is sent. The last line of a row holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    line: u64,
    payee: PublicKey,
    amount: String,
    memo: String,
    /// The signed order, as JSON.
    order: String,
}

/// What the node says of an order.
enum State {
    /// It was never seen there, or is void: nothing was and will be paid by it.
    Nothing,
    /// It waits for something.
    UnderWay,
    /// It counts.
    Paid,
}

/// Pays a table, or says what it would pay.
pub fn run(common: &Common, file: &Path, from: Option<&str>, dry: bool) -> Result<()> {
    let keys = common.keys()?;
    let place = Place::of(common)?;
    let payer = from.map_or_else(|| Ok(keys.public()), |name| place.who(name))?;
    let text = table::text_of(file)?;
    let payments = payments(&place, &payer, &text)?;
    let journal = journal_path(file);
    let mut noted = read_notes(&journal)?;
    compare(&payments, &noted, &journal)?;
    let mut paid = 0_usize;
    let mut open = Vec::new();
    for payment in &payments {
        match noted.get(&payment.line).map(|noted| state(&place, noted)).transpose()? {
            Some(State::Paid) => paid += 1,
            _ => open.push(payment),
        }
    }
    affordable(&place, &payer, &open)?;
    if dry {
        return foretell(common, &open, paid);
    }
    let mut journal = OpenOptions::new().create(true).append(true).open(&journal)?;
    for payment in open {
        let done = pay(&place, &keys, payer, payment, noted.remove(&payment.line), &mut journal);
        done.with_context(|| {
            format!(
                "line {} ({}) is not paid; {paid} of {} rows are. Run this again to go on: what \
                 is paid is not paid twice",
                payment.line,
                payment.name,
                payments.len()
            )
        })?;
        paid += 1;
    }
    finished(common, &payments)
}

/// Where a table's orders are written down.
fn journal_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".paid");
    name.into()
}

/// The rows of a table, every one of them right.
fn payments(place: &Place, payer: &PublicKey, text: &str) -> Result<Vec<Payment>> {
    let table = Table::read(text)?;
    let to = table.required(&["to", "payee", "who", "account"])?;
    let amount = table.required(&["amount"])?;
    let memo = table.column(&["memo", "description", "note"]);
    let scale = place.rules()?.rules.scale;
    let members = place.members()?;
    let mut complaints = Complaints::default();
    let mut payments = Vec::new();
    for row in &table.rows {
        let name = row.cell(to);
        let payee = named(&members, name).and_then(|payee| {
            if payee == *payer { Err("you cannot pay yourself".to_owned()) } else { Ok(payee) }
        });
        let written = row.cell(amount);
        let sum = spelt(written, scale).and_then(|text| Amount::parse(&text).ok());
        let sum = sum.filter(|sum| sum.minor > 0).ok_or_else(|| {
            format!("{written:?} is no amount, such as {}", scale.format(scale.unit().into()))
        });
        match (payee, sum) {
            (Ok(payee), Ok(amount)) => payments.push(Payment {
                line: row.line,
                payee,
                name: name.to_owned(),
                amount,
                memo: row.maybe(memo).to_owned(),
            }),
            (payee, sum) => {
                let wrong = [payee.err(), sum.err()].into_iter().flatten();
                complaints.add(row.line, wrong.collect::<Vec<_>>().join("; "));
            }
        }
    }
    complaints.settle("nothing was paid")?;
    Ok(payments)
}

/// The account that a cell names.
fn named(members: &[Member], name: &str) -> Result<PublicKey, String> {
    if name.is_empty() {
        return Err("nobody is named".to_owned());
    }
    let found = match keys::public(name) {
        Some(key) => members.iter().find(|member| member.account == key),
        None => Some(meant(members, name).map_err(|error| error.to_string())?),
    };
    match found {
        Some(member) if member.status == "closed" => {
            Err(format!("the account of {name} is closed"))
        }
        Some(member) => Ok(member.account),
        None => Err(format!("nobody here is called {name}")),
    }
}

fn read_notes(journal: &Path) -> Result<BTreeMap<u64, Noted>> {
    let mut noted = BTreeMap::new();
    let Ok(file) = File::open(journal) else { return Ok(noted) };
    for line in BufReader::new(file).lines() {
        // A power cut may have left half a line; its order was not sent.
        let line = line?;
        let Ok(note) = serde_json::from_str::<Noted>(&line) else { continue };
        noted.insert(note.line, note);
    }
    Ok(noted)
}

/// What was written down must be rows of this very table.
fn compare(payments: &[Payment], noted: &BTreeMap<u64, Noted>, journal: &Path) -> Result<()> {
    let mut complaints = Complaints::default();
    for note in noted.values() {
        let row = payments.iter().find(|payment| payment.line == note.line);
        let same = row.is_some_and(|row| {
            row.payee == note.payee
                && row.amount.to_string() == note.amount
                && row.memo == note.memo
        });
        if !same {
            let what = format!(
                "the table was changed after this row was begun with {} to {}; undo the change, \
                 or put new rows into a new file ({} says what was begun)",
                note.amount,
                keys::npub(&note.payee),
                journal.display()
            );
            complaints.add(note.line, what);
        }
    }
    complaints.settle("nothing more was paid")
}

fn state(place: &Place, note: &Noted) -> Result<State> {
    let order = Event::parse(&note.order).context("an order that was written down")?;
    let view: Value = place.client.get(&format!("/api/v1/orders/{}", order.id))?;
    Ok(match view.get("state").and_then(Value::as_str).unwrap_or_default() {
        "certified" => State::Paid,
        "unknown" | "refused" => State::Nothing,
        _ => State::UnderWay,
    })
}

/// Where limits are hard, all open rows together must be within what the account can pay.
fn affordable(place: &Place, payer: &PublicKey, open: &[&Payment]) -> Result<()> {
    let rules = place.rules()?.rules;
    let view: Value = place.client.get(&place.currency_path(&format!("/accounts/{payer}")))?;
    let available = view.get("available").and_then(Value::as_str).unwrap_or_default();
    let sum: i128 = open.iter().map(|payment| i128::from(payment.amount.minor)).sum();
    let enough = Amount::parse(available).is_ok_and(|has| i128::from(has.minor) >= sum);
    if sum > 0 && !enough && rules.enforce == Enforce::Hard {
        bail!(
            "these rows come to {}, and the account can pay {available}; nothing was paid",
            rules.scale.format(sum)
        );
    }
    Ok(())
}

fn total(payments: &[&Payment]) -> String {
    let sum = payments.iter().map(|payment| i128::from(payment.amount.minor)).sum();
    payments.first().map_or_else(|| "0".into(), |payment| payment.amount.scale.format(sum))
}

fn foretell(common: &Common, open: &[&Payment], paid: usize) -> Result<()> {
    if common.json {
        let rows: Vec<Value> = open
            .iter()
            .map(|payment| {
                serde_json::json!({
                    "line": payment.line, "to": payment.payee,
                    "amount": payment.amount.to_string(), "memo": payment.memo,
                })
            })
            .collect();
        return show::json(
            &serde_json::json!({"would_pay": rows, "total": total(open), "paid": paid}),
        );
    }
    let rows: Vec<[String; 4]> = open
        .iter()
        .map(|payment| {
            let amount = payment.amount.to_string();
            [payment.line.to_string(), payment.name.clone(), amount, payment.memo.clone()]
        })
        .collect();
    show::table(["line", "to", "amount", "memo"], &rows)?;
    show::line(format!(
        "{} payments, {} together; {paid} rows are paid already. Nothing was paid now.",
        open.len(),
        total(open)
    ))
}

/// Pays one row: with the order that was written down where the node has it in hand, else with a
/// new one, which is written down before it is sent.
fn pay(
    place: &Place,
    keys: &Keys,
    payer: PublicKey,
    payment: &Payment,
    noted: Option<Noted>,
    journal: &mut File,
) -> Result<()> {
    let wish = Wish { memo: payment.memo.clone(), ..Wish::of(payment.amount) };
    // The account's place is read before its old order is asked about: if that one comes to count
    // only later, both name the same number, of which one counts. What is wrong with that place is
    // said after what became of the old order.
    let order = order(place, &wish, payer, payment.payee, keys);
    match noted.map(|note| state(place, &note)).transpose()? {
        Some(State::Paid) => return Ok(()),
        Some(State::UnderWay) => bail!(WAITS),
        Some(State::Nothing) | None => {}
    }
    let draft = Body::from(order?).draft(&place.community.id);
    let event = draft.sign(keys, clock::now(), clock::entropy());
    note(journal, payment, &event)?;
    place.client.publish_one(&event)?;
    let sent = Noted { order: event.json().to_owned(), ..of(payment) };
    match state(place, &sent)? {
        State::Paid => Ok(()),
        _ => bail!(WAITS),
    }
}

fn of(payment: &Payment) -> Noted {
    Noted {
        line: payment.line,
        payee: payment.payee,
        amount: payment.amount.to_string(),
        memo: payment.memo.clone(),
        order: String::new(),
    }
}

fn note(journal: &mut File, payment: &Payment, event: &VerifiedEvent) -> Result<()> {
    let note = Noted { order: event.json().to_owned(), ..of(payment) };
    // A half line that a power cut left must not swallow this one.
    writeln!(journal, "\n{}", serde_json::to_string(&note)?)?;
    Ok(journal.sync_data()?)
}

fn finished(common: &Common, payments: &[Payment]) -> Result<()> {
    let all: Vec<&Payment> = payments.iter().collect();
    if common.json {
        return show::json(&serde_json::json!({"paid": all.len(), "total": total(&all)}));
    }
    show::line(format!("All {} rows are paid, {} together.", all.len(), total(&all)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(line: u64, amount: &str) -> Noted {
        let payee = PublicKey([7; 32]);
        Noted { line, payee, amount: amount.into(), memo: String::new(), order: "{}".into() }
    }

    #[test]
    fn the_last_line_of_a_row_holds_and_half_a_line_is_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = |amount| serde_json::to_string(&noted(2, amount)).unwrap();
        let text = format!("{}\n{}\n\n{}", line("1.00"), &line("9.00")[..30], line("2.00"));
        std::fs::write(file.path(), text).unwrap();
        let found = read_notes(file.path()).unwrap();
        assert_eq!(found.into_values().collect::<Vec<_>>(), [noted(2, "2.00")]);
    }

    #[test]
    fn a_row_that_was_begun_may_not_change() {
        let payment = |amount| Payment {
            line: 2,
            payee: PublicKey([7; 32]),
            name: "ben".into(),
            amount: Amount::parse(amount).unwrap(),
            memo: String::new(),
        };
        let begun = BTreeMap::from([(2, noted(2, "1.00"))]);
        let compared = |rows: &[Payment]| compare(rows, &begun, Path::new("x.paid"));
        assert!(compared(&[payment("1.00")]).is_ok());
        assert!(compared(&[payment("1.01")]).is_err());
        assert!(compared(&[]).is_err(), "a row that is gone was changed too");
    }
}
