//! Merkle roots as RFC 6962 makes them: leaves and nodes are hashed apart, so no list of leaves can
//! pass for another.
//!
//! Deliberately absent: audit paths. Boxes and rosters are published whole.

use sha2::{Digest, Sha256};

/// The root over `leaves` in the order given; `SHA256("")` where there are none (RFC 6962, 2.1).
#[must_use]
pub fn root(leaves: impl IntoIterator<Item = impl AsRef<[u8]>>) -> [u8; 32] {
    let mut complete: Vec<Subtree> = Vec::new();
    for leaf in leaves {
        let hash = Sha256::new().chain_update([0]).chain_update(leaf).finalize().into();
        let mut tree = Subtree { height: 0, hash };
        while complete.last().is_some_and(|left| left.height == tree.height) {
            if let Some(left) = complete.pop() {
                tree = Subtree { height: tree.height + 1, hash: node(&left.hash, &tree.hash) };
            }
        }
        complete.push(tree);
    }
    complete
        .into_iter()
        .rev()
        .map(|tree| tree.hash)
        .reduce(|right, left| node(&left, &right))
        .unwrap_or_else(|| Sha256::digest([]).into())
}

/// A full binary tree, waiting for an equal one to its right.
struct Subtree {
    height: u32,
    hash: [u8; 32],
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use ayni_protocol::hex;

    use super::*;

    /// The definition, as RFC 6962 words it.
    fn by_definition(leaves: &[Vec<u8>]) -> [u8; 32] {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => Sha256::new().chain_update([0]).chain_update(leaf).finalize().into(),
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node(&by_definition(&leaves[..split]), &by_definition(&leaves[split..]))
            }
        }
    }

    #[test]
    fn no_leaves_hash_to_the_hash_of_nothing() {
        assert_eq!(
            hex::encode(&root([[0_u8; 0]; 0])),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn every_size_is_as_the_rfc_defines_it() {
        for size in 0..70_u8 {
            let leaves: Vec<Vec<u8>> = (0..size).map(|leaf| vec![leaf; 3]).collect();
            assert_eq!(root(&leaves), by_definition(&leaves), "{size} leaves");
        }
    }
}
