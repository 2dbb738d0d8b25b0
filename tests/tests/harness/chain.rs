//! Chains of audit lines, followed through whatever files they are in.

use std::collections::BTreeMap;

use portcullis_engine::Secret;
use portcullis_engine::audit::{BEFORE_FIRST, ChainKey, ChainMac, SealedLine};

/// The secret every test policy's chain reads from the environment.
pub const AUDIT_KEY: &str = "audit-key-of-the-tests-0123456789abcdef";

/// One chain as far as it was found whole.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The MACs of its links, the first of them that of `seq` 1.
    pub macs: Vec<ChainMac>,
    /// How far a checkpoint says that it came.
    pub told: u64,
}

/// The lines that a chain sealed, from a log that has others too, each from its `{` on.
pub fn sealed(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| line.find("{\"timestamp\"").and_then(|start| line.get(start..)));
    lines.filter(|line| SealedLine::parse(line.as_bytes()).is_some()).map(str::to_owned).collect()
}

/// Follows every chain, of which several workers' lines may be mixed up; fails on the first line that does not follow.
#[track_caller]
pub fn follow<'l>(lines: impl IntoIterator<Item = &'l String>) -> BTreeMap<String, Found> {
    let key = ChainKey::new(&Secret::new(AUDIT_KEY.as_bytes().to_vec()));
    let mut chains: BTreeMap<String, Found> = BTreeMap::new();
    let mut checkpoints = Vec::new();
    for line in lines {
        let sealed = SealedLine::parse(line.as_bytes()).unwrap_or_else(|| panic!("not sealed: {line}"));
        if sealed.is_checkpoint() {
            checkpoints.push(sealed);
            continue;
        }
        let chain = chains.entry(sealed.chain.to_owned()).or_default();
        let before = chain.macs.last().copied().unwrap_or(BEFORE_FIRST);
        assert_eq!(sealed.seq, chain.macs.len() as u64 + 1, "out of turn: {line}");
        assert!(sealed.follows(&key, &before), "changed, or after another: {line}");
        chain.macs.push(sealed.mac);
    }
    for checkpoint in checkpoints {
        let text = String::from_utf8_lossy(checkpoint.body).into_owned();
        let chain = chains.get_mut(checkpoint.chain).unwrap_or_else(|| panic!("of no chain: {text}"));
        let at = usize::try_from(checkpoint.seq).unwrap();
        let reached = at.checked_sub(1).and_then(|at| chain.macs.get(at)).unwrap_or_else(|| panic!("cut off: {text}"));
        assert!(checkpoint.follows(&key, reached), "changed: {text}");
        chain.told = chain.told.max(checkpoint.seq);
    }
    chains
}
