//! Countries by their two letters (ISO 3166-1), as charters and the gates of raffles name them.
//!
//! A charter that says `Portugal` is signed for good and meets no gate that says `PT`, so what is
//! typed is held against the list. Deliberately absent: their names, in any language.

use anyhow::{Result, bail};

/// Every code that is given out, and `XK`, which Kosovo uses.
const CODES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR \
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ \
    EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW \
    GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY \
    KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV \
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY \
    QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG \
    TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA \
    ZM ZW";

/// A country's code in upper case.
///
/// # Errors
/// Where there is no such country.
pub fn code(typed: &str) -> Result<String> {
    let code = typed.trim().to_ascii_uppercase();
    if CODES.split(' ').any(|known| known == code) {
        return Ok(code);
    }
    bail!("{typed:?} is no country: write its two letters (ISO 3166-1), such as PT for Portugal")
}

/// Whether this is a country's code, or a region's such as `DE-BY` (ISO 3166-2), in upper case.
#[must_use]
pub fn is_country_or_region(text: &str) -> bool {
    let (country, region) =
        text.split_once('-').map_or((text, None), |(country, region)| (country, Some(region)));
    let right = |region: &str| {
        (1..=3).contains(&region.len())
            && region.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    CODES.split(' ').any(|known| known == country) && region.is_none_or(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_has_two_letters_of_the_list() {
        assert_eq!(CODES.split(' ').count(), 250);
        assert_eq!(code("PT").unwrap(), "PT");
        assert_eq!(code(" pe ").unwrap(), "PE");
        for wrong in ["Portugal", "ZZ", "P", "", "PRT", "PT ES"] {
            assert!(code(wrong).unwrap_err().to_string().contains("two letters"), "{wrong}");
        }
    }

    #[test]
    fn a_region_stands_behind_its_country() {
        for right in ["PT", "DE-BY", "FR-75", "US-CA"] {
            assert!(is_country_or_region(right), "{right}");
        }
        for wrong in ["Portugal", "pt", "de-by", "DE-", "DE-BAYERN", "ZZ-1"] {
            assert!(!is_country_or_region(wrong), "{wrong}");
        }
    }
}
