//! Blocks of addresses (RFC 4632, RFC 4291), as they are asked for and as records have them.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A block; of one address, where it has no length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    address: IpAddr,
    network: u128,
    mask: u128,
}

impl Block {
    /// Whether two have an address in common: one then holds the other.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        let mask = self.mask & other.mask;
        self.network & mask == other.network & mask
    }

    /// The address, where it is only one.
    #[must_use]
    pub fn single(self) -> Option<IpAddr> {
        (self.mask == u128::MAX).then(|| self.address.to_canonical())
    }
}

/// The block that `ip_address: truncate` of a policy writes for an address.
#[must_use]
pub fn truncated(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

impl FromStr for Block {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const PROBLEM: &str = "expected an address or a block of them, such as `203.0.113.7` or `203.0.113.0/24`";
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| PROBLEM)?;
        // IPv4 addresses live in their IPv4-mapped block (RFC 4291 section 2.5.5.2): one comparison serves both families.
        let (bits, width) = match address {
            IpAddr::V4(v4) => (u128::from(v4.to_ipv6_mapped()), 32_u32),
            IpAddr::V6(v6) => (u128::from(v6), 128),
        };
        let length = match length {
            None => width,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|length| *length <= width).ok_or(PROBLEM)?
            }
            Some(_) => return Err(PROBLEM),
        };
        let mask = u128::MAX.checked_shl(width.saturating_sub(length)).unwrap_or(0);
        Ok(Self { address, network: bits & mask, mask })
    }
}

#[cfg(test)]
mod tests;
