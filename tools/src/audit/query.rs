//! What is looked for in records, and bytes that every line must have that is found.

use memchr::memmem::Finder;

use portcullis_engine::audit::{MASKED, MaskKey, scrub};

use super::block::{Block, truncated};
use super::record::{Record, text};

#[cfg(test)]
mod tests;

/// What is looked for. Within a field any of its values will do, and all fields that have some must fit.
#[derive(Clone, Debug, Default)]
pub struct Criteria<'c> {
    /// Not before this moment: RFC 3339 in UTC with milliseconds, as records have it.
    pub since: Option<String>,
    /// Before this moment.
    pub until: Option<String>,
    /// Users, as the token names them or as a record does.
    pub users: &'c [String],
    /// Addresses and blocks of them.
    pub addresses: &'c [Block],
    /// Decisions.
    pub decisions: &'c [String],
    /// Reasons.
    pub reasons: &'c [String],
    /// Names of routes.
    pub routes: &'c [String],
    /// Kinds of event.
    pub events: &'c [String],
    /// Ids of requests.
    pub request_ids: &'c [String],
    /// Users that something was done to.
    pub targets: &'c [String],
    /// The key that users and addresses are hashed with.
    pub mask_key: Option<&'c MaskKey>,
}

/// Criteria, ready to be held against lines.
#[derive(Debug)]
pub struct Query {
    since: Option<String>,
    until: Option<String>,
    users: Vec<String>,
    addresses: Vec<Block>,
    address_hashes: Vec<String>,
    decisions: Vec<String>,
    reasons: Vec<String>,
    routes: Vec<String>,
    events: Vec<String>,
    request_ids: Vec<String>,
    targets: Vec<String>,
    needles: Option<Vec<Finder<'static>>>,
}

impl Query {
    /// Makes criteria ready.
    #[must_use]
    pub fn new(criteria: &Criteria<'_>) -> Self {
        let address_hashes: Vec<String> = criteria
            .mask_key
            .into_iter()
            .flat_map(|key| criteria.addresses.iter().filter_map(|block| block.single()).map(move |ip| (key, ip)))
            .map(|(key, ip)| key.hash("ip_address", &ip.to_string()))
            .collect();
        let mut query = Self {
            since: criteria.since.clone(),
            until: criteria.until.clone(),
            users: names(criteria.users, criteria.mask_key),
            addresses: criteria.addresses.to_vec(),
            address_hashes,
            decisions: criteria.decisions.to_vec(),
            reasons: criteria.reasons.to_vec(),
            routes: criteria.routes.to_vec(),
            events: criteria.events.to_vec(),
            request_ids: criteria.request_ids.to_vec(),
            targets: names(criteria.targets, None),
            needles: None,
        };
        query.needles = query.rarest();
        query
    }

    /// The values of which every line that fits must have one: of the field that fits the fewest lines. Not with the member's
    /// name before them: what stands between the two is up to whoever wrote the line, or passed it on.
    fn rarest(&self) -> Option<Vec<Finder<'static>>> {
        needles(&self.request_ids)
            .or_else(|| needles(&self.targets))
            .or_else(|| needles(&self.users))
            .or_else(|| needles(&self.address_texts()?))
            .or_else(|| needles(&self.reasons))
            .or_else(|| needles(&self.routes))
            .or_else(|| needles(&self.events))
            .or_else(|| needles(&self.decisions))
    }

    /// Every way in which a record may write the addresses; `None` where there is a block among them.
    fn address_texts(&self) -> Option<Vec<String>> {
        let singles: Option<Vec<_>> = self.addresses.iter().map(|block| block.single()).collect();
        let texts = singles?.into_iter().flat_map(|ip| [ip.to_string(), truncated(ip)]);
        Some(texts.chain(self.address_hashes.iter().cloned()).collect())
    }

    /// Whether a record is what is looked for.
    #[must_use]
    pub fn fits(&self, record: &Record<'_>) -> bool {
        let among = |values: &[String], value: &str| values.is_empty() || values.iter().any(|given| given == value);
        let at = record.timestamp.as_str();
        self.since.as_deref().is_none_or(|since| at >= since)
            && self.until.as_deref().is_none_or(|until| at < until)
            && among(&self.decisions, record.decision.as_str())
            && among(&self.reasons, record.reason.as_str())
            && among(&self.events, record.event.as_str())
            && among(&self.users, text(&record.user_id))
            && among(&self.routes, text(&record.route))
            && among(&self.request_ids, text(&record.request_id))
            && among(&self.targets, text(&record.target))
            && self.fits_address(text(&record.ip_address))
    }

    fn fits_address(&self, value: &str) -> bool {
        self.addresses.is_empty()
            || self.address_hashes.iter().any(|hash| hash == value)
            || value.parse().is_ok_and(|block: Block| self.addresses.iter().any(|asked| asked.meets(block)))
    }

    /// Hands on every line of a block that may be what is looked for, in order, each once.
    pub fn candidates<'b>(&self, block: &'b [u8], mut each: impl FnMut(&'b [u8])) {
        match self.needles.as_deref() {
            None => {
                let mut rest = block;
                while !rest.is_empty() {
                    let (line, after) = split_line(rest);
                    each(line);
                    rest = after;
                }
            }
            Some([needle]) => {
                let mut from = 0;
                while let Some(found) = block.get(from..).and_then(|rest| needle.find(rest)) {
                    let (start, end) = line_around(block, from.saturating_add(found));
                    each(block.get(start..end).unwrap_or_default());
                    from = end;
                }
            }
            Some(needles) => {
                let mut lines = Vec::new();
                for needle in needles {
                    let mut from = 0;
                    while let Some(found) = block.get(from..).and_then(|rest| needle.find(rest)) {
                        let (start, end) = line_around(block, from.saturating_add(found));
                        lines.push((start, end));
                        from = end;
                    }
                }
                lines.sort_unstable();
                lines.dedup();
                lines.into_iter().for_each(|(start, end)| each(block.get(start..end).unwrap_or_default()));
            }
        }
    }
}

/// What lines with one of these values have in them; `None` where that is not known of one, or there are none.
fn needles(values: &[String]) -> Option<Vec<Finder<'static>>> {
    let found = values.iter().map(|value| needle(value).map(|needle| Finder::new(&needle).into_owned()));
    found.collect::<Option<Vec<_>>>().filter(|needles| !needles.is_empty())
}

/// The longest part of a value that every writer of JSON writes as it is, with the quotes that it stands between.
fn needle(value: &str) -> Option<String> {
    // Quotes and backslashes have to be escaped (RFC 8259 section 7); of the others here, each is by somebody.
    let may_be_escaped =
        |sign: char| !(' '..='~').contains(&sign) || matches!(sign, '"' | '\\' | '/' | '<' | '>' | '&' | '\'');
    let parts: Vec<&str> = value.split(may_be_escaped).collect();
    let (at, longest) = parts.iter().enumerate().max_by_key(|(_, part)| part.len())?;
    let quote = |there| if there { "\"" } else { "" };
    let (before, after) = (quote(at == 0), quote(at.saturating_add(1) == parts.len()));
    (!longest.is_empty()).then(|| format!("{before}{longest}{after}"))
}

/// Every way in which a record may name these users.
fn names(users: &[String], key: Option<&MaskKey>) -> Vec<String> {
    let mut names = Vec::new();
    for user in users {
        names.push(user.clone());
        // Who is hidden whole cannot be told from others who are.
        names.extend(Some(scrub(user).0).filter(|shown| shown != MASKED));
        names.extend(key.map(|key| key.hash("user_id", user)));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// The first line of a text without its line break, and what comes after.
fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    let (line, after) = text.split_at_checked(end).unwrap_or((text, &[]));
    (line, after.get(1..).unwrap_or_default())
}

/// Where the line begins and ends that has this place in it.
fn line_around(block: &[u8], at: usize) -> (usize, usize) {
    let (before, after) = block.split_at_checked(at).unwrap_or((block, &[]));
    let start = memchr::memrchr(b'\n', before).map_or(0, |last| last.saturating_add(1));
    let end = memchr::memchr(b'\n', after).map_or(block.len(), |length| at.saturating_add(length));
    (start, end)
}
