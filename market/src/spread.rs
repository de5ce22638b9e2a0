//! How unevenly something is spread over people: the Gini coefficient.
//!
//! Over what cannot fall below nothing (merit, turnover), never over balances: they sum to zero, and
//! the coefficient has no meaning there (Chen, Tsaur and Rhai 1982).

use crate::Share;

/// `2 sum k x_k / (n sum x) - (n + 1) / n`, `x` ascending, `k` from 1: 0 where all have the same, near
/// 1 where one has everything. None where nobody has anything.
#[must_use]
pub fn gini(values: impl IntoIterator<Item = i128>) -> Option<Share> {
    let mut values: Vec<i128> = values.into_iter().map(|value| value.max(0)).collect();
    values.sort_unstable();
    let n = i128::try_from(values.len()).ok()?;
    let sum = values.iter().fold(0_i128, |sum, value| sum.saturating_add(*value));
    // Large numbers are shortened alike, so that no product overflows.
    let shrink = (sum >> 80).saturating_add(1);
    let ranked = (1_i128..).zip(&values);
    let weighted: i128 = ranked.map(|(rank, value)| rank.saturating_mul(value / shrink)).sum();
    let sum: i128 = values.iter().map(|value| value / shrink).sum();
    let above = weighted.saturating_mul(2).saturating_sub((n + 1).saturating_mul(sum));
    Share::of(above, n.saturating_mul(sum))
}

/// The value in the middle, the lower of two; none of none.
#[must_use]
pub fn median(values: impl IntoIterator<Item = i128>) -> Option<i128> {
    let mut values: Vec<i128> = values.into_iter().collect();
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_have_none_and_one_owner_has_nearly_all() {
        let gini = |values: &[i128]| gini(values.iter().copied()).map(Share::millionths);
        assert_eq!(gini(&[5, 5, 5, 5]), Some(0));
        assert_eq!(gini(&[0, 0, 0, 8]), Some(750_000));
        assert_eq!(gini(&[1, 3]), Some(250_000));
        assert_eq!(gini(&[]), None);
        assert_eq!(gini(&[0, 0]), None);
    }

    #[test]
    fn no_sum_is_too_large() {
        let most = 1_i128 << 100;
        assert_eq!(gini([most, most, most]).map(Share::millionths), Some(0));
        assert_eq!(gini([0, most]).map(Share::millionths), Some(500_000));
    }

    #[test]
    fn the_median_is_the_lower_of_the_middle_two() {
        assert_eq!(median([9, 1, 4, 2]), Some(2));
        assert_eq!(median([3]), Some(3));
        assert_eq!(median([]), None);
    }
}
