//! How balanced giving and taking are, of a member and of a community; formulas and sources are in
//! `docs/reciprocity.md`, by the names of the fields here.
//!
//! Everything is a function of the trades and accounts handed in. The parts of a balance that came
//! about face to face and around the circle are told apart by the same sums: what two people owe
//! each other and cancel out is `dyadic`, what closes only through others is `cyclic`.

use std::collections::BTreeMap;

use ayni_protocol::{PublicKey, Timestamp};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::flow::{Account, Flows, Side, Trade, Window};
use crate::share::Ratio;
use crate::spread::{gini, median};
use crate::{Share, flow};

/// Partners below which a member has no score yet: two friends prove nothing about a circle.
pub const PARTNERS_MIN: usize = 3;
/// Seconds without trade after which what an account holds counts as dormant.
pub const DORMANT_SECS: u64 = 180 * 86_400;
/// A month, for the turnover that a score needs to be believed.
const MONTH_SECS: u64 = 30 * 86_400;

/// A member's figures in the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What they were paid.
    pub earned: i128,
    /// What they paid.
    pub spent: i128,
    /// With how many people they traded.
    pub partners: usize,
    /// The same, counting those less with whom they traded less.
    pub effective_partners: Option<Ratio>,
    /// 1 where earned and spent are equal, 0 where one of them is nothing.
    pub balance_index: Option<Share>,
    /// How much of what is balanced is so with the same partner.
    pub direct: Option<Share>,
    /// The Ayni score, 0 to 100; none for a newcomer.
    pub score: Option<i32>,
    /// How much of their limit is used.
    pub credit_used: Option<Share>,
    /// When they last traded, in the window or before.
    pub last_trade: Option<Timestamp>,
}

/// A community's figures in the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Community {
    /// `W`: everything that was paid.
    pub volume: i128,
    /// Number of payments.
    pub trades: u64,
    /// Accounts in use.
    pub accounts: usize,
    /// Of these, how many traded.
    pub active: usize,
    /// Accounts that only earned.
    pub only_earning: usize,
    /// Accounts that only spent.
    pub only_spending: usize,
    /// What members spent beyond what they earned.
    pub net_internal_debt: i128,
    /// How much of the volume came back to who gave it.
    pub chi: Option<Share>,
    /// How much of the volume came back from the same partner.
    pub dyadic: Option<Share>,
    /// How much of the rest came back around the circle.
    pub cyclic: Option<Share>,
    /// How many of the links between two people run both ways.
    pub mutual_links: Option<Share>,
    /// How much of the volume flows between people who can reach each other both ways.
    pub circulating: Option<Share>,
    /// How often the mean credit changed hands.
    pub velocity: Option<Ratio>,
    /// The mean, over the window, of all that was held above zero.
    pub mean_credit: i128,
    /// How unevenly merit is spread over the accounts in use.
    pub gini_merit: Option<Share>,
    /// How unevenly turnover is.
    pub gini_turnover: Option<Share>,
    /// Accounts in use that owe more than four fifths of their limit.
    pub stressed: Option<Share>,
    /// How much of all debt rests on few: 1 where one owes everything.
    pub debt_concentration: Option<Share>,
    /// How much of what is held and owed belongs to accounts that have not traded for long.
    pub dormant: Option<Share>,
}

/// All figures of a currency in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The window.
    pub window: Window,
    /// Of the community.
    pub community: Community,
    /// Of each account.
    pub members: BTreeMap<PublicKey, Member>,
}

impl Report {
    /// The figures of these accounts by these trades, in whatever order either comes.
    #[must_use]
    pub fn of(accounts: &[Account], trades: &[Trade], window: Window) -> Self {
        let flows = Flows::of(trades, window);
        let last = last_trades(trades, window);
        let months = flows.sides.values().map(|side| per_month(side.turnover(), window));
        let usual = median(months).unwrap_or_default();
        let member = |account: &Account| {
            let side = flows.sides.get(&account.key);
            (account.key, member(account, side, usual, last.get(&account.key).copied()))
        };
        let members: BTreeMap<_, _> = accounts.iter().map(member).collect();
        let community = community(accounts, &flows, &members, window);
        Self { window, community, members }
    }
}

fn per_month(turnover: i128, window: Window) -> i128 {
    turnover.saturating_mul(MONTH_SECS.into()) / i128::from(window.secs())
}

fn last_trades(trades: &[Trade], window: Window) -> BTreeMap<PublicKey, Timestamp> {
    let mut last = BTreeMap::new();
    for trade in trades.iter().filter(|trade| trade.at < window.to && !trade.refund) {
        for key in [trade.from, trade.to] {
            let known: &mut Timestamp = last.entry(key).or_default();
            *known = trade.at.max(*known);
        }
    }
    last
}

fn member(
    account: &Account,
    side: Option<&Side>,
    usual: i128,
    last_trade: Option<Timestamp>,
) -> Member {
    let none = Side::default();
    let side = side.unwrap_or(&none);
    let turnover = side.turnover();
    let balanced = turnover - (side.earned - side.spent).abs();
    Member {
        earned: side.earned,
        spent: side.spent,
        partners: side.partners.len(),
        effective_partners: effective(&side.partners, turnover),
        balance_index: Share::of(balanced, turnover),
        direct: Share::of(side.paired, side.earned.min(side.spent)),
        score: score(side.partners.len(), balanced, turnover, usual),
        credit_used: credit_used(account),
        last_trade,
    }
}

/// `round(100 balanced / (turnover + usual))`: the balance index, believed as far as there is
/// turnover beyond what is usual in a month.
fn score(partners: usize, balanced: i128, turnover: i128, usual: i128) -> Option<i32> {
    if partners < PARTNERS_MIN {
        return None;
    }
    Some(Share::of(balanced, turnover.saturating_add(usual))?.percent())
}

/// `1 / sum p_j^2`, `p_j` the share of partner j: the Hill number of order 2.
fn effective(partners: &BTreeMap<PublicKey, i128>, turnover: i128) -> Option<Ratio> {
    let (squares, square) = squares(partners.values().copied(), turnover);
    Ratio::of(square, squares)
}

/// The sum of the squares of the parts, and the square of the whole.
fn squares(parts: impl Iterator<Item = i128>, whole: i128) -> (i128, i128) {
    // Large numbers are shortened alike, so that no square overflows.
    let shrink = (whole >> 60).saturating_add(1);
    (parts.map(|part| (part / shrink).pow(2)).sum(), (whole / shrink).pow(2))
}

fn credit_used(account: &Account) -> Option<Share> {
    let owed = -account.balance.min(0);
    if account.limit <= 0 && owed > 0 { Some(Share::ALL) } else { Share::of(owed, account.limit) }
}

fn community(
    accounts: &[Account],
    flows: &Flows,
    members: &BTreeMap<PublicKey, Member>,
    window: Window,
) -> Community {
    let volume = flows.volume();
    let debt: i128 = flows.sides.values().map(|side| (side.spent - side.earned).max(0)).sum();
    let pairs: i128 = flows.sides.values().map(|side| side.paired).sum();
    let used = || accounts.iter().filter(|account| account.active);
    let turnover = |account: &Account| flows.sides.get(&account.key).map_or(0, Side::turnover);
    let mean_credit = mean_credit(accounts, window);
    let stressed = used().filter(|account| credit_used(account) > Share::of(4, 5)).count();
    let one_way = |only: fn(&Side) -> bool| flows.sides.values().filter(|s| only(s)).count();
    let mutual = flows.paid.keys().filter(|(a, b)| flows.paid.contains_key(&(*b, *a))).count();
    Community {
        volume,
        trades: flows.trades,
        accounts: used().count(),
        active: used().filter(|account| turnover(account) > 0).count(),
        only_earning: one_way(|side| side.spent == 0),
        only_spending: one_way(|side| side.earned == 0),
        net_internal_debt: debt,
        chi: Share::of(volume - debt, volume),
        dyadic: Share::of(pairs, volume),
        cyclic: Share::of(volume - debt - pairs, volume - pairs),
        mutual_links: of_count(mutual, flows.paid.len()),
        circulating: Share::of(circulating(flows), volume),
        velocity: Ratio::of(volume, mean_credit),
        mean_credit,
        gini_merit: gini(used().map(|account| account.merit.into())),
        gini_turnover: gini(used().map(turnover)),
        stressed: of_count(stressed, used().count()),
        debt_concentration: concentration(accounts),
        dormant: dormant(accounts, members, window),
    }
}

fn of_count(part: usize, whole: usize) -> Option<Share> {
    Share::of(i128::try_from(part).ok()?, i128::try_from(whole).ok()?)
}

/// Herfindahl's index of the balances below zero.
fn concentration(accounts: &[Account]) -> Option<Share> {
    let owed = || accounts.iter().map(|account| -account.balance.min(0));
    let (squares, square) = squares(owed(), owed().sum());
    Share::of(squares, square)
}

fn dormant(
    accounts: &[Account],
    members: &BTreeMap<PublicKey, Member>,
    window: Window,
) -> Option<Share> {
    let since = window.to.saturating_sub(DORMANT_SECS);
    let sleeps = |account: &&Account| {
        let last = members.get(&account.key).and_then(|member| member.last_trade);
        last.is_none_or(|last| last < since)
    };
    let sleeping = accounts.iter().filter(sleeps).map(|account| account.balance.abs()).sum();
    Share::of(sleeping, accounts.iter().map(|account| account.balance.abs()).sum())
}

/// All that was held above zero, each amount for as long as it was held, over the length of the
/// window, or of the part of it since anything was first held at all.
fn mean_credit(accounts: &[Account], window: Window) -> i128 {
    let begun = accounts.iter().filter_map(|account| account.changes.first()).map(|(at, _)| *at);
    let from = begun.min().map_or(window.from, |begun| begun.clamp(window.from, window.to));
    let window = Window { from, ..window };
    let held: i128 = accounts.iter().map(|account| held(account, window)).sum();
    held / i128::from(window.secs())
}

/// The sum, over the seconds of the window, of what the account held above zero.
fn held(account: &flow::Account, window: Window) -> i128 {
    let (mut since, mut balance, mut held) = (window.from, 0_i128, 0_i128);
    let mut hold = |until: Timestamp, balance: i128| {
        let until = until.clamp(window.from, window.to);
        held = held.saturating_add(balance.max(0).saturating_mul((until - since).into()));
        since = until;
    };
    for (at, change) in account.changes.iter().take_while(|(at, _)| *at < window.to) {
        hold(*at, balance);
        balance = balance.saturating_add(*change);
    }
    hold(window.to, balance);
    held
}

/// The volume inside the strongly connected parts of the graph of who paid whom: only there can
/// what was given come back (Mattsson, Criscione and Takes 2023).
fn circulating(flows: &Flows) -> i128 {
    let mut graph: DiGraph<PublicKey, ()> = DiGraph::new();
    let nodes: BTreeMap<PublicKey, NodeIndex> =
        flows.sides.keys().map(|key| (*key, graph.add_node(*key))).collect();
    for (from, to) in flows.paid.keys() {
        if let (Some(from), Some(to)) = (nodes.get(from), nodes.get(to)) {
            graph.add_edge(*from, *to, ());
        }
    }
    let mut component: BTreeMap<PublicKey, usize> = BTreeMap::new();
    for (number, members) in petgraph::algo::tarjan_scc(&graph).into_iter().enumerate() {
        let keys = members.into_iter().filter_map(|node| graph.node_weight(node));
        component.extend(keys.map(|key| (*key, number)));
    }
    let inside = |pair: &(PublicKey, PublicKey)| component.get(&pair.0) == component.get(&pair.1);
    flows.paid.iter().filter(|(pair, _)| inside(pair)).map(|(_, minor)| minor).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{account, key, paid};

    const DAY: u64 = 86_400;
    const YEAR: Window = Window { from: 0, to: 365 * DAY };

    fn report(accounts: &[Account], trades: &[Trade]) -> Report {
        Report::of(accounts, trades, YEAR)
    }

    fn shown(share: Option<Share>) -> String {
        share.map_or_else(|| "-".into(), |share| share.to_string())
    }

    #[test]
    fn a_circle_of_three_is_all_cyclic() {
        let trades = [paid("ana", "ben", 6), paid("ben", "carla", 6), paid("carla", "ana", 6)];
        let figures = report(&["ana", "ben", "carla"].map(account), &trades).community;
        assert_eq!(figures.volume, 18);
        assert_eq!(shown(figures.chi), "1.000000");
        assert_eq!(shown(figures.dyadic), "0.000000");
        assert_eq!(shown(figures.cyclic), "1.000000");
        assert_eq!(shown(figures.circulating), "1.000000");
        assert_eq!(shown(figures.mutual_links), "0.000000");
    }

    #[test]
    fn two_who_serve_each_other_are_all_dyadic() {
        let trades = [paid("ana", "ben", 6), paid("ben", "ana", 6)];
        let figures = report(&["ana", "ben"].map(account), &trades).community;
        assert_eq!(
            (shown(figures.chi), shown(figures.dyadic)),
            ("1.000000".into(), "1.000000".into())
        );
        assert_eq!(figures.cyclic, None, "nothing is left for the circle to bring back");
    }

    #[test]
    fn who_only_gives_has_an_index_of_nothing() {
        let report = report(&["ana", "ben"].map(account), &[paid("ana", "ben", 6)]);
        assert_eq!(report.members[&key("ben")].balance_index, Some(Share::NONE));
        let figures = report.community;
        assert_eq!((figures.only_earning, figures.only_spending), (1, 1));
        assert_eq!((figures.net_internal_debt, shown(figures.chi)), (6, "0.000000".into()));
        assert_eq!(shown(figures.circulating), "0.000000");
    }

    #[test]
    fn a_score_needs_partners_and_turnover() {
        let both = |other: &str, minor| [paid("ana", other, minor), paid(other, "ana", minor)];
        let names = ["ana", "ben", "carla", "dario"].map(account);
        let two = [both("ben", 600), both("carla", 600)].concat();
        assert_eq!(report(&names, &two).members[&key("ana")].score, None);
        let three = [two, both("dario", 600).to_vec()].concat();
        let ana = report(&names, &three).members[&key("ana")].clone();
        // Turnover 3600, all balanced; the usual month is 1200 * 30 / 365 = 98.
        assert_eq!(ana.score, Some(97));
        assert_eq!(ana.effective_partners.unwrap().to_string(), "3.000000");
        assert_eq!(shown(ana.direct), "1.000000");
    }

    #[test]
    fn credit_that_lies_still_turns_slowly() {
        let mut ben = account("ben");
        ben.changes = vec![(0, 100), (YEAR.to / 2, -100), (YEAR.to + 5, 70)];
        let mut ana = account("ana");
        ana.changes = vec![(0, -100), (YEAR.to / 2, 100)];
        let figures = report(&[ana, ben], &[paid("ana", "ben", 100)]).community;
        assert_eq!(figures.mean_credit, 50);
        assert_eq!(figures.velocity.unwrap().to_string(), "2.000000");
    }

    #[test]
    fn a_young_community_has_a_mean_too() {
        let mut ben = account("ben");
        ben.changes = vec![(YEAR.to - 60, 80)];
        let figures = report(&[ben], &[Trade { at: YEAR.to - 60, ..paid("ana", "ben", 80) }]);
        assert_eq!(figures.community.mean_credit, 80);
        assert_eq!(figures.community.velocity.unwrap().to_string(), "1.000000");
    }

    #[test]
    fn what_is_held_before_the_window_counts_in_it() {
        let mut ben = account("ben");
        ben.changes = vec![(10, 80)];
        let window = Window { from: 100, to: 200 };
        assert_eq!(Report::of(&[ben], &[], window).community.mean_credit, 80);
    }

    #[test]
    fn debt_near_the_limit_is_stress() {
        let owing = |name, balance| Account { balance, limit: 100, ..account(name) };
        let accounts = [owing("ana", -81), owing("ben", -80), owing("carla", 161)];
        let figures = report(&accounts, &[]).community;
        assert_eq!(shown(figures.stressed), "0.333333");
        assert_eq!(shown(figures.debt_concentration), "0.500019");
        assert_eq!(shown(figures.dormant), "1.000000", "none of them ever traded");
    }

    #[test]
    fn who_traded_lately_is_not_dormant() {
        let late = Trade { at: YEAR.to - DORMANT_SECS, ..paid("ana", "ben", 5) };
        let holding = |name, balance| Account { balance, ..account(name) };
        let accounts =
            [holding("ana", -5), holding("ben", 5), holding("carla", -10), holding("d", 10)];
        assert_eq!(shown(report(&accounts, &[late]).community.dormant), "0.666666");
    }
}
