//! Names of headers to look out for: of most headers of a message it is told that they are none of them without a look at a
//! single name.

use crate::hash::FixedMap;
use crate::request::spells;
use crate::text::Text;

/// Says of most names that they are not in a set, and of those that are that they may be. Each sets two of 1,024 bits (Bloom,
/// "Space/time trade-offs in hash coding with allowable errors"), which are two lines of a processor's cache.
#[derive(Clone, Debug, Default)]
struct Sieve([u64; 16]);

/// A character as [`spells`] has it.
const fn plain(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte } else { b'-' }
}

impl Sieve {
    /// The bits of a name, in whichever spelling: by its length, and a few of its letters.
    fn bits(name: &str) -> [usize; 2] {
        let (bytes, length) = (name.as_bytes(), name.len());
        let letter = |at: usize| bytes.get(at).map_or(0, |byte| u32::from(plain(*byte)));
        let (third, middle) = (letter(2), letter(length / 2));
        let (before, last) = (letter(length.wrapping_sub(3)), letter(length.wrapping_sub(1)));
        let letters = third | middle << 8 | before << 16 | last << 24;
        // Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4).
        let mixed = letters.wrapping_add(u32::try_from(length).unwrap_or_default() << 12).wrapping_mul(0x9e37_79b9);
        [mixed >> 22, mixed >> 12 & 1023].map(|bit| bit as usize)
    }

    fn insert(&mut self, name: &str) {
        for bit in Self::bits(name) {
            if let Some(word) = self.0.get_mut(bit / 64) {
                *word |= 1 << (bit % 64);
            }
        }
    }

    fn may_have(&self, name: &str) -> bool {
        Self::bits(name).into_iter().all(|bit| self.0.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1))
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
        self.sieve.insert(&name);
        note(self.known.entry(name).or_default());
    }

    pub(crate) fn get(&self, name: &str) -> Option<(&Text, &T)> {
        if self.sieve.may_have(name) { self.look_up(name) } else { None }
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
}

impl Spellings {
    pub(crate) fn of(names: Vec<String>) -> Self {
        let mut sieve = Sieve::default();
        names.iter().for_each(|name| sieve.insert(name));
        Self { sieve, names }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.sieve.may_have(name) && self.look_up(name)
    }

    #[inline(never)]
    fn look_up(&self, name: &str) -> bool {
        self.names.iter().any(|own| spells(name, own))
    }
}

#[cfg(test)]
mod tests;
