//! Schulze's method with winning votes: who beats whom by the strongest chain of preferences.
//!
//! A ballot gives options a rank, 1 the best; equal ranks are allowed and options without rank tie
//! last. An option beats another directly if more ballots prefer it than the other, and the
//! strength of that is the number that do. A chain is as strong as its weakest link; the winners
//! are those to whom nobody has a stronger chain than they have back.

/// Numbers between every two options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairs {
    options: usize,
    numbers: Vec<u64>,
}

impl Pairs {
    fn new(options: usize) -> Self {
        Self { options, numbers: vec![0; options * options] }
    }

    /// The number from one option to another; 0 beyond the last option.
    #[must_use]
    pub fn get(&self, from: usize, to: usize) -> u64 {
        if from.max(to) >= self.options {
            return 0;
        }
        self.numbers.get(from * self.options + to).copied().unwrap_or(0)
    }

    fn update(&mut self, from: usize, to: usize, change: impl Fn(u64) -> u64) {
        if let Some(number) = self.numbers.get_mut(from * self.options + to) {
            *number = change(*number);
        }
    }
}

/// How many ballots prefer each option to each other. `ballots` hold a rank for each option, 0
/// where they are silent.
#[must_use]
pub fn preferences<'a>(options: usize, ballots: impl Iterator<Item = &'a [i32]>) -> Pairs {
    let mut pairs = Pairs::new(options);
    for ranks in ballots {
        for (from, rank) in ranks.iter().enumerate().filter(|(_, rank)| **rank > 0) {
            for (to, other) in ranks.iter().enumerate() {
                if *other <= 0 || rank < other {
                    pairs.update(from, to, |preferring| preferring.saturating_add(1));
                }
            }
        }
    }
    pairs
}

/// The strength of the strongest chain from each option to each other, by Floyd and Warshall.
#[must_use]
pub fn strongest(preferences: &Pairs) -> Pairs {
    let options = preferences.options;
    let mut chains = Pairs::new(options);
    for from in 0..options {
        for to in (0..options).filter(|to| *to != from) {
            let (there, back) = (preferences.get(from, to), preferences.get(to, from));
            chains.update(from, to, |_| if there > back { there } else { 0 });
        }
    }
    for through in 0..options {
        for from in (0..options).filter(|from| *from != through) {
            let first = chains.get(from, through);
            for to in (0..options).filter(|to| *to != from && *to != through) {
                let link = first.min(chains.get(through, to));
                chains.update(from, to, |strength| strength.max(link));
            }
        }
    }
    chains
}

/// How many others each option beats. The winners are those whom nobody beats.
#[must_use]
pub fn beaten(chains: &Pairs) -> Vec<i64> {
    (0..chains.options)
        .map(|from| {
            let beats = |to: &usize| chains.get(from, *to) > chains.get(*to, from);
            i64::try_from((0..chains.options).filter(beats).count()).unwrap_or(i64::MAX)
        })
        .collect()
}

/// The options to whom nobody has a stronger chain than they have back. Never none, where there
/// are options.
#[must_use]
pub fn winners(chains: &Pairs) -> Vec<usize> {
    let unbeaten = |at: &usize| {
        (0..chains.options).all(|other| chains.get(*at, other) >= chains.get(other, *at))
    };
    (0..chains.options).filter(unbeaten).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ballots as `45 acbed` groups, as the literature writes them.
    fn elect(groups: &str) -> (Vec<usize>, Vec<i64>) {
        let mut ballots = Vec::new();
        for group in groups.split(", ") {
            let (times, order) = group.split_once(' ').unwrap();
            let mut ranks = [0; 5];
            for (place, option) in order.bytes().enumerate() {
                ranks[usize::from(option - b'a')] = i32::try_from(place).unwrap() + 1;
            }
            ballots.extend(std::iter::repeat_n(ranks, times.parse().unwrap()));
        }
        let chains = strongest(&preferences(5, ballots.iter().map(<[i32; 5]>::as_slice)));
        (winners(&chains), beaten(&chains))
    }

    #[test]
    fn the_textbook_election() {
        // Schulze (2011), example 1 with five options and 45 voters: e wins, order e a c b d.
        let ballots = "5 acbed, 5 adecb, 8 bedac, 3 cabed, 7 caebd, 2 cbade, 7 dceba, 8 ebadc";
        assert_eq!(elect(ballots), (vec![4], vec![3, 1, 2, 0, 4]));
    }

    #[test]
    fn silent_options_tie_last() {
        let (winners, beaten) = elect("1 a, 1 ab");
        assert_eq!((winners, beaten), (vec![0], vec![4, 3, 0, 0, 0]));
    }

    #[test]
    fn a_perfect_circle_is_a_tie() {
        let (winners, _) = elect("1 abcde, 1 bcdea, 1 cdeab, 1 deabc, 1 eabcd");
        assert_eq!(winners, [0, 1, 2, 3, 4]);
    }
}
