//! Whole-number square roots, for quadratic votes.
//!
//! Every node must find the same root, so it is found with whole numbers; a float would round
//! differently on some machine, some day.

/// The greatest number whose square is at most `square`.
#[must_use]
pub const fn isqrt(square: u64) -> u64 {
    let (mut root, mut rest) = (0_u64, square);
    // The classic method by digits in base 4: `bit` walks down the even powers of two, and `root`
    // holds the digits found so far, shifted so that it lines up with `bit`.
    let mut bit = 1_u64 << 62;
    while bit > rest {
        bit >>= 2;
    }
    while bit != 0 {
        // `root` has no bit in common with `bit`, and never passes 2^63.
        let trial = root | bit;
        root >>= 1;
        if rest >= trial {
            rest -= trial;
            root |= bit;
        }
        bit >>= 2;
    }
    root
}

#[cfg(test)]
mod tests {
    use super::isqrt;

    #[test]
    fn roots_of_small_and_great_numbers() {
        let roots: Vec<_> = (0..=17).map(isqrt).collect();
        assert_eq!(roots, [0, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 4, 4]);
        assert_eq!(isqrt(u64::MAX), 4_294_967_295);
        assert_eq!(isqrt(4_294_967_295 * 4_294_967_295), 4_294_967_295);
        assert_eq!(isqrt(4_294_967_295 * 4_294_967_295 - 1), 4_294_967_294);
    }
}
