use super::{Key, KeyTree};

fn tree() -> KeyTree {
    KeyTree::new(Key::new([7; 32]))
}

#[test]
fn every_leaf_has_a_key_of_its_own_and_always_the_same() {
    let leaves = [0, 1, 2, 3, 1_000_000, u32::MAX - 1, u32::MAX];
    let keys: Vec<_> = leaves.iter().map(|&leaf| tree().key(leaf).unwrap()).collect();
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(**key, *tree().key(leaves[at]).unwrap(), "leaf {}", leaves[at]);
        assert_eq!(keys.iter().filter(|other| **other == *key).count(), 1, "leaf {}", leaves[at]);
    }
}

#[test]
fn what_was_destroyed_is_gone_and_the_rest_is_as_it_was() {
    let whole = tree();
    let mut left = tree();
    let destroyed = [0, 5, 4, 77, 1_000, u32::MAX, 6];
    for leaf in destroyed {
        assert!(left.puncture(leaf), "leaf {leaf}");
        assert!(!left.puncture(leaf), "leaf {leaf} again");
    }
    for leaf in (0..2_000).chain([u32::MAX - 1, u32::MAX]) {
        let expected = if destroyed.contains(&leaf) { None } else { whole.key(leaf) };
        assert_eq!(left.key(leaf), expected, "leaf {leaf}");
    }
    // No node that is left is one above a destroyed leaf: their keys would give it back.
    let decoded = KeyTree::decode(&left.encode()).unwrap();
    assert_eq!(decoded.key(5), None);
    assert_eq!(decoded.key(7), whole.key(7));
}

#[test]
fn neighbours_share_what_destroying_them_costs() {
    let mut tree = tree();
    tree.puncture(1_024);
    assert_eq!(tree.nodes(), 32, "one beside each step of the way");
    for leaf in 1_025..2_048 {
        tree.puncture(leaf);
    }
    assert_eq!(tree.nodes(), 22, "a whole subtree gone is one way to it");
}

#[test]
fn a_tree_reads_what_it_wrote_and_nothing_else() {
    let mut left = tree();
    left.puncture(9);
    let bytes = left.encode();
    assert_eq!(*KeyTree::decode(&bytes).unwrap().encode(), *bytes);
    assert!(KeyTree::decode(&[]).unwrap().key(0).is_none(), "nothing is left of it");
    assert!(KeyTree::decode(&bytes[1..]).is_none(), "cut off");
    let mut swapped = bytes.to_vec();
    swapped.rotate_left(37);
    assert!(KeyTree::decode(&swapped).is_none(), "out of order");
    let mut deep = bytes.to_vec();
    deep[4] = 33;
    assert!(KeyTree::decode(&deep).is_none(), "deeper than a tree is");
    let mut shallow = bytes.to_vec();
    shallow[4] = 0;
    assert!(KeyTree::decode(&shallow).is_none(), "one over the others");
    let mut twice = bytes.to_vec();
    twice.extend_from_slice(&bytes[bytes.len() - 37..]);
    assert!(KeyTree::decode(&twice).is_none(), "a leaf covered twice");
}
