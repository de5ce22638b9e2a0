//! Proposals, ballots, quadratic and other tallies, delegation
