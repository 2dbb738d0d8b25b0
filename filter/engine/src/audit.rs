//! The audit record: one line a request, made of named fields and nothing else.

mod burst;
mod chain;
mod journal;
mod mask;
mod scrub;
mod stamp;

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

pub(crate) use self::burst::BurstRules;
use self::burst::{Counted, Group};
pub use self::chain::{BEFORE_FIRST, Chain, ChainKey, ChainMac, SealedLine};
pub use self::journal::{Entry, Journal};
pub(crate) use self::mask::Masks;
pub use self::mask::{Mask, MaskKey};
pub(crate) use self::scrub::Scrubbed;
pub use self::scrub::{MASKED, scrub};
use self::stamp::Stamp;
use crate::decision::{Decision, DenyReason, Event};
use crate::reply::status_digits;
use crate::request::{Action, Envelope};
use crate::route::Route;
use crate::session::RecordedIdentity;
use crate::time::UnixTime;

/// Which requests are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditLevel {
    All,
    Denied,
    None,
}

/// `audit` of a policy.
#[derive(Debug)]
pub(crate) struct AuditRules {
    pub(crate) level: AuditLevel,
    pub(crate) sinks: Sinks,
    pub(crate) sample: Sample,
    pub(crate) burst: Option<BurstRules>,
    pub(crate) masks: Masks,
    pub(crate) chain: Option<ChainRules>,
}

impl Default for AuditRules {
    fn default() -> Self {
        Self {
            level: AuditLevel::All,
            sinks: Sinks { access_log: true, log: false },
            sample: Sample::ALL,
            burst: None,
            masks: Masks::default(),
            chain: None,
        }
    }
}

/// `chain` of a policy.
#[derive(Debug)]
pub(crate) struct ChainRules {
    /// Absent where it is not at hand; then nothing is sealed.
    pub(crate) key: Option<ChainKey>,
    /// How often it is said how far the chain has come.
    pub(crate) checkpoint: Duration,
}

/// The share of allowed requests that are recorded, in parts of 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample(u64);

impl Sample {
    pub(crate) const ALL: Self = Self(1 << 32);

    /// Of a share from 0 to 1.
    pub(crate) fn of(share: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 2^32")]
        Self((share.clamp(0.0, 1.0) * 4_294_967_296.0).round() as u64)
    }

    pub(crate) fn share(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "from 0 to 2^32")]
        let parts = self.0 as f64;
        parts / 4_294_967_296.0
    }
}

/// Picks the allowed requests that are recorded: which they are cannot be foreseen without the seed, and can be repeated
/// with it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sampler(Option<u64>);

impl Sampler {
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self(Some(seed))
    }

    /// Whether the next is among them; always, without a seed.
    pub(crate) const fn takes(&mut self, sample: Sample) -> bool {
        let (Some(state), true) = (&mut self.0, sample.0 < Sample::ALL.0) else { return true };
        // SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) >> 32 < sample.0
    }
}

/// Which decisions on one request are recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recording {
    pub(crate) level: AuditLevel,
    /// It is among the allowed ones that are.
    pub(crate) sampled: bool,
}

impl Recording {
    pub(crate) const fn takes(self, decision: Decision) -> bool {
        self.level.records(decision) && (self.sampled || !matches!(decision, Decision::Allow(_)))
    }
}

/// The fields of a record that are not in full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Masked(u8);

impl Masked {
    pub(crate) const USER_ID: Self = Self(1);
    pub(crate) const ROLE: Self = Self(1 << 1);
    pub(crate) const IP_ADDRESS: Self = Self(1 << 2);
    pub(crate) const PATH: Self = Self(1 << 3);
    pub(crate) const REQUEST_ID: Self = Self(1 << 4);
    pub(crate) const KID: Self = Self(1 << 5);
    const NAMES: [&str; 6] = ["user_id", "role", "ip_address", "path", "request_id", "kid"];

    /// Notes a field where it is not in full.
    pub(crate) const fn note(&mut self, field: Self, masked: bool) {
        if masked {
            self.0 |= field.0;
        }
    }
}

/// Where records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sinks {
    /// Filter state, for Envoy's access loggers to write.
    pub access_log: bool,
    /// The proxy's own log.
    pub log: bool,
}

impl AuditLevel {
    pub(crate) const fn records(self, decision: Decision) -> bool {
        match self {
            Self::All => true,
            Self::Denied => !matches!(decision, Decision::Allow(_)),
            Self::None => false,
        }
    }
}

const STATUS: &str = r#","status":"#;

/// The status of most responses, as it stands in the records of their routes.
const USUAL_STATUS: u16 = 200;

/// A record that waits for the status of the response. Where it goes, it is copied: what is larger than 64 bytes, V8 copies
/// by a call out of the virtual machine.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// As of the status that is likely.
    line: String,
    likely: u16,
    /// Where its digits stand.
    status_at: usize,
    /// Where event, action, decision and reason stand.
    outcome: Range<usize>,
    action: AuditAction,
    timestamp: UnixTime,
    group: Group,
}

#[cfg(target_arch = "wasm32")]
const _: () = assert!(size_of::<AuditRecord>() <= 64);

/// What records say again and again, as it stands in them.
#[derive(Debug)]
pub(crate) struct Phrases {
    stamp: Stamp,
    /// By decision and action of the method: what was decided, from when it was first.
    outcomes: Vec<Option<Box<str>>>,
}

impl Default for Phrases {
    fn default() -> Self {
        Self { stamp: Stamp::default(), outcomes: vec![None; Decision::COUNT * Action::COUNT] }
    }
}

/// What records of a route have in common.
#[derive(Clone, Debug)]
pub(crate) struct RecordedRoute {
    name: Box<str>,
    /// The template of its path, and [`USUAL_STATUS`].
    path: Box<str>,
}

impl RecordedRoute {
    pub(crate) fn new(name: &str, path: &str) -> Self {
        let path = format!("{}{STATUS}{USUAL_STATUS}", members(&[("path", Some(path))]));
        Self { name: members(&[("route", Some(name))]), path: path.into() }
    }
}

/// What a caller did, in the words of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditAction {
    Authenticate,
    Preflight,
    Read,
    Write,
    Other,
}

/// The digest of the policy as records end with it.
pub(crate) fn policy_member(digest: &str) -> Box<str> {
    format!("{}}}", members(&[("policy", Some(digest))])).into()
}

/// Everything a record is made of. What is not here cannot be in one.
pub(crate) struct Fields<'a> {
    pub(crate) timestamp: UnixTime,
    pub(crate) decision: Decision,
    /// The status that the response is likely to have.
    pub(crate) status: u16,
    pub(crate) envelope: &'a Envelope<'a>,
    pub(crate) route: Option<&'a Route>,
    /// What is there of the path, where it is not the template of its route.
    pub(crate) path: Option<&'a str>,
    pub(crate) path_masked: bool,
    pub(crate) ip: Option<IpAddr>,
    /// Who refused the token, where it is nobody's.
    pub(crate) provider: Option<&'a str>,
    pub(crate) identity: Option<&'a RecordedIdentity>,
    pub(crate) role: Option<&'a str>,
    pub(crate) masks: &'a Masks,
    /// As [`policy_member`] has it.
    pub(crate) policy: &'a str,
}

impl AuditRecord {
    pub(crate) fn new(fields: &Fields<'_>, phrases: &mut Phrases) -> Self {
        let decision = fields.decision;
        let identity = fields.identity;
        let mut line = Line(String::with_capacity(640));
        line.push(phrases.stamp.of(fields.timestamp));
        let method = fields.envelope.method.action();
        let (action, start) = (AuditAction::of(decision, method), line.0.len());
        match phrases.outcomes.get_mut(decision.index() * Action::COUNT + method as usize) {
            Some(known) => line.push(known.get_or_insert_with(|| outcome(decision, action))),
            None => line.push(&outcome(decision, action)),
        }
        let outcome = start..line.0.len();
        let mut masked = identity.map(|identity| identity.masked).unwrap_or_default();
        masked.note(Masked::PATH, fields.path_masked);
        line.push(fields.route.map_or("", |route| &route.recorded.name));
        line.push(identity.map_or("", |identity| &identity.user_id));
        if let Some(role) = fields.role {
            let known = fields.masks.roles.iter().find(|(own, _)| own == role);
            masked.note(Masked::ROLE, known.is_some());
            line.word(r#","role":""#, known.map_or(role, |(_, instead)| instead));
        }
        if let Some(ip) = fields.ip {
            line.address(ip, fields.masks, &mut masked);
        }
        line.push(fields.envelope.method.recorded());
        match (fields.path, fields.route) {
            (None, Some(route)) => line.push(&route.recorded.path),
            (path, _) => line.path(path),
        }
        let status_at = line.0.len().saturating_sub(3);
        if fields.status != USUAL_STATUS {
            line.0.truncate(status_at);
            line.status(fields.status);
        }
        if let Some(id) = fields.envelope.request_id {
            if scrub::is_uuid(id) {
                line.word(r#","request_id":""#, id);
            } else {
                let (id, hidden) = scrub(id);
                masked.note(Masked::REQUEST_ID, hidden);
                line.word(r#","request_id":""#, &id);
            }
        }
        match identity {
            Some(identity) => line.push(&identity.origin),
            None => line.words(&[(r#","provider":""#, fields.provider)]),
        }
        line.masked(masked);
        line.push(fields.policy);
        let group = Group { decision, route: fields.route.map(|route| Rc::clone(&route.name)), ip: fields.ip };
        let (likely, timestamp) = (fields.status, fields.timestamp);
        Self { line: line.0, likely, status_at, outcome, action, timestamp, group }
    }

    /// The same record, of a request that was refused in the end because the host failed.
    #[must_use]
    pub fn failed(self) -> Self {
        self.decided(Decision::Deny(DenyReason::InternalError))
    }

    /// The same record, of a request of which more was seen, and then decided.
    #[must_use]
    pub(crate) fn decided(mut self, decision: Decision) -> Self {
        let instead = outcome(decision, self.action);
        self.group.decision = decision;
        self.line.replace_range(self.outcome.clone(), &instead);
        self.status_at = self.status_at.saturating_add(instead.len()).saturating_sub(self.outcome.len());
        self.outcome.end = self.outcome.start.saturating_add(instead.len());
        self
    }

    /// The line, without a line break. `status` is absent where there was no response.
    #[must_use]
    pub fn line(self, status: Option<u16>) -> String {
        if status == Some(self.likely) { self.line } else { self.restated(status) }
    }

    #[inline(never)]
    fn restated(mut self, status: Option<u16>) -> String {
        let mut instead = Line(String::new());
        if let Some(status) = status {
            instead.push(STATUS);
            instead.status(status);
        }
        let start = self.status_at.saturating_sub(STATUS.len());
        self.line.replace_range(start..self.status_at.saturating_add(3), &instead.0);
        self.line
    }
}

/// The line that stands for denials without one of their own.
fn summary(group: &Group, counted: Counted, now: UnixTime, masks: &Masks, policy: &str) -> String {
    let mut line = Line(String::with_capacity(400));
    line.word(r#"{"timestamp":""#, &now.rfc3339());
    line.push(&outcome(group.decision, counted.action));
    line.words(&[(r#","route":""#, group.route.as_deref())]);
    let mut masked = Masked::default();
    if let Some(ip) = group.ip {
        line.address(ip, masks, &mut masked);
    }
    line.masked(masked);
    line.word(r#","policy":""#, policy);
    line.push(",\"count\":");
    chain::push_number(&mut line.0, counted.count);
    line.word(r#","since":""#, &counted.since.rfc3339());
    line.0.push('}');
    line.0
}

/// What was decided.
#[inline(never)]
fn outcome(decision: Decision, action: AuditAction) -> Box<str> {
    let event = decision.event().as_str();
    let words =
        [("event", event), ("action", action.as_str()), ("decision", decision.as_str()), ("reason", decision.reason())];
    members(&words.map(|(name, word)| (name, Some(word))))
}

impl AuditAction {
    const fn of(decision: Decision, method: Action) -> Self {
        match (decision.event(), method) {
            (Event::Authentication, _) => Self::Authenticate,
            (Event::Cors, _) => Self::Preflight,
            (_, Action::Read) => Self::Read,
            (_, Action::Write) => Self::Write,
            (_, Action::Other) => Self::Other,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Authenticate => "authenticate",
            Self::Preflight => "preflight",
            Self::Read => "read",
            Self::Write => "write",
            Self::Other => "other",
        }
    }
}

/// A JSON object in the making. Members come with the text before their value: `,"name":"`. Values need no escaping: they
/// are words of ours, names whose letters the policy's compiler has checked, or were escaped when a session was made.
struct Line(String);

impl Line {
    fn status(&mut self, status: u16) {
        self.push(std::str::from_utf8(&status_digits(status)).unwrap_or_default());
    }

    #[inline(never)]
    fn path(&mut self, path: Option<&str>) {
        self.words(&[(r#","path":""#, path)]);
        self.push(STATUS);
        self.status(USUAL_STATUS);
    }

    /// A function of its own: a record is put together of a dozen pieces, and a copy of this for each is more code for a
    /// processor to fetch with every request.
    #[inline(never)]
    fn push(&mut self, text: &str) {
        self.0.push_str(text);
    }

    #[inline(never)]
    fn word(&mut self, member: &str, word: &str) {
        self.push(member);
        self.push(word);
        self.push("\"");
    }

    fn address(&mut self, ip: IpAddr, masks: &Masks, masked: &mut Masked) {
        self.push(r#","ip_address":""#);
        masked.note(Masked::IP_ADDRESS, masks.push_ip_address(ip, &mut self.0));
        self.0.push('"');
    }

    fn masked(&mut self, masked: Masked) {
        if masked != Masked::default() {
            self.names_of(masked);
        }
    }

    #[inline(never)]
    fn names_of(&mut self, masked: Masked) {
        self.push(",\"masked\":");
        let mut before = '[';
        for (at, name) in Masked::NAMES.iter().enumerate() {
            if masked.0 >> at & 1 == 1 {
                self.0.push(before);
                self.0.extend(["\"", name, "\""]);
                before = ',';
            }
        }
        self.0.push(']');
    }

    /// Those of some members that are there.
    fn words(&mut self, members: &[(&str, Option<&str>)]) {
        for (member, word) in members {
            if let Some(word) = word {
                self.word(member, word);
            }
        }
    }
}

/// Those of some members that are there, as they stand in a record.
pub(crate) fn members(members: &[(&str, Option<&str>)]) -> Box<str> {
    let mut line = String::with_capacity(160);
    for (name, word) in members {
        if let Some(word) = word {
            line.extend([",\"", name, "\":\"", word, "\""]);
        }
    }
    line.into()
}

/// The text as it stands between the quotes of a JSON string, in printable characters: a record is one line for every
/// reader of lines, and nothing that a terminal acts on.
pub(crate) fn escape(text: String) -> String {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b'\\');
    if text.bytes().all(is_plain) { text } else { escaped(text) }
}

#[inline(never)]
fn escaped(text: String) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let mut escaped = String::with_capacity(quoted.len());
    for sign in quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().chars() {
        // RFC 8259 section 7 leaves these as they are. To some readers they end a line (The Unicode Standard, section 5.8), or
        // change the order of what follows (UAX #9, section 2).
        if sign.is_control()
            || matches!(sign, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
        {
            escaped.push_str(&format!("\\u{:04x}", u32::from(sign)));
        } else {
            escaped.push(sign);
        }
    }
    escaped
}

/// Writes what `Display` gives, without the cost of formatting: this is on the way of every request.
fn push_dotted(ip: Ipv4Addr, out: &mut String) {
    let [first, second, third, fourth] = ip.octets();
    push_octet(first, false, out);
    push_octet(second, true, out);
    push_octet(third, true, out);
    push_octet(fourth, true, out);
}

/// A function of its own for the reason of [`Line::push`].
#[inline(never)]
fn push_octet(octet: u8, follows: bool, out: &mut String) {
    let digit = |divisor: u8| char::from(b'0' + octet / divisor % 10);
    if follows {
        out.push('.');
    }
    if octet >= 100 {
        out.push(digit(100));
    }
    if octet >= 10 {
        out.push(digit(10));
    }
    out.push(digit(1));
}

#[cfg(test)]
mod tests;
