//! The randomness beacon (protocol section 4): drand's quicknet, and local chains for tests.
//!
//! A round is a BLS signature that nobody can make before its time and of which there is only one.
//! So a round may come late, from anyone, by any path, and is believed for itself.
//!
//! Deliberately absent: fetching rounds, which is the node's business.

use ayni_protocol::Timestamp;
use blst::BLST_ERROR;
use blst::min_sig::{PublicKey, SecretKey, Signature};
use sha2::{Digest, Sha256};

use crate::canonical::sha256;
use crate::fact::Round;

/// The one scheme: signatures in G1 over `SHA256(u64be(round))`, each on its own.
const SCHEME: &str = "bls-unchained-g1-rfc9380";

/// Domain of the hash to the curve that the scheme prescribes.
const DOMAIN: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

/// The name that goes into the hash of a local test chain.
const TEST_NAME: &str = "ayni-test";

const QUICKNET_GENESIS: Timestamp = 1_692_803_367;
const QUICKNET_PERIOD_SECS: u64 = 3;
const QUICKNET_HASH: [u8; 32] = *b"\
    \x52\xdb\x9b\xa7\x0e\x0c\xc0\xf6\xea\xf7\x80\x3d\xd0\x74\x47\xa1\
    \xf5\x47\x77\x35\xfd\x3f\x66\x17\x92\xba\x94\x60\x0c\x84\xe9\x71";
const QUICKNET_KEY: [u8; 96] = *b"\
    \x83\xcf\x0f\x28\x96\xad\xee\x7e\xb8\xb5\xf0\x1f\xca\xd3\x91\x22\
    \x12\xc4\x37\xe0\x07\x3e\x91\x1f\xb9\x00\x22\xd3\xe7\x60\x18\x3c\
    \x8c\x4b\x45\x0b\x6a\x0a\x6c\x3a\xc6\xa5\x77\x6a\x2d\x10\x64\x51\
    \x0d\x1f\xec\x75\x8c\x92\x1c\xc2\x2b\x0e\x17\xe6\x3a\xaf\x4b\xcb\
    \x5e\xd6\x63\x04\xde\x9c\xf8\x09\xbd\x27\x4c\xa7\x3b\xab\x4a\xf5\
    \xa6\xe9\xc7\x6a\x4b\xc0\x9e\x76\xea\xe8\x99\x1e\xf5\xec\xe4\x5a";

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

impl Chain {
    /// The League of Entropy's quicknet.
    #[must_use]
    pub fn quicknet() -> Self {
        Self {
            hash: QUICKNET_HASH,
            public_key: QUICKNET_KEY.to_vec(),
            genesis: QUICKNET_GENESIS,
            period: QUICKNET_PERIOD_SECS,
            scheme: SCHEME.into(),
        }
    }

    /// A local chain whose secret is known, so that tests and demonstrations need no network and
    /// no waiting. Whoever knows the seed can steer every draw.
    #[must_use]
    pub fn test(secret: [u8; 32], genesis: Timestamp, period: u64) -> (Self, TestBeacon) {
        let beacon = TestBeacon::new(secret);
        let public_key = beacon.secret.sk_to_pk().compress().to_vec();
        let hash = chain_hash(&public_key, genesis, period, &[0; 32], TEST_NAME);
        (Self { hash, public_key, genesis, period, scheme: SCHEME.into() }, beacon)
    }

    /// The first round that is not due before `at`: 1 up to the genesis, then
    /// `ceil((at - genesis) / period) + 1`.
    #[must_use]
    pub const fn round_at_or_after(&self, at: Timestamp) -> u64 {
        let since = at.saturating_sub(self.genesis);
        // A chain without a period is never known; the division must still not fail.
        since.div_ceil(if self.period == 0 { 1 } else { self.period }).saturating_add(1)
    }

    /// When a round is due: `genesis + (round - 1) * period`.
    #[must_use]
    pub const fn time_of(&self, round: u64) -> Timestamp {
        self.genesis.saturating_add(round.saturating_sub(1).saturating_mul(self.period))
    }

    /// The round, if `signature` is this chain's for it. There is one such signature at most.
    #[must_use]
    pub fn verify(&self, round: u64, signature: &[u8]) -> Option<Round> {
        if self.scheme != SCHEME || round == 0 {
            return None;
        }
        let key = PublicKey::key_validate(&self.public_key).ok()?;
        // 96 bytes would be the same point uncompressed: a second spelling, another randomness.
        let point = Signature::uncompress(signature).ok()?;
        point.validate(true).ok()?;
        let verdict = point.verify(false, &message(round), DOMAIN, &[], &key, false);
        (verdict == BLST_ERROR::BLST_SUCCESS).then(|| Round {
            chain: self.hash,
            round,
            randomness: sha256(signature),
            signature: signature.to_vec(),
        })
    }

    /// Whether this is a test chain whose hash fits what it says of itself.
    fn is_test(&self) -> bool {
        let zeros = [0; 32];
        self.scheme == SCHEME
            && (1..=u64::from(u32::MAX)).contains(&self.period)
            && self.hash
                == chain_hash(&self.public_key, self.genesis, self.period, &zeros, TEST_NAME)
            && PublicKey::key_validate(&self.public_key).is_ok()
    }
}

/// Which chains a charter may pin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether local test chains are believed as well. Insecure: whoever made one knows its rounds.
    pub insecure_test_chains: bool,
}

impl Known {
    /// Whether a charter may pin this chain.
    #[must_use]
    pub fn allows(self, chain: &Chain) -> bool {
        *chain == Chain::quicknet() || self.insecure_test_chains && chain.is_test()
    }
}

/// The secret half of a local test chain.
pub struct TestBeacon {
    secret: SecretKey,
}

impl TestBeacon {
    #[expect(clippy::expect_used, reason = "blst refuses only seeds shorter than 32 bytes")]
    fn new(secret: [u8; 32]) -> Self {
        Self { secret: SecretKey::key_gen(&secret, &[]).expect("32 bytes are enough") }
    }

    /// The signature of a round.
    #[must_use]
    pub fn sign(&self, round: u64) -> Vec<u8> {
        self.secret.sign(&message(round), DOMAIN, &[]).compress().to_vec()
    }
}

impl std::fmt::Debug for TestBeacon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestBeacon")
    }
}

fn message(round: u64) -> [u8; 32] {
    sha256(round.to_be_bytes())
}

/// What drand calls the hash of a chain's info.
fn chain_hash(
    public_key: &[u8],
    genesis: Timestamp,
    period: u64,
    group_hash: &[u8; 32],
    name: &str,
) -> [u8; 32] {
    // drand holds the period in 32 bits; a chain with a longer one is never known.
    let period = u32::try_from(period).unwrap_or(u32::MAX);
    Sha256::new()
        .chain_update(period.to_be_bytes())
        .chain_update(genesis.to_be_bytes())
        .chain_update(public_key)
        .chain_update(group_hash)
        .chain_update(name)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use ayni_protocol::hex;
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../docs/vectors/drand-quicknet.json")).unwrap()
    }

    fn bytes<const N: usize>(value: &Value) -> [u8; N] {
        hex::decode(value.as_str().unwrap()).unwrap()
    }

    #[test]
    fn quicknet_is_the_published_chain() {
        let chain = &vectors()["chain"];
        let quicknet = Chain::quicknet();
        assert_eq!(quicknet.hash, bytes(&chain["chain_hash"]));
        assert_eq!(quicknet.public_key, bytes::<96>(&chain["public_key"]));
        assert_eq!(quicknet.genesis, chain["genesis"]);
        assert_eq!(quicknet.period, chain["period"]);
        assert_eq!(quicknet.scheme, chain["scheme"]);
        let group = bytes(&chain["group_hash"]);
        let hash = chain_hash(&quicknet.public_key, quicknet.genesis, 3, &group, "quicknet");
        assert_eq!(hash, quicknet.hash);
    }

    #[test]
    fn published_rounds_verify_and_no_other_round_does() {
        let chain = Chain::quicknet();
        for vector in vectors()["rounds"].as_array().unwrap() {
            let round = vector["round"].as_u64().unwrap();
            let signature: [u8; 48] = bytes(&vector["signature"]);
            let known = chain.verify(round, &signature).unwrap();
            assert_eq!(known.randomness, bytes(&vector["randomness"]));
            assert_eq!(known.chain, chain.hash);
            assert_eq!(chain.verify(round + 1, &signature), None);
            assert_eq!(chain.time_of(round), vector["time"]);
            assert_eq!(chain.round_at_or_after(chain.time_of(round)), round);
            assert_eq!(chain.round_at_or_after(chain.time_of(round) + 1), round + 1);
        }
    }

    #[test]
    fn rounds_start_at_the_genesis() {
        let chain = Chain::quicknet();
        assert_eq!(chain.round_at_or_after(0), 1);
        assert_eq!(chain.round_at_or_after(chain.genesis), 1);
        assert_eq!(chain.round_at_or_after(chain.genesis + 1), 2);
        assert_eq!(chain.round_at_or_after(chain.genesis + 3), 2);
    }

    #[test]
    fn points_that_prove_nothing_are_refused() {
        let (chain, beacon) = Chain::test([1; 32], 100, 5);
        let signature = beacon.sign(9);
        assert_eq!(chain.verify(9, &signature).unwrap().round, 9);
        let uncompressed = Signature::uncompress(&signature).unwrap().serialize();
        let mut infinity = [0; 48];
        infinity[0] = 0xc0;
        let mut flipped = signature.clone();
        flipped[47] ^= 1;
        for wrong in [&uncompressed[..], &infinity, &flipped, &signature[1..], &[]] {
            assert_eq!(chain.verify(9, wrong), None);
        }
        assert_eq!(chain.verify(0, &beacon.sign(0)), None);
    }

    #[test]
    fn test_chains_are_known_only_under_the_flag() {
        let (chain, _) = Chain::test([1; 32], 100, 5);
        let [secure, insecure] =
            [false, true].map(|insecure_test_chains| Known { insecure_test_chains });
        assert!(secure.allows(&Chain::quicknet()) && insecure.allows(&Chain::quicknet()));
        assert!(insecure.allows(&chain) && !secure.allows(&chain));
        let other_period = Chain { period: 6, ..chain.clone() };
        let other_quicknet = Chain { genesis: 1, ..Chain::quicknet() };
        let no_key = Chain { public_key: vec![0xc0; 96], ..chain };
        for wrong in [other_period, other_quicknet, no_key] {
            assert!(!insecure.allows(&wrong));
        }
    }
}
