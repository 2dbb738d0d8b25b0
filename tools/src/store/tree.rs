//! A key for every account out of one root, of which single ones can be destroyed.
//!
//! The tree of Goldreich, Goldwasser and Micali ("How to Construct Random Functions", 1986): each node expands to two,
//! and the leaves are the keys. To destroy one, the nodes above it are replaced by those beside that way. What is left
//! yields every other key as it was, and gives nobody back the one that is gone.

use std::collections::BTreeMap;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use zeroize::Zeroizing;

#[cfg(test)]
mod tests;

/// Levels below the root: as many leaves as a `u32` has values.
const DEPTH: u8 = 32;

/// First leaf, depth and key of a node, as [`KeyTree::encode`] writes them.
const NODE_BYTES: usize = 4 + 1 + 32;

/// A key of 256 bits, wiped when dropped.
pub type Key = Zeroizing<[u8; 32]>;

/// What is left of the tree: nodes that cover every leaf that was not destroyed, by the first leaf below each.
#[derive(Clone)]
pub struct KeyTree {
    nodes: BTreeMap<u32, Node>,
}

#[derive(Clone)]
struct Node {
    depth: u8,
    key: Key,
}

impl Node {
    /// How many leaves are below, less one.
    fn span(&self) -> u32 {
        u32::MAX.checked_shr(u32::from(self.depth)).unwrap_or_default()
    }

    /// Both nodes below: the two halves of the first block of ChaCha20 (RFC 8439, section 2.3) under this key.
    fn children(&self) -> [Self; 2] {
        let mut block = Zeroizing::new([0; 64]);
        ChaCha20::new((&*self.key).into(), &[0; 12].into()).apply_keystream(&mut *block);
        let half = |bytes: &[u8]| {
            let mut key = Key::default();
            key.copy_from_slice(bytes);
            Self { depth: self.depth.saturating_add(1), key }
        };
        let (left, right) = block.split_at(32);
        [half(left), half(right)]
    }

    /// The node below that has the leaf under it, the other one, and the first leaf of each.
    fn descend(&self, first: u32, leaf: u32) -> ((u32, Self), (u32, Self)) {
        let [left, right] = self.children();
        let middle = first | (left.span().saturating_add(1));
        if leaf < middle { ((first, left), (middle, right)) } else { ((middle, right), (first, left)) }
    }
}

impl KeyTree {
    /// A whole tree.
    #[must_use]
    pub fn new(root: Key) -> Self {
        Self { nodes: BTreeMap::from([(0, Node { depth: 0, key: root })]) }
    }

    /// The key of a leaf; `None` once it was destroyed.
    #[must_use]
    pub fn key(&self, leaf: u32) -> Option<Key> {
        let (&first, node) = self.cover(leaf)?;
        let (mut first, mut node) = (first, node.clone());
        while node.depth < DEPTH {
            ((first, node), _) = node.descend(first, leaf);
        }
        Some(node.key)
    }

    /// Whether the key of a leaf was not destroyed.
    #[must_use]
    pub fn has(&self, leaf: u32) -> bool {
        self.cover(leaf).is_some()
    }

    /// Destroys the key of a leaf. Returns whether it was there.
    pub fn puncture(&mut self, leaf: u32) -> bool {
        let Some((&first, _)) = self.cover(leaf) else { return false };
        let Some(mut node) = self.nodes.remove(&first) else { return false };
        let mut first = first;
        while node.depth < DEPTH {
            let (way, (beside, sibling)) = node.descend(first, leaf);
            self.nodes.insert(beside, sibling);
            (first, node) = way;
        }
        true
    }

    /// How many nodes there are: 1, and up to 31 more for each leaf that was destroyed.
    #[cfg(test)]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    fn cover(&self, leaf: u32) -> Option<(&u32, &Node)> {
        self.nodes.range(..=leaf).next_back().filter(|(first, node)| leaf - **first <= node.span())
    }

    /// The nodes as bytes.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.nodes.len().saturating_mul(NODE_BYTES)));
        for (first, node) in &self.nodes {
            bytes.extend_from_slice(&first.to_be_bytes());
            bytes.push(node.depth);
            bytes.extend_from_slice(&*node.key);
        }
        bytes
    }

    /// Reads what [`KeyTree::encode`] wrote; `None` if that is not what it is.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (records, rest) = bytes.as_chunks::<NODE_BYTES>();
        if !rest.is_empty() {
            return None;
        }
        let mut nodes = BTreeMap::new();
        let mut free = Some(0);
        for record in records {
            let (first, rest) = record.split_first_chunk::<4>()?;
            let (&depth, key) = rest.split_first()?;
            let (first, key) = (u32::from_be_bytes(*first), Key::new(key.try_into().ok()?));
            let node = Node { depth, key };
            // In order, side by side, and each where a node of its depth can be.
            if depth > DEPTH || first & node.span() != 0 || free.is_none_or(|free| first < free) {
                return None;
            }
            free = first.checked_add(node.span()).and_then(|last| last.checked_add(1));
            nodes.insert(first, node);
        }
        Some(Self { nodes })
    }
}
