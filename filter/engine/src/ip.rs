//! Client addresses and CIDR blocks (RFC 4632, RFC 4291).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    network: u128,
    mask: u128,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CidrError {
    NotAnAddress,
    PrefixLength,
    /// Bits are set beyond the prefix; carries the block that was probably meant.
    HostBits(String),
}

impl Cidr {
    /// Parses `10.0.0.0/8`, `::1/128` or a bare address.
    pub(crate) fn parse(text: &str) -> Result<Self, CidrError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| CidrError::NotAnAddress)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => width,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse::<u32>().ok().filter(|length| *length <= width).ok_or(CidrError::PrefixLength)?
            }
            Some(_) => return Err(CidrError::PrefixLength),
        };
        let mask = u128::MAX.checked_shl(width.saturating_sub(length)).unwrap_or(0);
        let bits = to_bits(address);
        if bits & !mask != 0 {
            return Err(CidrError::HostBits(format!("{}/{length}", from_bits(bits & mask, address))));
        }
        Ok(Self { network: bits, mask })
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        to_bits(address) & self.mask == self.network
    }

    /// Whether the block holds all of another.
    const fn holds(self, other: Self) -> bool {
        self.mask & other.mask == self.mask && other.network & self.mask == self.network
    }

    /// Whether the block holds every address there is of some family.
    pub(crate) const fn is_everything(self) -> bool {
        self.mask == 0 || (self.mask == u128::MAX << 32 && self.network == 0xffff << 32)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, ones) = (Ipv6Addr::from(self.network), self.mask.leading_ones());
        match address.to_ipv4_mapped().zip(ones.checked_sub(96)) {
            Some((v4, 32)) => write!(f, "{v4}"),
            Some((v4, ones)) => write!(f, "{v4}/{ones}"),
            None if ones == 128 => write!(f, "{address}"),
            None => write!(f, "{address}/{ones}"),
        }
    }
}

/// IPv4 addresses live in their IPv4-mapped block (RFC 4291 section 2.5.5.2), so that one comparison serves both
/// families and a mapped client address cannot slip past an IPv4 rule.
fn to_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn from_bits(bits: u128, family: IpAddr) -> IpAddr {
    let v6 = Ipv6Addr::from(bits);
    match family {
        IpAddr::V4(_) => IpAddr::V4(v6.to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED)),
        IpAddr::V6(_) => IpAddr::V6(v6),
    }
}

/// Parses Envoy's `source.address`: `ip:port`, `[v6]:port`, or a bare address. IPv4-mapped addresses become IPv4.
#[must_use]
pub fn parse_peer(text: &[u8]) -> Option<IpAddr> {
    match parse_ipv4_peer(text) {
        Some(address) => Some(IpAddr::V4(address)),
        None => parse_any_peer(text),
    }
}

#[inline(never)]
fn parse_any_peer(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let address: IpAddr = match text.parse::<std::net::SocketAddr>() {
        Ok(socket) => socket.ip(),
        Err(_) => text.parse().ok()?,
    };
    Some(address.to_canonical())
}

/// Most peers, without the cost of a parser that must foresee every other: this is on the way of every request. `None` is for
/// that parser to decide.
fn parse_ipv4_peer(text: &[u8]) -> Option<Ipv4Addr> {
    let (a, rest) = octet(text)?;
    let (b, rest) = octet(rest.strip_prefix(b".")?)?;
    let (c, rest) = octet(rest.strip_prefix(b".")?)?;
    let (d, rest) = octet(rest.strip_prefix(b".")?)?;
    let is_whole = match rest {
        [] => true,
        [b':', first @ b'1'..=b'9', digits @ ..] if digits.len() <= 4 => {
            let number = digits.iter().try_fold(u32::from(first - b'0'), |number, byte| {
                byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
            });
            number.is_some_and(|number| number <= 65_535)
        }
        _ => false,
    };
    is_whole.then(|| Ipv4Addr::new(a, b, c, d))
}

/// A number up to 255, without zeros before it, and what follows.
fn octet(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: &u8| u16::from(byte - b'0');
    let (number, rest) = match text {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            (digit(a) * 100 + digit(b) * 10 + digit(c), rest)
        }
        [a @ b'1'..=b'9', b @ b'0'..=b'9', rest @ ..] => (digit(a) * 10 + digit(b), rest),
        [a @ b'0'..=b'9', rest @ ..] => (digit(a), rest),
        _ => return None,
    };
    Some((u8::try_from(number).ok()?, rest))
}

/// `allow` and `deny` lists: a denied address is refused, and where there is an `allow` list all others are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IpRule {
    pub(crate) allow: Vec<Cidr>,
    pub(crate) deny: Vec<Cidr>,
}

impl IpRule {
    /// Whether a client may come in. A client whose address is unknown may not.
    pub(crate) fn admits(&self, client: Option<IpAddr>) -> bool {
        let Some(client) = client else { return false };
        !self.deny.iter().any(|block| block.contains(client))
            && (self.allow.is_empty() || self.allow.iter().any(|block| block.contains(client)))
    }

    /// Whether a client may come in here that may not there. Blocks are compared one by one: where two make up a third,
    /// the answer is yes although there is none.
    pub(crate) fn admits_beyond(&self, other: &Self) -> bool {
        let within = |blocks: &[Cidr], block: Cidr| blocks.iter().any(|outer| outer.holds(block));
        let allows_more = match (self.allow.is_empty(), other.allow.is_empty()) {
            (_, true) => false,
            (true, false) => true,
            (false, false) => self.allow.iter().any(|block| !within(&other.allow, *block)),
        };
        let meets = |block: Cidr| {
            self.allow.is_empty() || self.allow.iter().any(|allowed| allowed.holds(block) || block.holds(*allowed))
        };
        allows_more || other.deny.iter().any(|block| meets(*block) && !within(&self.deny, *block))
    }

    /// The rule in words.
    pub(crate) fn describe(&self) -> String {
        let join = |blocks: &[Cidr]| blocks.iter().map(Cidr::to_string).collect::<Vec<_>>().join(", ");
        match (self.allow.is_empty(), self.deny.is_empty()) {
            (false, true) => format!("from {}", join(&self.allow)),
            (true, _) => format!("not from {}", join(&self.deny)),
            (false, false) => format!("from {}, not from {}", join(&self.allow), join(&self.deny)),
        }
    }
}

#[cfg(test)]
mod tests;
