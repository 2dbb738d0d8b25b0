//! The PHC string of an Argon2 hash, as the reference implementation's `encoding.c` reads and writes it:
//! `$argon2id$v=19$m=65536,t=3,p=4$<salt>$<tag>`, with `v=` left out meaning version 1.0.

use std::fmt;

use argon2::{Algorithm, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::Cost;

/// RFC 9106 section 3.1: a tag has at least 4 bytes; `argon2.h`: a salt at least 8.
const MIN_TAG_BYTES: usize = argon2::Params::MIN_OUTPUT_LEN;
const MIN_SALT_BYTES: usize = argon2::MIN_SALT_LEN;

/// A parsed hash.
#[derive(Clone)]
pub struct Phc {
    /// Argon2d, Argon2i or Argon2id.
    pub algorithm: Algorithm,
    /// 1.0 (`v=16`) or 1.3 (`v=19`).
    pub version: Version,
    /// What it costs to verify.
    pub cost: Cost,
    /// The salt.
    pub salt: Vec<u8>,
    /// The tag to compare with.
    pub tag: Vec<u8>,
}

impl Phc {
    /// Parses a PHC string.
    ///
    /// # Errors
    /// What is wrong with it, lower case, never quoting the salt or the tag.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix('$').ok_or("it does not start with `$argon2id$`, `$argon2i$` or `$argon2d$`")?;
        let mut fields = rest.split('$');
        let mut next = |name: &str| fields.next().ok_or_else(|| format!("it ends before the {name}"));
        let algorithm = match next("algorithm")? {
            "argon2d" => Algorithm::Argon2d,
            "argon2i" => Algorithm::Argon2i,
            "argon2id" => Algorithm::Argon2id,
            _ => return Err("its algorithm is not argon2id, argon2i or argon2d".to_owned()),
        };
        let mut field = next("parameters")?;
        let version = match field.strip_prefix("v=") {
            None => Version::V0x10,
            Some(version) => {
                field = next("parameters")?;
                match version {
                    "16" => Version::V0x10,
                    "19" => Version::V0x13,
                    _ => return Err("its version is neither 16 nor 19".to_owned()),
                }
            }
        };
        let cost = parse_cost(field)?;
        let salt = decode(next("salt")?, "salt", MIN_SALT_BYTES)?;
        let tag = decode(next("tag")?, "tag", MIN_TAG_BYTES)?;
        if fields.next().is_some() {
            return Err("something follows the tag".to_owned());
        }
        Ok(Self { algorithm, version, cost, salt, tag })
    }
}

fn parse_cost(text: &str) -> Result<Cost, String> {
    let mut parameters = text.split(',');
    let mut next = |name: &str| {
        parameters
            .next()
            .and_then(|parameter| parameter.strip_prefix(name))
            .and_then(decimal)
            .ok_or_else(|| format!("its parameters are not `m=…,t=…,p=…`: `{name}` is missing or not a number"))
    };
    let cost = Cost { memory: next("m=")?, iterations: next("t=")?, parallelism: next("p=")? };
    if parameters.next().is_some() {
        return Err("it has parameters besides `m`, `t` and `p`".to_owned());
    }
    if cost.is_excessive() {
        return Err("its cost is excessive: more than 4 GiB of memory, or 64 GiB filled in all iterations".to_owned());
    }
    cost.params(MIN_TAG_BYTES).map_err(|_| "its parameters are outside what Argon2 defines".to_owned())?;
    Ok(cost)
}

/// A number as the PHC format writes it: digits only, no leading zero.
fn decimal(text: &str) -> Option<u32> {
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    text.parse().ok().filter(|_| canonical)
}

fn decode(text: &str, name: &str, min_bytes: usize) -> Result<Vec<u8>, String> {
    let bytes = STANDARD_NO_PAD.decode(text).map_err(|_| format!("its {name} is not unpadded base64"))?;
    if bytes.len() < min_bytes {
        return Err(format!("its {name} has fewer than {min_bytes} bytes"));
    }
    Ok(bytes)
}

impl fmt::Display for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost { memory, iterations, parallelism } = self.cost;
        write!(
            f,
            "${}$v={}$m={memory},t={iterations},p={parallelism}${}${}",
            self.algorithm.as_str(),
            u32::from(self.version),
            STANDARD_NO_PAD.encode(&self.salt),
            STANDARD_NO_PAD.encode(&self.tag)
        )
    }
}

impl fmt::Debug for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phc")
            .field("algorithm", &self.algorithm.as_str())
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}
