//! What a policy has masked beyond what is masked anyway.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Hmac;
use sha2::Sha256;

use super::chain::{hmac, mac};
use super::scrub::{MASKED, scrub};
use crate::route::{RouteMatch, Segment};
use crate::secret::Secret;

/// The key of hashes in the place of values. Under one key, the same value has the same hash: records still join.
#[derive(Clone)]
pub struct MaskKey(Hmac<Sha256>);

impl MaskKey {
    /// The key that a secret is.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(hmac(secret.expose()))
    }

    /// What stands for a value of a field: `h:` and 128 bits, base64url. The field is part of what is hashed.
    #[must_use]
    pub fn hash(&self, field: &str, value: &str) -> String {
        let mac = mac(&self.0, &[field.as_bytes(), &[0], value.as_bytes()]);
        let mut text = String::with_capacity(24);
        text.push_str("h:");
        URL_SAFE_NO_PAD.encode_string(mac.get(..16).unwrap_or_default(), &mut text);
        text
    }
}

impl std::fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MaskKey(redacted)")
    }
}

/// How much of a value a record has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mask {
    /// As much as is never masked anyway.
    #[default]
    None,
    /// Of an address, its network.
    Truncate,
    /// A keyed hash.
    Hash,
}

/// `mask` of a policy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Masks {
    pub(crate) user_id: Mask,
    pub(crate) ip_address: Mask,
    /// Parameters that are written as hashes, in the place of their names.
    pub(crate) path_params: Vec<String>,
    /// The policy's roles that cannot be repeated as they are, and what stands for them.
    pub(crate) roles: Vec<(String, String)>,
    /// Absent where it is not at hand; then what it would hash is hidden.
    pub(crate) key: Option<MaskKey>,
}

impl Masks {
    fn hash(&self, field: &str, value: &str) -> String {
        self.key.as_ref().map_or_else(|| MASKED.to_owned(), |key| key.hash(field, value))
    }

    /// A subject, and whether it is not in full.
    pub(crate) fn user_id(&self, subject: &str) -> (String, bool) {
        match self.user_id {
            Mask::None | Mask::Truncate => scrub(subject),
            Mask::Hash => (self.hash("user_id", subject), true),
        }
    }

    /// Writes an address, and tells whether it is not in full.
    pub(crate) fn push_ip_address(&self, address: IpAddr, out: &mut String) -> bool {
        match (self.ip_address, address) {
            (Mask::None, IpAddr::V4(address)) => super::push_dotted(address, out),
            _ => self.push_other_address(address, out),
        }
        self.ip_address != Mask::None
    }

    #[inline(never)]
    fn push_other_address(&self, address: IpAddr, out: &mut String) {
        match self.ip_address {
            Mask::None => out.push_str(&address.to_string()),
            Mask::Truncate => out.push_str(&network(address)),
            Mask::Hash => out.push_str(&self.hash("ip_address", &address.to_string())),
        }
    }

    /// The path of a route with some of its parameters as hashes; `None` where the template says it all.
    pub(crate) fn path(&self, matched: &RouteMatch<'_>) -> Option<String> {
        let hashed = |name: &str| self.path_params.iter().any(|own| own == name);
        if self.path_params.is_empty() || !matched.params().any(|(name, _)| hashed(name)) {
            return None;
        }
        Some(self.hashed_path(matched))
    }

    #[inline(never)]
    fn hashed_path(&self, matched: &RouteMatch<'_>) -> String {
        let hashed = |name: &str| self.path_params.iter().any(|own| own == name);
        let mut path = String::with_capacity(64);
        for segment in &matched.route.path.segments {
            path.push('/');
            match segment {
                Segment::Literal(text) => path.push_str(text),
                Segment::Param(name) | Segment::Rest(name) if hashed(name) => {
                    path.push_str(&self.hash("path", matched.param(name).unwrap_or_default()));
                }
                Segment::Param(name) => path.extend(["{", name, "}"]),
                Segment::Rest(name) => path.extend(["{*", name, "}"]),
            }
        }
        path
    }
}

/// An address without the part that tells one customer of a network from another.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Ipv4Addr::new(a, b, c, 0).to_string() + "/24"
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_string() + "/48"
        }
    }
}

#[cfg(test)]
mod tests;
