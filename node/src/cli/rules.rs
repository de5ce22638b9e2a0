//! The rules of a currency as people type and read them: `--limit 40.00`, `payee:2%:commons`.
//!
//! Pure: who is who is an argument. What is shown of a rule is what one types to get it, so that
//! `ayni currency show` is the list of what `ayni currency change` understands. The decimals, the
//! charter and the number of the rules are not here: nobody types them.

use anyhow::{Context as _, Result, bail};
use ayni_lets::rules::{fraction, write_fraction};
use ayni_lets::{Demurrage, Enforce, Formula, Levy, Memo, Money, Rules, Side};
use ayni_protocol::{Amount, PublicKey, Scale};
use clap::Args;

use super::ledger::spelt;

/// Parts per million in one.
const MILLION: i64 = 1_000_000;
/// Levies that rules may have.
const LEVIES_MAX: usize = 15;
/// What takes a rule away.
const NONE: &str = "none";

/// What is to change; what is not named stays.
#[derive(Args, Debug, Clone, Default)]
pub struct Wish {
    /// How far below zero an account may go, such as 40.00
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    limit: Option<String>,
    /// How high an account may rise, or none
    #[arg(long, value_name = "AMOUNT")]
    max: Option<String>,
    /// hard: payments beyond a limit are refused; soft: they are signed, and it is said by how much
    #[arg(long, value_name = "WORD")]
    enforce: Option<String>,
    /// Let limits grow with what was earned, up to a most, such as 25%:100.00, or none
    #[arg(long, value_name = "SHARE:MOST")]
    earned: Option<String>,
    /// Take a share of payments between members, such as payee:2%:commons; all there are to be, or none
    #[arg(long = "levy", value_name = "SIDE:SHARE:WHO")]
    levies: Vec<String>,
    /// The community's own account, which gets demurrage and fees, or none
    #[arg(long, value_name = "WHO")]
    treasury: Option<String>,
    /// Whether memos are private or public
    #[arg(long, value_name = "WORD")]
    memo: Option<String>,
    /// Let larger amounts need a flag, such as id:50.00; all there are to be, or none
    #[arg(long, value_name = "FLAG:AMOUNT")]
    require: Vec<String>,
    /// Take a share of what is held above an amount, such as 1%:50.00, or none
    #[arg(long, value_name = "SHARE:EXEMPT")]
    demurrage: Option<String>,
    /// What every member pays for a period, or none
    #[arg(long, value_name = "AMOUNT")]
    fee: Option<String>,
    /// The rules in words
    #[arg(long, value_name = "TEXT")]
    about: Option<String>,
}

/// Who somebody means by a name.
pub type Who<'a> = &'a dyn Fn(&str) -> Result<PublicKey>;

impl Wish {
    /// The rules with what is named changed, once they hold together.
    pub fn of(&self, rules: &Rules, who: Who<'_>) -> Result<Rules> {
        let mut next = rules.clone();
        let scale = rules.scale;
        if let Some(limit) = &self.limit {
            next.limit = amount(limit, scale).context("--limit")?;
        }
        if let Some(max) = &self.max {
            next.max = unless_none(max, |max| amount(max, scale)).context("--max")?;
        }
        if let Some(word) = &self.enforce {
            next.enforce = one_of(word, [("hard", Enforce::Hard), ("soft", Enforce::Soft)])
                .context("--enforce")?;
        }
        if let Some(earned) = &self.earned {
            next.formula = unless_none(earned, |text| formula(text, scale)).context("--earned")?;
        }
        if !self.levies.is_empty() {
            next.levies = every(&self.levies, |text| levy(text, who)).context("--levy")?;
        }
        if let Some(treasury) = &self.treasury {
            next.treasury = unless_none(treasury, who).context("--treasury")?;
        }
        if let Some(word) = &self.memo {
            next.memo = one_of(word, [("private", Memo::Private), ("public", Memo::Public)])
                .context("--memo")?;
        }
        if !self.require.is_empty() {
            next.require =
                every(&self.require, |text| flagged(text, scale)).context("--require")?;
        }
        if let Some(taken) = &self.demurrage {
            next.demurrage =
                unless_none(taken, |text| demurrage(text, scale)).context("--demurrage")?;
        }
        if let Some(fee) = &self.fee {
            next.fee = unless_none(fee, |text| above_zero(text, scale)).context("--fee")?;
        }
        if let Some(about) = &self.about {
            next.about.clone_from(about);
        }
        sound(&next)?;
        Ok(next)
    }
}

/// The accounts that rules name, each once.
pub fn accounts(rules: &Rules) -> std::collections::BTreeSet<PublicKey> {
    rules.levies.iter().map(|levy| levy.account).chain(rules.treasury).collect()
}

/// What rules say, line by line, each as it is typed.
pub fn lines(rules: &Rules, name: &dyn Fn(&PublicKey) -> String) -> Vec<(&'static str, String)> {
    let money = |minor: i64| Money::new(minor, rules.scale).to_string();
    let none = || NONE.to_owned();
    let list = |all: Vec<String>| if all.is_empty() { none() } else { all.join(" ") };
    let levy = |levy: &Levy| {
        let side = if levy.side == Side::Payer { "payer" } else { "payee" };
        format!("{side}:{}:{}", percent(levy.ppm), name(&levy.account))
    };
    let earned = |it: Formula| format!("{}:{}", percent(it.share_ppm), money(it.cap));
    let taken = |it: Demurrage| format!("{}:{}", percent(it.ppm), money(it.exempt));
    let needs = |(flag, most): &(String, i64)| format!("{flag}:{}", money(*most));
    vec![
        ("limit", money(rules.limit)),
        ("max", rules.max.map_or_else(none, money)),
        ("enforce", if rules.enforce == Enforce::Hard { "hard" } else { "soft" }.into()),
        ("earned", rules.formula.map_or_else(none, earned)),
        ("levy", list(rules.levies.iter().map(levy).collect())),
        ("treasury", rules.treasury.as_ref().map_or_else(none, name)),
        ("memo", if rules.memo == Memo::Public { "public" } else { "private" }.into()),
        ("require", list(rules.require.iter().map(needs).collect())),
        ("demurrage", rules.demurrage.map_or_else(none, taken)),
        ("fee", rules.fee.map_or_else(none, money)),
        ("about", rules.about.clone()),
    ]
}

/// Whether the rules can be kept: readers take any that are well written.
fn sound(rules: &Rules) -> Result<()> {
    let money = |minor: i64| Money::new(minor, rules.scale);
    if let Some(earned) = rules.formula.filter(|earned| earned.cap < rules.limit) {
        bail!(
            "limits that grow end at {}, below the {} that everybody starts with: name a higher \
             most with --earned SHARE:MOST, or a lower --limit",
            money(earned.cap),
            money(rules.limit)
        );
    }
    if rules.levies.len() > LEVIES_MAX {
        bail!("there are at most {LEVIES_MAX} levies; leave out some --levy");
    }
    let payees = rules.levies.iter().filter(|levy| levy.side == Side::Payee);
    if payees.map(|levy| levy.ppm).sum::<i64>() >= MILLION {
        bail!("the levies leave nothing for the payee: name smaller shares with --levy");
    }
    if rules.treasury.is_none() && (rules.demurrage.is_some() || rules.fee.is_some()) {
        bail!("demurrage and fees go to the community's own account: name it with --treasury WHO");
    }
    Ok(())
}

fn unless_none<T>(text: &str, read: impl FnOnce(&str) -> Result<T>) -> Result<Option<T>> {
    if text == NONE { Ok(None) } else { read(text).map(Some) }
}

/// All that a repeated word lists, where `none` alone lists nothing.
fn every<T>(texts: &[String], read: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    match texts {
        [only] if only == NONE => Ok(Vec::new()),
        all => all.iter().map(|text| read(text)).collect(),
    }
}

fn one_of<T: Copy>(word: &str, known: [(&str, T); 2]) -> Result<T> {
    let found = known.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
    found.with_context(|| {
        let names = known.map(|(name, _)| name).join(" or ");
        format!("{word} is not {names}")
    })
}

/// An amount as a currency writes it, in minor units; with fewer or more decimals it would be void.
///
/// # Errors
/// With the spelling that was probably meant.
pub fn amount(text: &str, scale: Scale) -> Result<i64> {
    match Amount::parse(text) {
        Ok(amount) if amount.scale == scale => Ok(amount.minor),
        _ => {
            let meant = spelt(text, scale).map(|meant| format!("; did you mean {meant}?"));
            bail!(
                "{text} is no amount of this currency, which writes them as {}{}",
                scale.format(i128::from(scale.unit()).saturating_mul(20)),
                meant.unwrap_or_default()
            )
        }
    }
}

fn above_zero(text: &str, scale: Scale) -> Result<i64> {
    match amount(text, scale)? {
        0 => bail!("zero takes nothing; say {NONE}"),
        minor => Ok(minor),
    }
}

/// A share such as `2.5%`, in millionths.
fn share(text: &str) -> Result<i64> {
    let form = || format!("{text} is no share: write it as 2% or 0.25%");
    let percent = text.strip_suffix('%').with_context(form)?;
    let millionths = fraction(percent).ok().with_context(form)?;
    let exact = millionths % 100 == 0;
    let ppm = exact.then_some(millionths / 100).context("a share has at most four decimals")?;
    if ppm == 0 {
        bail!("a share of zero takes nothing; say {NONE}");
    }
    Ok(ppm)
}

fn part_of_all(text: &str) -> Result<i64> {
    let ppm = share(text)?;
    if ppm > MILLION {
        bail!("{text} is more than all there is: a share taken is at most 100%");
    }
    Ok(ppm)
}

fn percent(ppm: i64) -> String {
    format!("{}%", write_fraction(ppm.saturating_mul(100)))
}

fn halves<'a>(text: &'a str, form: &'static str) -> Result<(&'a str, &'a str)> {
    text.split_once(':').with_context(|| format!("{text} is not of the form {form}"))
}

fn formula(text: &str, scale: Scale) -> Result<Formula> {
    let (part, cap) = halves(text, "SHARE:MOST, as in 25%:100.00")?;
    Ok(Formula { share_ppm: share(part)?, cap: amount(cap, scale)? })
}

fn demurrage(text: &str, scale: Scale) -> Result<Demurrage> {
    let (part, exempt) = halves(text, "SHARE:EXEMPT, as in 1%:50.00")?;
    Ok(Demurrage { ppm: part_of_all(part)?, exempt: amount(exempt, scale)? })
}

fn flagged(text: &str, scale: Scale) -> Result<(String, i64)> {
    let (flag, most) = halves(text, "FLAG:AMOUNT, as in id:50.00")?;
    if flag.is_empty() {
        bail!("{text} names no flag: write FLAG:AMOUNT, as in id:50.00");
    }
    Ok((flag.to_owned(), amount(most, scale)?))
}

fn levy(text: &str, who: Who<'_>) -> Result<Levy> {
    const FORM: &str = "SIDE:SHARE:WHO, as in payee:2%:commons";
    let (side, rest) = halves(text, FORM)?;
    let (part, account) = halves(rest, FORM)?;
    let side = one_of(side, [("payer", Side::Payer), ("payee", Side::Payee)])?;
    Ok(Levy { side, ppm: part_of_all(part)?, account: who(account)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ayni_protocol::{Address, EventId, kind};

    const COMMONS: PublicKey = PublicKey([7; 32]);

    fn rules() -> Rules {
        let author = PublicKey([1; 32]);
        Rules {
            currency: Address { kind: kind::CURRENCY, author, identifier: "hour".into() },
            epoch: 3,
            charter: EventId([2; 32]),
            previous: Some(EventId([3; 32])),
            scale: Scale::new(2).unwrap(),
            enforce: Enforce::Hard,
            limit: 2_000,
            formula: None,
            max: None,
            levies: Vec::new(),
            treasury: None,
            memo: Memo::Public,
            require: Vec::new(),
            demurrage: None,
            fee: None,
            about: String::new(),
        }
    }

    fn who(name: &str) -> Result<PublicKey> {
        if name == "commons" { Ok(COMMONS) } else { bail!("nobody here is called {name}") }
    }

    /// The wish that these lines make.
    fn wish(lines: &[(&str, &str)]) -> Wish {
        let mut wish = Wish::default();
        for (name, text) in lines {
            let text = (*text).to_owned();
            match *name {
                "limit" => wish.limit = Some(text),
                "max" => wish.max = Some(text),
                "enforce" => wish.enforce = Some(text),
                "earned" => wish.earned = Some(text),
                "levy" => wish.levies = text.split(' ').map(str::to_owned).collect(),
                "treasury" => wish.treasury = Some(text),
                "memo" => wish.memo = Some(text),
                "require" => wish.require = text.split(' ').map(str::to_owned).collect(),
                "demurrage" => wish.demurrage = Some(text),
                "fee" => wish.fee = Some(text),
                "about" => wish.about = Some(text),
                other => panic!("{other}?"),
            }
        }
        wish
    }

    const ALL: [(&str, &str); 11] = [
        ("limit", "40.00"),
        ("max", "100.00"),
        ("enforce", "soft"),
        ("earned", "25%:90.00"),
        ("levy", "payee:2%:commons payer:0.0001%:commons"),
        ("treasury", "commons"),
        ("memo", "private"),
        ("require", "id:50.00 age18:0.00"),
        ("demurrage", "1.5%:50.00"),
        ("fee", "0.50"),
        ("about", "as the assembly decided"),
    ];

    #[test]
    fn what_is_shown_is_what_was_typed_and_back() {
        let next = wish(&ALL).of(&rules(), &who).unwrap();
        let name = |key: &PublicKey| if *key == COMMONS { "commons" } else { "?" }.to_owned();
        let shown = lines(&next, &name);
        let shown: Vec<_> = shown.iter().map(|(name, text)| (*name, text.as_str())).collect();
        assert_eq!(shown, ALL);
        assert_eq!(wish(&shown).of(&rules(), &who).unwrap(), next);
        assert_eq!(accounts(&next), [COMMONS].into());
        let before = lines(&rules(), &name);
        let before: Vec<_> = before.iter().map(|(name, text)| (*name, text.as_str())).collect();
        assert_eq!(wish(&before).of(&next, &who).unwrap(), rules(), "none takes away");
    }

    #[test]
    fn what_is_not_named_stays() {
        assert_eq!(Wish::default().of(&rules(), &who).unwrap(), rules());
        let full = wish(&ALL).of(&rules(), &who).unwrap();
        let raised = wish(&[("limit", "60.00")]).of(&full, &who).unwrap();
        assert_eq!(raised, Rules { limit: 6_000, ..full });
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_what_to_do() {
        let many = ["payee:1%:commons"; 16].join(" ");
        for (lines, says) in [
            (&[("limit", "40")][..], "did you mean 40.00?"),
            (&[("limit", "-1.00")], "writes them as 20.00"),
            (&[("enforce", "firm")], "firm is not hard or soft"),
            (&[("memo", "secret")], "secret is not private or public"),
            (&[("earned", "25%:10.00")], "name a higher most"),
            (&[("earned", "0.25:90.00")], "write it as 2%"),
            (&[("earned", "25%")], "SHARE:MOST"),
            (&[("levy", "payee:2%:rui")], "nobody here is called rui"),
            (&[("levy", "both:2%:commons")], "both is not payer or payee"),
            (&[("levy", "payee:0%:commons")], "say none"),
            (&[("levy", "payer:101%:commons")], "at most 100%"),
            (&[("levy", "payee:0.00001%:commons")], "at most four decimals"),
            (&[("levy", "payee:60%:commons payee:40%:commons")], "nothing for the payee"),
            (&[("levy", &many)], "at most 15"),
            (&[("fee", "1.00")], "--treasury WHO"),
            (&[("treasury", "commons"), ("fee", "0.00")], "say none"),
            (&[("demurrage", "1%:0.00")], "--treasury WHO"),
            (&[("demurrage", "1%")], "SHARE:EXEMPT"),
            (&[("require", "50.00")], "FLAG:AMOUNT"),
            (&[("require", ":50.00")], "names no flag"),
        ] {
            let refused = wish(lines).of(&rules(), &who).unwrap_err();
            let said = format!("{refused:#}");
            assert!(said.contains(says), "{lines:?} said: {said}");
        }
    }
}
