//! How strongly and how lately a caller must have authenticated (RFC 9470).

use crate::json::{Json, Members};
use crate::text::Text;
use crate::time::UnixTime;

/// A route's `step_up`. All that is given must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepUp {
    /// Empty: any. Else `acr` must be one of them.
    acr_values: Vec<String>,
    /// Empty: any. Else at least one must be in `amr` (RFC 8176).
    amr: Vec<String>,
    /// How long ago, in seconds, `auth_time` may be.
    max_age: Option<u64>,
    challenge: Text,
}

impl StepUp {
    /// The claims that any of them looks at.
    pub(crate) const CLAIMS: [&'static str; 3] = ["acr", "amr", "auth_time"];

    /// `acr_values` and `amr` are of visible ASCII characters without quotes and backslashes.
    pub(crate) fn new(acr_values: Vec<String>, amr: Vec<String>, max_age: Option<u64>) -> Self {
        // RFC 9470 section 3.
        let mut challenge = r#"Bearer realm="portcullis", error="insufficient_user_authentication""#.to_owned();
        if !acr_values.is_empty() {
            challenge.push_str(&format!(r#", acr_values="{}""#, acr_values.join(" ")));
        }
        if let Some(seconds) = max_age {
            challenge.push_str(&format!(r#", max_age="{seconds}""#));
        }
        Self { acr_values, amr, max_age, challenge: challenge.into() }
    }

    /// `WWW-Authenticate` for a caller whose authentication does not suffice.
    pub(crate) const fn challenge(&self) -> &Text {
        &self.challenge
    }

    /// Whether the authentication that these claims tell of suffices. What they do not tell of does not.
    pub(crate) fn is_met(&self, claims: &Members<'_>, now: UnixTime, clock_skew: f64) -> bool {
        let acr = claims.get("acr").and_then(Json::as_str);
        let strong = self.acr_values.is_empty() || acr.is_some_and(|acr| self.acr_values.iter().any(|own| own == acr));
        let methods = match claims.get("amr") {
            Some(Json::Array(methods)) => methods.as_slice(),
            Some(one @ Json::String(_)) => std::slice::from_ref(one),
            _ => &[],
        };
        let by_method = self.amr.is_empty()
            || methods.iter().filter_map(Json::as_str).any(|method| self.amr.iter().any(|own| own == method));
        strong && by_method && self.max_age.is_none_or(|max_age| is_fresh(claims, max_age, now, clock_skew))
    }

    /// The rule in words.
    pub(crate) fn describe(&self) -> String {
        let mut parts = Vec::new();
        if !self.acr_values.is_empty() {
            parts.push(format!("acr is one of [{}]", self.acr_values.join(", ")));
        }
        if !self.amr.is_empty() {
            parts.push(format!("amr has one of [{}]", self.amr.join(", ")));
        }
        parts.extend(self.max_age.map(|seconds| format!("auth_time is at most {} ago", duration_text(seconds))));
        parts.join(", ")
    }

    /// Whether some authentication suffices here that does not there.
    pub(crate) fn admits_beyond(&self, other: &Self) -> bool {
        let wider = |own: &[String], other: &[String]| {
            !other.is_empty() && (own.is_empty() || own.iter().any(|value| !other.contains(value)))
        };
        wider(&self.acr_values, &other.acr_values)
            || wider(&self.amr, &other.amr)
            || other.max_age.is_some_and(|other| self.max_age.is_none_or(|own| own > other))
    }
}

/// A duration as policies write it, in the largest unit that fits.
fn duration_text(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3600), ("m", 60)];
    let fitting = units.iter().find(|(_, length)| seconds.is_multiple_of(*length));
    fitting.map_or_else(|| format!("{seconds}s"), |(unit, length)| format!("{}{unit}", seconds / length))
}

/// `auth_time` (OpenID Connect Core 1.0 section 2): a number of seconds, not further ahead than clocks may differ.
fn is_fresh(claims: &Members<'_>, max_age: u64, now: UnixTime, clock_skew: f64) -> bool {
    let Some(at) = claims.get("auth_time").and_then(Json::as_f64) else { return false };
    let age = now.seconds() - at;
    // False for whatever is no number.
    #[expect(clippy::cast_precision_loss, reason = "a policy's durations are far below 2^53 seconds")]
    let within = age <= max_age as f64 + clock_skew;
    within && age >= -clock_skew
}

#[cfg(test)]
mod tests;
