//! A currency's rules (kind 4750), one event a version: the epoch.
//!
//! An epoch names the charter whose witnesses attest under it, how far accounts may go, and what
//! is taken from payments. The decimals in which the epoch-0 rules write their default limit are
//! the currency's for ever; a later version with others is void (`ScaleChanged`). That makes the
//! scale a function of regular events, which no relay replaces.

use ayni_protocol::shape::{parsed, unsigned};
use ayni_protocol::{Address, Amount, Draft, EventId, Malformed, PublicKey, Scale, Shape};

use crate::tags::{self, Amounts};

/// Levies a version may have: with the payee's leg they fill an order's 16.
const LEVIES_MAX: usize = 15;
/// Parts per million in one.
pub(crate) const MILLION: i64 = 1_000_000;

/// What a version of the rules says. Sums are minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The currency.
    pub currency: Address,
    /// Number of the version, from 0.
    pub epoch: u64,
    /// The charter whose witnesses attest under these rules.
    pub charter: EventId,
    /// The version before, none for epoch 0.
    pub previous: Option<EventId>,
    /// Decimals its amounts are written with.
    pub scale: Scale,
    /// Whether limits bind.
    pub enforce: Enforce,
    /// How far below zero an account may go where its policy and the formula say nothing.
    pub limit: i64,
    /// How the limit grows with what was earned.
    pub formula: Option<Formula>,
    /// How high an account may rise where its policy says nothing; none is no bound.
    pub max: Option<i64>,
    /// What is taken from payments, in order.
    pub levies: Vec<Levy>,
    /// The community's own account.
    pub treasury: Option<PublicKey>,
    /// Whether memos are encrypted.
    pub memo: Memo,
    /// Amounts that only move to and from accounts with a flag: `(flag, most without it)`.
    pub require: Vec<(String, i64)>,
    /// What is taken from balances for a period.
    pub demurrage: Option<Demurrage>,
    /// What every member pays for a period.
    pub fee: Option<i64>,
    /// The rules in words.
    pub about: String,
}

/// Demurrage: a share of what an account holds, taken for a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demurrage {
    /// The share in millionths.
    pub ppm: i64,
    /// What nobody pays for, in minor units.
    pub exempt: i64,
}

/// Whether a payment beyond the limit is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforce {
    /// It is refused.
    Hard,
    /// It is attested, and the attestation says by how much it went over.
    Soft,
}

/// Whether memos are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memo {
    /// NIP-44, to the payee.
    Private,
    /// Plain text.
    Public,
}

/// An earned limit: `min(cap, default + share * credits_posted)`, floored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formula {
    /// The share in millionths.
    pub share_ppm: i64,
    /// The most the limit may grow to, in minor units.
    pub cap: i64,
}

/// A levy: a share of every payment between members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levy {
    /// Who bears it.
    pub side: Side,
    /// The share in millionths, up to all of it.
    pub ppm: i64,
    /// Who receives it.
    pub account: PublicKey,
}

/// Who bears a levy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It is added to what the payer pays.
    Payer,
    /// It is taken out of what the payee gets.
    Payee,
}

impl Rules {
    /// The limit of an account whose policy names none, given what it was credited so far.
    #[must_use]
    pub fn earned_limit(&self, credits_posted: i128) -> i128 {
        let default = i128::from(self.limit);
        let Some(formula) = self.formula else { return default };
        let share = credits_posted.max(0).saturating_mul(formula.share_ppm.into());
        default.saturating_add(share / i128::from(MILLION)).min(formula.cap.into())
    }

    pub(crate) fn read(shape: Shape<'_>, content: &str) -> Result<Self, Malformed> {
        let epoch = shape.unsigned("epoch")?;
        let previous = shape.optional_marked("prev")?;
        if (epoch == 0) != previous.is_none() {
            return Err(Malformed::BadTag("prev", "the rules before, from epoch 1 on"));
        }
        let mut amounts = Amounts::default();
        let limit = named(shape, "limit", "default")?.ok_or(Malformed::MissingTag("limit"))?;
        let limit = amounts.take(limit.0)?;
        let formula = named(shape, "limit", "formula")?
            .map(|(share, cap)| {
                Ok(Formula { share_ppm: fraction(share)?, cap: amounts.take(cap)? })
            })
            .transpose()?;
        let max = named(shape, "max", "default")?.map(|(max, _)| amounts.take(max)).transpose()?;
        let require = shape
            .all("require")
            .map(|tag| {
                let flag = tag.value().filter(|flag| !flag.is_empty());
                let flag = flag.ok_or(Malformed::BadTag("require", "a flag and an amount"))?;
                Ok((flag.to_owned(), amounts.take(tag.get(2).unwrap_or_default())?))
            })
            .collect::<Result<_, Malformed>>()?;
        let scale = amounts.scale("limit")?;
        Ok(Self {
            currency: shape.currency()?,
            epoch,
            charter: shape.marked("charter")?,
            previous,
            scale,
            enforce: match shape.text("enforce")? {
                "hard" => Enforce::Hard,
                "soft" => Enforce::Soft,
                _ => return Err(Malformed::BadTag("enforce", "hard or soft")),
            },
            limit,
            formula,
            max,
            levies: levies(shape)?,
            treasury: optional_key(shape, "treasury")?,
            memo: match shape.optional_text("memo")? {
                None | Some("private") => Memo::Private,
                Some("public") => Memo::Public,
                _ => return Err(Malformed::BadTag("memo", "private or public")),
            },
            require,
            demurrage: demurrage(shape, &mut amounts)?,
            fee: shape.optional_text("fee")?.map(|fee| amounts.positive(fee)).transpose()?,
            about: content.to_owned(),
        })
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        let amount = |minor| tags::minor(self.scale, minor);
        let draft =
            tags::in_currency(draft, &self.currency).tag(["epoch", &self.epoch.to_string()]);
        let draft = tags::marked(draft, &self.charter, "charter");
        let mut draft = tags::maybe_marked(draft, self.previous.as_ref(), "prev")
            .tag(["enforce", if self.enforce == Enforce::Hard { "hard" } else { "soft" }])
            .tag(["limit", "default", &amount(self.limit)]);
        if let Some(formula) = self.formula {
            let share = write_fraction(formula.share_ppm);
            draft = draft.tag(["limit", "formula", &share, &amount(formula.cap)]);
        }
        if let Some(max) = self.max {
            draft = draft.tag(["max", "default", &amount(max)]);
        }
        for levy in &self.levies {
            let side = if levy.side == Side::Payer { "payer" } else { "payee" };
            draft = draft.tag(["levy", side, &levy.ppm.to_string(), &levy.account.to_string()]);
        }
        draft = tags::maybe_key(draft, "treasury", self.treasury.as_ref())
            .tag(["memo", if self.memo == Memo::Public { "public" } else { "private" }]);
        for (flag, most) in &self.require {
            draft = draft.tag(["require", flag, &amount(*most)]);
        }
        if let Some(Demurrage { ppm, exempt }) = self.demurrage {
            draft = draft.tag(["demurrage", &ppm.to_string(), &amount(exempt)]);
        }
        let draft = tags::maybe(draft, "fee", self.fee.map(amount));
        draft.content(&self.about)
    }
}

/// The values after the name and sub-name of a tag such as `["limit", "default", …]`.
fn named<'a>(
    shape: Shape<'a>,
    name: &'static str,
    sub: &str,
) -> Result<Option<(&'a str, &'a str)>, Malformed> {
    let mut all = shape.all(name).filter(|tag| tag.value() == Some(sub));
    let first = all.next();
    if all.next().is_some() {
        return Err(Malformed::RepeatedTag(format!("{name} {sub}")));
    }
    Ok(first.map(|tag| (tag.get(2).unwrap_or_default(), tag.get(3).unwrap_or_default())))
}

fn demurrage(shape: Shape<'_>, amounts: &mut Amounts) -> Result<Option<Demurrage>, Malformed> {
    const FORM: &str = "parts per million up to 1000000, and the amount that is exempt";
    let Some(tag) = shape.optional("demurrage")? else { return Ok(None) };
    let ppm: i64 = unsigned(tag.value().unwrap_or_default(), "demurrage")?;
    if ppm > MILLION {
        return Err(Malformed::BadTag("demurrage", FORM));
    }
    Ok(Some(Demurrage { ppm, exempt: amounts.take(tag.get(2).unwrap_or_default())? }))
}

fn levies(shape: Shape<'_>) -> Result<Vec<Levy>, Malformed> {
    const FORM: &str = "payer or payee, parts per million up to 1000000, and an account";
    let mut levies = Vec::new();
    for tag in shape.all("levy") {
        let side = match tag.value() {
            Some("payer") => Side::Payer,
            Some("payee") => Side::Payee,
            _ => return Err(Malformed::BadTag("levy", FORM)),
        };
        let ppm: i64 = unsigned(tag.get(2).unwrap_or_default(), "levy")?;
        if ppm > MILLION {
            return Err(Malformed::BadTag("levy", FORM));
        }
        let account = parsed(tag.get(3).unwrap_or_default(), "levy", FORM)?;
        levies.push(Levy { side, ppm, account });
    }
    if levies.len() > LEVIES_MAX {
        return Err(Malformed::BadTag("levy", "there at most 15 times"));
    }
    Ok(levies)
}

/// A key that may be there once.
pub fn optional_key(shape: Shape<'_>, name: &'static str) -> Result<Option<PublicKey>, Malformed> {
    let text = shape.optional_text(name)?;
    text.map(|text| parsed(text, name, "64 lowercase hex digits")).transpose()
}

/// A decimal fraction of at most six digits, in millionths.
pub fn fraction(text: &str) -> Result<i64, Malformed> {
    let amount = Amount::parse(text).map_err(|_| Malformed::AmountNotCanonical(text.to_owned()))?;
    let per_unit = MILLION / amount.scale.unit();
    amount.minor.checked_mul(per_unit).ok_or_else(|| Malformed::AmountNotCanonical(text.to_owned()))
}

/// Millionths as the shortest decimal fraction.
pub fn write_fraction(ppm: i64) -> String {
    let (whole, part) = (ppm / MILLION, ppm % MILLION);
    if part == 0 {
        return whole.to_string();
    }
    format!("{whole}.{}", format!("{part:06}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, rules};

    #[test]
    fn fractions_are_millionths() {
        for (text, ppm) in [("0.50", 500_000), ("0.000001", 1), ("1", MILLION), ("2.5", 2_500_000)]
        {
            assert_eq!(fraction(text), Ok(ppm));
            assert_eq!(fraction(&write_fraction(ppm)), Ok(ppm));
        }
        assert!(fraction("0.0000001").is_err());
    }

    #[test]
    fn an_earned_limit_is_floored_and_capped() {
        let formula = Some(Formula { share_ppm: 333_333, cap: 2_000 });
        let rules = Rules { limit: 1_000, formula, ..rules(key("sol")) };
        assert_eq!(
            [0, 2, 4, 3_000, 9_000].map(|c| rules.earned_limit(c)),
            [1_000, 1_000, 1_001, 1_999, 2_000]
        );
    }
}
