//! The rules, one test each: every reason by its name, whole raffles, and edges.

mod edges;
mod raffles;
mod reasons;

/// Ana holds two units of raffle r, ben one.
const SOLD: &str = "raffle r; ana pays o 10.00; ana buys t 2 r with o; ben pays p 5.00; \
                    ben buys u 1 r with p";
