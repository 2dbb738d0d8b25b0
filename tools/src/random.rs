//! Randomness from the operating system.

use zeroize::Zeroizing;

use crate::exit::Failure;

#[cfg(test)]
mod tests;

/// So many random bytes.
///
/// # Errors
/// The system has none to give.
pub fn bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, Failure> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes).map_err(|error| Failure::io(format!("no randomness from the system: {error}")))?;
    Ok(bytes)
}

/// 128 random bits, such that no two will be alike: RFC 9562 section 5.4.
///
/// # Errors
/// As [`bytes`].
pub fn id() -> Result<String, Failure> {
    bytes().map(|bytes| uuid_v4(*bytes))
}

fn uuid_v4(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{number:032x}");
    let mut id = String::with_capacity(36);
    for (index, digit) in hex.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        id.push(digit);
    }
    id
}
