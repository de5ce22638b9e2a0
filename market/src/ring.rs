//! Closed rings of trades: Ana has what Ben wants, Ben what Carla wants, Carla what Ana wants.
//!
//! Members are the nodes of a graph and fits its edges, from who would be paid to who would pay. A
//! ring lies within one strongly connected part of it, so those are found first (Tarjan), and only
//! within them are simple paths followed back to where an edge began. A ring is proposed if it takes
//! the balances of its members, all together, no further from zero than they are: at the listed
//! prices where those do so, else all at the lowest of them, which moves nobody's balance at all.
//!
//! Finding every ring of a graph takes time that grows beyond bounds, so everything here is capped:
//! edges for each member, length of a ring, paths for each edge.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasherDefault, DefaultHasher};

use ayni_protocol::{EventId, PublicKey};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef as _;

use crate::fit::Fit;

/// Members of a ring at most: a longer one is hard to bring together.
pub const MEMBERS_MAX: usize = 5;
/// Rings proposed at most.
pub const RINGS_MAX: usize = 20;
/// Trades of one member, as seller and as buyer, that are considered.
pub const TRADES_PER_MEMBER: usize = 6;
/// Paths followed for each trade.
pub const PATHS_PER_TRADE: usize = 64;

/// What a ring does not ask about twice: the iteration order of nothing depends on it.
type Hasher = BuildHasherDefault<DefaultHasher>;
type Graph<'a> = DiGraph<PublicKey, Fit<'a>>;

/// Where an account stands, as far as a suggestion needs it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// What it holds.
    pub balance: i128,
    /// How far below zero it may go.
    pub limit: i128,
    /// How high it may rise.
    pub max: Option<i128>,
}

impl Standing {
    /// Whether it may stand so much higher, or lower where below zero.
    #[must_use]
    pub fn allows(&self, change: i128) -> bool {
        let after = self.balance.saturating_add(change);
        let too_low = change < 0 && after < -self.limit;
        let too_high = change > 0 && self.max.is_some_and(|max| after > max);
        !too_low && !too_high
    }

    /// By how much nearer to zero it would be; below zero where further.
    #[must_use]
    pub const fn easing(&self, change: i128) -> i128 {
        self.balance.abs() - self.balance.saturating_add(change).abs()
    }
}

/// One trade of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// Who sells what to whom.
    pub fit: Fit<'a>,
    /// For how much, in minor units; none where nobody named a price.
    pub minor: Option<i64>,
}

/// A closed ring of trades: who is paid in one step pays in the step before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring<'a> {
    /// Its trades. The buyer of each is the seller of the next; the last leads to the first.
    pub steps: Vec<Step<'a>>,
    /// By how much balances come nearer to zero, all together.
    pub easing: i128,
    /// Whether all are to be settled at one price, which is not what each listing says.
    pub even: bool,
}

impl Ring<'_> {
    /// Everything that would change hands.
    #[must_use]
    pub fn volume(&self) -> i128 {
        self.steps.iter().filter_map(|step| step.minor).map(i128::from).sum()
    }

    /// Whether this member has a part in it.
    #[must_use]
    pub fn has(&self, member: &PublicKey) -> bool {
        self.steps.iter().any(|step| step.fit.seller() == *member)
    }

    /// By how much each member's balance would change.
    #[must_use]
    pub fn changes(&self) -> BTreeMap<PublicKey, i128> {
        changes(&self.steps)
    }
}

fn changes(steps: &[Step<'_>]) -> BTreeMap<PublicKey, i128> {
    let mut changes = BTreeMap::new();
    for step in steps {
        let minor = i128::from(step.minor.unwrap_or_default());
        *changes.entry(step.fit.seller()).or_default() += minor;
        *changes.entry(step.fit.buyer()).or_default() -= minor;
    }
    changes
}

/// The best rings among these fits, no want in two of them; and how many paths were looked at.
#[must_use]
pub fn rings<'a>(
    fits: &[Fit<'a>],
    standing: &BTreeMap<PublicKey, Standing>,
) -> (Vec<Ring<'a>>, usize) {
    let (graph, mut looked) = (graph(fits), 0_usize);
    let mut found = Vec::new();
    for part in petgraph::algo::tarjan_scc(&graph).into_iter().filter(|part| part.len() > 1) {
        let part: BTreeSet<NodeIndex> = part.into_iter().collect();
        let inside = |edge: &petgraph::graph::EdgeReference<'_, Fit<'a>>| {
            part.contains(&edge.source()) && part.contains(&edge.target())
        };
        for edge in graph.edge_references().filter(inside) {
            let (seller, buyer) = (edge.source(), edge.target());
            let back = petgraph::algo::all_simple_paths::<Vec<NodeIndex>, _, Hasher>(
                &graph,
                buyer,
                seller,
                0,
                Some(MEMBERS_MAX - 2),
            );
            for path in back.take(PATHS_PER_TRADE) {
                looked += 1;
                // Every ring is met once from each of its trades; the first of its members tells.
                if path.iter().min() == Some(&seller) {
                    found.extend(closed(&graph, seller, &path, standing));
                }
            }
        }
    }
    (best(found), looked)
}

/// The graph of who could sell to whom, each pair by its best fit, each member by its best trades.
fn graph<'a>(fits: &[Fit<'a>]) -> Graph<'a> {
    let mut order: Vec<&Fit<'a>> = fits.iter().collect();
    order.sort_by_key(|fit| (Reverse(fit.points), fit.offer.id, fit.want.id));
    let (mut sells, mut buys) = (BTreeMap::new(), BTreeMap::new());
    let mut pairs: BTreeMap<(PublicKey, PublicKey), Fit<'a>> = BTreeMap::new();
    for fit in order {
        let pair = (fit.seller(), fit.buyer());
        let (sold, bought) = (sells.entry(pair.0).or_insert(0), buys.entry(pair.1).or_insert(0));
        if *sold < TRADES_PER_MEMBER && *bought < TRADES_PER_MEMBER && !pairs.contains_key(&pair) {
            (*sold, *bought) = (*sold + 1, *bought + 1);
            pairs.insert(pair, *fit);
        }
    }
    let people: BTreeSet<PublicKey> =
        pairs.keys().flat_map(|(one, other)| [*one, *other]).collect();
    let mut graph = Graph::new();
    let nodes: BTreeMap<_, _> = people.iter().map(|key| (*key, graph.add_node(*key))).collect();
    for ((seller, buyer), fit) in pairs {
        if let (Some(seller), Some(buyer)) = (nodes.get(&seller), nodes.get(&buyer)) {
            graph.add_edge(*seller, *buyer, fit);
        }
    }
    graph
}

/// The ring of an edge from `seller` and the path from its buyer back, if it may be proposed.
fn closed<'a>(
    graph: &Graph<'a>,
    seller: NodeIndex,
    path: &[NodeIndex],
    standing: &BTreeMap<PublicKey, Standing>,
) -> Option<Ring<'a>> {
    let from = std::iter::once(&seller).chain(path);
    let edges = from.zip(path).map(|(from, to)| graph.find_edge(*from, *to));
    let fits: Option<Vec<Fit<'a>>> = edges.map(|edge| graph.edge_weight(edge?).copied()).collect();
    settle(&fits?, standing)
}

/// The prices at which a ring may be proposed.
fn settle<'a>(fits: &[Fit<'a>], standing: &BTreeMap<PublicKey, Standing>) -> Option<Ring<'a>> {
    let at = |minor: fn(&Fit<'a>, Option<i64>) -> Option<i64>, even| -> Vec<Step<'a>> {
        fits.iter().map(|fit| Step { fit: *fit, minor: minor(fit, even) }).collect()
    };
    let lowest = fits.iter().filter_map(|fit| fit.minor).min();
    if fits.iter().all(|fit| fit.minor.is_some()) {
        let steps = at(|fit, _| fit.minor, None);
        let changes = changes(&steps);
        let of = |key: &PublicKey| standing.get(key).copied();
        let mut easing = 0;
        let mut allowed = true;
        for (key, change) in &changes {
            let standing = of(key)?;
            allowed &= standing.allows(*change);
            easing += standing.easing(*change);
        }
        if allowed && easing >= 0 {
            return Some(Ring { steps, easing, even: false });
        }
    }
    Some(Ring { steps: at(|_, even| even, lowest), easing: 0, even: true })
}

/// What helps most first, then the shorter ring, then the larger; each want once.
fn best(mut found: Vec<Ring<'_>>) -> Vec<Ring<'_>> {
    found.sort_by_cached_key(|ring| {
        let ids: Vec<EventId> = ring.steps.iter().map(|step| step.fit.want.id).collect();
        (Reverse(ring.easing), ring.even, ring.steps.len(), Reverse(ring.volume()), ids)
    });
    let mut answered: BTreeSet<EventId> = BTreeSet::new();
    let mut kept = Vec::new();
    for ring in found {
        let wants: BTreeSet<EventId> = ring.steps.iter().map(|step| step.fit.want.id).collect();
        if kept.len() < RINGS_MAX && answered.is_disjoint(&wants) {
            answered.extend(wants);
            kept.push(ring);
        }
    }
    kept
}
