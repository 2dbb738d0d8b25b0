//! Names of headers to look out for: of most headers of a message it is told that they are none of them without a look at a
//! single name.

use crate::hash::FixedMap;
use crate::request::{HeaderName, spells};
use crate::text::Text;

/// Says of most names that they are not in a set, and of those that are that they may be. Each sets one of 4,096 bits.
#[derive(Clone, Debug)]
struct Sieve([u64; 64]);

/// By byte: the character that it is as [`spells`] has it.
#[expect(clippy::indexing_slicing, reason = "of a constant: what is out of bounds does not compile")]
const PLAIN: [u8; 256] = {
    let mut table = [b'-'; 256];
    let mut byte = 0_u8;
    while byte < u8::MAX {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = byte;
        }
        byte += 1;
    }
    table
};

impl Default for Sieve {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Sieve {
    /// The bit of a name, in whichever spelling, and the word that has it: by its length and two of its letters.
    fn place(name: &[u8]) -> (usize, u64) {
        let length = name.len();
        let plain = |byte: &u8| PLAIN.get(usize::from(*byte)).map_or(0, |plain| u32::from(*plain));
        let (middle, last) = (name.get(length / 2).map_or(0, plain), name.last().map_or(0, plain));
        let letters = middle | last << 8 | u32::try_from(length).unwrap_or_default() << 16;
        // Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4).
        let mixed = letters.wrapping_mul(0x9e37_79b9);
        ((mixed >> 26) as usize, 1 << (mixed >> 20 & 63))
    }

    fn insert(&mut self, name: &[u8]) {
        let (word, bit) = Self::place(name);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    fn may_have(&self, name: &[u8]) -> bool {
        let (word, bit) = Self::place(name);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// What is known of some headers.
#[derive(Clone, Debug)]
pub(crate) struct NameMap<T> {
    sieve: Sieve,
    known: FixedMap<Text, T>,
}

impl<T: Default> NameMap<T> {
    pub(crate) fn new() -> Self {
        Self { sieve: Sieve::default(), known: FixedMap::default() }
    }

    /// Notes something more of a header.
    pub(crate) fn note(&mut self, name: Text, note: impl FnOnce(&mut T)) {
        self.sieve.insert(name.as_bytes());
        note(self.known.entry(name).or_default());
    }

    pub(crate) fn get(&self, name: HeaderName<'_>) -> Option<(&Text, &T)> {
        if self.sieve.may_have(name.as_bytes()) { self.look_up(name.as_str()) } else { None }
    }

    #[inline(never)]
    fn look_up(&self, name: &str) -> Option<(&Text, &T)> {
        self.known.get_key_value(name)
    }
}

/// Names in every spelling that a server may take for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spellings {
    sieve: Sieve,
    names: Vec<String>,
    /// Those that count in every spelling but their own.
    others: Vec<String>,
}

impl Spellings {
    pub(crate) fn of(names: Vec<String>) -> Self {
        Self::default().with(names, Vec::new())
    }

    /// The same, and every other spelling of these.
    pub(crate) fn and_others_of(self, others: Vec<String>) -> Self {
        self.with(Vec::new(), others)
    }

    fn with(mut self, names: Vec<String>, others: Vec<String>) -> Self {
        names.iter().chain(&others).for_each(|name| self.sieve.insert(name.as_bytes()));
        self.names.extend(names);
        self.others.extend(others);
        self
    }

    pub(crate) fn has(&self, name: &[u8]) -> bool {
        self.sieve.may_have(name) && self.look_up(name)
    }

    #[inline(never)]
    fn look_up(&self, name: &[u8]) -> bool {
        self.names.iter().any(|own| spells(name, own))
            || self.others.iter().any(|own| spells(name, own)) && !self.others.iter().any(|own| own.as_bytes() == name)
    }
}

#[cfg(test)]
mod tests;
