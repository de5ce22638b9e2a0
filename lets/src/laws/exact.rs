//! AmountsAreExact: nothing is lost or made between text and number, and between a price and its legs.

use ayni_protocol::amount::MINOR_MAX;
use ayni_protocol::{Amount, Scale};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::levy::{gross, legs};
use crate::testing::{cases, key, rules};
use crate::*;

/// Amounts of every size, the greatest often.
fn minors() -> impl Strategy<Value = i64> {
    prop_oneof![0_i64..2_000, 0..=MINOR_MAX, (MINOR_MAX - 5)..=MINOR_MAX]
}

/// What can be written: the greatest amount has 16 digits, and no text of a currency without decimals
/// may be so long.
fn written() -> impl Strategy<Value = (i64, u8)> {
    (minors(), 0_u8..=6).prop_map(|(minor, decimals)| match decimals {
        0 => (minor.min(MINOR_MAX - 1), 0),
        _ => (minor, decimals),
    })
}

/// By hand, what the protocol's pattern says: `^(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?$`.
fn is_canonical(text: &str) -> bool {
    let (whole, part) = match text.split_once('.') {
        None => (text, None),
        Some((whole, part)) => (whole, Some(part)),
    };
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let sound = digits(whole) && whole.len() <= 15 && (whole == "0" || !whole.starts_with('0'));
    sound && part.is_none_or(|part| digits(part) && part.len() <= 6)
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn amounts_are_exact((minor, decimals) in written(), at in 0_usize..24, put in "[0-9.,+e -]{1,2}") {
        let amount = Amount { minor, scale: Scale::new(decimals).unwrap() };
        let text = amount.to_string();
        prop_assert!(is_canonical(&text));
        prop_assert_eq!(Amount::parse(&text), Ok(amount));
        let mut odd = text.clone();
        odd.insert_str(at.min(text.len()), &put);
        match Amount::parse(&odd) {
            Ok(read) => prop_assert!(is_canonical(&odd) && read.to_string() == odd),
            Err(_) => {
                let digits: String = odd.chars().filter(char::is_ascii_digit).collect();
                let beyond = digits.parse::<i128>().is_ok_and(|minor| minor > MINOR_MAX.into());
                prop_assert!(!is_canonical(&odd) || beyond, "{odd}");
            }
        }
    }

    /// AmountsAreExact, for levies: the legs add up to the price and what is put on top, each levy is
    /// its floor, and the price is found again from the legs.
    #[test]
    fn levies_add_up(
        price in minors(),
        levies in vec((any::<bool>(), prop_oneof![0_i64..200_000, 0_i64..=1_000_000]), 0..8),
    ) {
        let all = levies.iter().map(|(payer, ppm)| Levy {
            side: if *payer { Side::Payer } else { Side::Payee },
            ppm: *ppm,
            account: key("commons"),
        });
        let rules = Rules { levies: all.collect(), ..rules(key("sol")) };
        let floor = |ppm: i64| i128::from(price) * i128::from(ppm) / 1_000_000;
        let side = |payer| -> i128 {
            levies.iter().filter(|(of, _)| *of == payer).map(|(_, ppm)| floor(*ppm)).sum()
        };
        match legs(&rules, key("ben"), price, true) {
            Ok(found) => {
                let total: i128 = found.iter().map(|leg| i128::from(leg.minor)).sum();
                prop_assert_eq!(total, i128::from(price) + side(true));
                prop_assert_eq!(i128::from(found[0].minor), i128::from(price) - side(false));
                prop_assert!(found.iter().all(|leg| leg.minor > 0));
                let again = gross(&rules, &found, true).unwrap();
                prop_assert_eq!(legs(&rules, key("ben"), again, true).unwrap(), found);
            }
            Err(LevyError::OutOfBounds) => prop_assert_eq!(price, 0),
            Err(LevyError::NothingLeft) => prop_assert!(side(false) >= price.into()),
        }
    }
}
