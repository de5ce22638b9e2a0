//! The randomness beacon (protocol section 4).

/// A drand chain: what a charter's `beacon` tag pins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chain {
    /// Hash that names the chain.
    pub hash: [u8; 32],
    /// Group public key in G2, compressed, 96 bytes.
    pub public_key: Vec<u8>,
    /// Unix seconds of round 1.
    pub genesis: u64,
    /// Seconds between rounds.
    pub period: u64,
    /// Always `bls-unchained-g1-rfc9380`.
    pub scheme: String,
}
