//! What the law of a country lets a raffle be: configuration, never code.
//!
//! A gate is asked when a raffle is announced, by the node it is announced to. What it demands is
//! then written in the raffle itself (`min-age`, `max-per-person`, `legal`), so a third party can
//! check buyers without knowing anyone's configuration. A country that nobody wrote down is off.
//!
//! Deliberately absent: the laws. Whoever runs a node asks a lawyer and writes down the answer.
//! Amounts are in the community's currency; what a legal limit in money means there is theirs to
//! say.

use std::collections::BTreeMap;

use ayni_protocol::{Amount, Prefix, Rejection};
use serde::{Deserialize, Serialize};

use crate::spec::{Legal, RaffleSpec, WHOLE_BP};

/// Gates by country, or by region where its law differs (`DE-BY`), in upper case.
///
/// `default` is for every country not named; where that is missing too, raffles are off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gates(pub BTreeMap<String, Gate>);

/// What one country asks of a raffle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gate {
    /// Whether there may be raffles at all.
    pub allowed: bool,
    /// Age buyers must have shown; the raffle's `min-age` must be at least this.
    pub min_age: Option<u32>,
    /// Units one person may hold; the raffle's `max-per-person` must be at most this.
    pub max_tickets_per_person: Option<u32>,
    /// Whether the raffle must name its permit.
    #[serde(alias = "permit_ref_required")]
    pub permit_required: bool,
    /// Share of the pot that `to` must promise, in basis points.
    pub min_share_to_cause_bp: u32,
    /// Share of the pot that prizes of money must promise, in basis points.
    pub min_share_to_prizes_bp: u32,
    /// Whether a prize may be a share of the pot.
    pub money_prizes: Option<bool>,
    /// The greatest pot; the raffle must limit its units.
    pub max_gross_per_draw: Option<String>,
    /// The most one person may pay in one draw without showing who they are. The raffle's price
    /// and cap must keep everyone within it.
    pub max_without_id: Option<String>,
    /// Raffles that may close within 365 days in one community.
    pub max_draws_per_year: Option<u64>,
}

impl Gates {
    /// The gate of a country or region; `None` where raffles are off.
    #[must_use]
    pub fn of(&self, country: &str) -> Option<&Gate> {
        self.0.get(country).or_else(|| self.0.get("default")).filter(|gate| gate.allowed)
    }

    /// Whether these terms may be announced. `country` is the charter's, for a raffle that names
    /// none itself; `draws_this_year` counts the community's other raffles.
    ///
    /// # Errors
    /// A [`Rejection`] that says what the country asks for.
    pub fn admit(
        &self,
        spec: &RaffleSpec,
        country: Option<&str>,
        draws_this_year: u64,
    ) -> Result<(), Rejection> {
        let named = spec.legal.as_ref().map(|legal| legal.country.as_str());
        let Some(country) = named.or(country) else {
            return refuse("Name the country whose law applies: raffles are off without one.");
        };
        let Some(gate) = self.of(country) else {
            return refuse(format!(
                "Raffles are switched off here for {country}. Once its law allows them, the \
                 operator says so in ayni.toml: [raffle.gates.{country}] allowed = true"
            ));
        };
        gate.admit_terms(spec)?;
        gate.admit_shares(spec)?;
        gate.admit_amounts(spec)?;
        match gate.max_draws_per_year {
            Some(max) if draws_this_year >= max => {
                refuse(format!("No more than {max} raffles a year are allowed here."))
            }
            _ => Ok(()),
        }
    }
}

impl Gate {
    fn admit_terms(&self, spec: &RaffleSpec) -> Result<(), Rejection> {
        if let Some(min_age) = self.min_age
            && spec.min_age.is_none_or(|age| age < min_age)
        {
            return refuse(format!("Set the minimum age to {min_age} or more."));
        }
        if let Some(max) = self.max_tickets_per_person
            && spec.max_per_person.is_none_or(|cap| cap > max)
        {
            return refuse(format!("Let one person hold {max} tickets at most."));
        }
        let permit = spec.legal.as_ref().is_some_and(|Legal { permit, .. }| !permit.is_empty());
        if self.permit_required && !permit {
            return refuse("Name the permit of this raffle.");
        }
        Ok(())
    }

    fn admit_shares(&self, spec: &RaffleSpec) -> Result<(), Rejection> {
        let prizes: u32 =
            spec.prizes.iter().filter_map(|prize| prize.share_bp).fold(0, u32::saturating_add);
        let causes: u32 = spec.to.iter().map(|share| share.bp).fold(0, u32::saturating_add);
        if self.money_prizes == Some(false) && (prizes > 0 || is_for_the_pot(spec)) {
            return refuse("Prizes of money are not allowed here: promise the pot to a cause.");
        }
        if spec.is_priced() && causes < self.min_share_to_cause_bp {
            let percent = percent(self.min_share_to_cause_bp);
            return refuse(format!("Promise at least {percent} % of the pot to a cause."));
        }
        if spec.is_priced() && prizes < self.min_share_to_prizes_bp {
            let percent = percent(self.min_share_to_prizes_bp);
            return refuse(format!("Promise at least {percent} % of the pot to winners."));
        }
        Ok(())
    }

    fn admit_amounts(&self, spec: &RaffleSpec) -> Result<(), Rejection> {
        let limits = [
            (&self.max_gross_per_draw, spec.max_units, "in all: set max-units"),
            (
                &self.max_without_id,
                spec.max_per_person.map(u64::from),
                "from one person: set max-per-person",
            ),
        ];
        for (limit, units, what) in limits {
            let Some(text) = limit else { continue };
            let Ok(limit) = Amount::parse(text) else {
                return refuse(format!("This node's limit {text:?} is no amount; tell its owner."));
            };
            let most = units.map(|units| i128::from(spec.price.minor) * i128::from(units));
            let within = most.is_some_and(|most| {
                most * i128::from(limit.scale.unit())
                    <= i128::from(limit.minor) * i128::from(spec.price.scale.unit())
            });
            if spec.is_priced() && !within {
                return refuse(format!("A raffle may take at most {text} {what}."));
            }
        }
        Ok(())
    }
}

/// Whether the first winner takes what is left over, which is money too.
fn is_for_the_pot(spec: &RaffleSpec) -> bool {
    spec.is_priced() && spec.to.is_empty()
}

/// Basis points as percent, without trailing zeros.
fn percent(bp: u32) -> String {
    let hundred = WHOLE_BP / 100;
    match bp % hundred {
        0 => (bp / hundred).to_string(),
        rest => format!("{}.{rest:02}", bp / hundred),
    }
}

fn refuse(sentence: impl Into<std::borrow::Cow<'static, str>>) -> Result<(), Rejection> {
    Err(Rejection::new(Prefix::Restricted, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::priced;

    fn gate(members: &str) -> Gates {
        serde_json::from_str(&format!(r#"{{"GB": {{"allowed": true{members}}}}}"#)).unwrap()
    }

    fn answer(gates: &Gates, spec: &RaffleSpec, country: Option<&str>) -> String {
        match gates.admit(spec, country, 1) {
            Ok(()) => "ok".into(),
            Err(rejection) => rejection.to_string(),
        }
    }

    #[test]
    fn an_unknown_country_is_off() {
        let spec = priced();
        let refused = "restricted: Raffles are switched off here for XX. Once its law allows them, the operator says so in ayni.toml: [raffle.gates.XX] allowed = true";
        assert_eq!(answer(&gate(""), &spec, Some("XX")), refused);
        assert_eq!(answer(&Gates::default(), &spec, Some("XX")), refused);
        assert_eq!(answer(&gate(""), &spec, Some("GB")), "ok");
        assert!(answer(&gate(""), &spec, None).contains("Name the country"));
    }

    #[test]
    fn the_raffle_may_name_a_region_of_its_own() {
        let spec = RaffleSpec {
            legal: Some(Legal { country: "DE-BY".into(), permit: String::new() }),
            ..priced()
        };
        assert!(answer(&gate(""), &spec, Some("GB")).contains("DE-BY"));
        let everywhere: Gates =
            serde_json::from_str(r#"{"default": {"allowed": true}, "GB": {}}"#).unwrap();
        assert_eq!(answer(&everywhere, &spec, Some("GB")), "ok");
        assert!(answer(&everywhere, &priced(), Some("GB")).contains("switched off"));
    }

    #[test]
    fn each_demand_is_said_in_words() {
        let demands = [
            r#", "min_age": 18"#,
            r#", "max_tickets_per_person": 2"#,
            r#", "permit_ref_required": true"#,
            r#", "money_prizes": false"#,
            r#", "min_share_to_cause_bp": 2050"#,
            r#", "min_share_to_prizes_bp": 5000"#,
            r#", "max_gross_per_draw": "100.00""#,
            r#", "max_without_id": "10""#,
            r#", "max_without_id": "ten""#,
            r#", "max_draws_per_year": 1"#,
        ];
        let said: Vec<_> =
            demands.iter().map(|demand| answer(&gate(demand), &priced(), Some("GB"))).collect();
        expect_test::expect![[r#"
            restricted: Set the minimum age to 18 or more.
            restricted: Let one person hold 2 tickets at most.
            restricted: Name the permit of this raffle.
            ok
            restricted: Promise at least 20.50 % of the pot to a cause.
            restricted: Promise at least 50 % of the pot to winners.
            restricted: A raffle may take at most 100.00 in all: set max-units.
            restricted: A raffle may take at most 10 from one person: set max-per-person.
            restricted: This node's limit "ten" is no amount; tell its owner.
            restricted: No more than 1 raffles a year are allowed here."#]]
        .assert_eq(&said.join("\n"));
    }

    #[test]
    fn whoever_meets_the_demands_may() {
        let gates = gate(
            r#", "min_age": 16, "max_tickets_per_person": 2, "permit_required": true,
            "min_share_to_cause_bp": 2000, "max_gross_per_draw": "100", "max_draws_per_year": 2,
            "money_prizes": false, "max_without_id": "10.00""#,
        );
        let spec = RaffleSpec {
            min_age: Some(18),
            max_per_person: Some(2),
            max_units: Some(20),
            legal: Some(Legal { country: "GB".into(), permit: "7/2026".into() }),
            to: vec![crate::spec::Share { account: ayni_protocol::PublicKey([1; 32]), bp: 2_000 }],
            ..priced()
        };
        assert_eq!(answer(&gates, &spec, None), "ok");
        let dearer = RaffleSpec { max_units: Some(21), ..spec };
        assert!(answer(&gates, &dearer, None).contains("100 in all"));
    }
}
