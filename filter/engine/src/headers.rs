//! Changes to header maps, and the security headers of a response.

use crate::request::Headers;
use crate::text::{Header, Text};

/// One change to a header map. Names are lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderEdit {
    /// The header has this value and no other.
    Set(Text, Text),
    /// One more line of the header, beside those that are there.
    Append(Text, Text),
    /// The header is gone, however often it stood there.
    Remove(Text),
}

impl HeaderEdit {
    pub(crate) const fn set(name: &'static str, value: &'static str) -> Self {
        Self::Set(Text::Static(name), Text::Static(value))
    }

    pub(crate) const fn remove(name: &'static str) -> Self {
        Self::Remove(Text::Static(name))
    }

    /// The header changed.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Set(name, _) | Self::Append(name, _) | Self::Remove(name) => name,
        }
    }
}

/// Which set of security headers responses carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    Recommended,
    Api,
    None,
}

/// OWASP Secure Headers Project, `headers_add.json`.
const PERMISSIONS_POLICY: &str = "accelerometer=(), autoplay=(), camera=(), cross-origin-isolated=(), \
    display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), keyboard-map=(), \
    magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), publickey-credentials-get=(), \
    screen-wake-lock=(), sync-xhr=(self), usb=(), web-share=(), xr-spatial-tracking=(), clipboard-read=(), \
    clipboard-write=(), gamepad=(), hid=(), idle-detection=(), interest-cohort=(), serial=(), unload=()";

const CSP: &str = "content-security-policy";

/// A rule for a header of every response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderRule {
    /// It has this value, whatever the upstream says.
    Set(Text, Text),
    /// It has this value where the upstream gives it none.
    Default(Text, Text),
    /// It never leaves.
    Remove(Text),
}

impl HeaderRule {
    const fn set(name: &'static str, value: &'static str) -> Self {
        Self::Set(Text::Static(name), Text::Static(value))
    }

    const fn default(name: &'static str, value: &'static str) -> Self {
        Self::Default(Text::Static(name), Text::Static(value))
    }

    fn name(&self) -> &str {
        match self {
            Self::Set(name, _) | Self::Default(name, _) | Self::Remove(name) => name,
        }
    }

    /// What it takes for a response with these headers to obey the rule.
    pub(crate) fn edit(&self, headers: &Headers<'_>) -> Option<HeaderEdit> {
        let mut present = headers.iter().filter(|(name, _)| *name == self.name());
        match self {
            Self::Set(name, value) => {
                let right =
                    present.next().is_some_and(|(_, current)| *current == value.as_bytes()) && present.next().is_none();
                (!right).then(|| HeaderEdit::Set(name.clone(), value.clone()))
            }
            Self::Default(name, value) => {
                present.next().is_none().then(|| HeaderEdit::Set(name.clone(), value.clone()))
            }
            Self::Remove(name) => present.next().map(|_| HeaderEdit::Remove(name.clone())),
        }
    }
}

/// What both presets set, whatever the upstream says.
const COMMON: [HeaderRule; 7] = [
    HeaderRule::set("x-content-type-options", "nosniff"),
    HeaderRule::set("x-frame-options", "DENY"),
    HeaderRule::set("x-xss-protection", "1; mode=block"),
    HeaderRule::set("referrer-policy", "no-referrer"),
    HeaderRule::set("strict-transport-security", "max-age=31536000; includeSubDomains"),
    HeaderRule::set("cross-origin-opener-policy", "same-origin"),
    HeaderRule::set("permissions-policy", PERMISSIONS_POLICY),
];

impl Preset {
    /// The rules of the preset. `cors`: whether a CORS block applies, which `cross-origin-resource-policy` would defeat.
    fn rules(self, cors: bool) -> Vec<HeaderRule> {
        let mut rules = match self {
            Self::None => return Vec::new(),
            Self::Recommended | Self::Api => COMMON.to_vec(),
        };
        if self == Self::Recommended {
            rules.push(HeaderRule::default(CSP, "frame-ancestors 'none'"));
        } else {
            rules.push(HeaderRule::set(CSP, "default-src 'none'; frame-ancestors 'none'"));
            rules.push(HeaderRule::default("cache-control", "no-store"));
            if !cors {
                rules.push(HeaderRule::set("cross-origin-resource-policy", "same-origin"));
            }
        }
        rules
    }
}

/// The `security_headers` block.
#[derive(Clone, Debug)]
pub(crate) struct SecurityHeaders {
    pub(crate) preset: Preset,
    pub(crate) set: Vec<(String, String)>,
    pub(crate) remove: Vec<String>,
}

impl Default for SecurityHeaders {
    fn default() -> Self {
        Self { preset: Preset::Recommended, set: Vec::new(), remove: vec!["server".into(), "x-powered-by".into()] }
    }
}

impl SecurityHeaders {
    /// The rules of every response of the upstream: the preset, then what `set` says instead, less what `remove` names.
    pub(crate) fn rules(&self, cors: bool) -> Vec<HeaderRule> {
        let overridden = |name: &str| {
            self.set.iter().any(|(set, _)| set == name) || self.remove.iter().any(|removed| removed == name)
        };
        let mut rules = self.preset.rules(cors);
        rules.retain(|rule| !overridden(rule.name()));
        rules.extend(self.set.iter().map(|(name, value)| HeaderRule::Set(name.clone().into(), value.clone().into())));
        rules.extend(self.remove.iter().map(|name| HeaderRule::Remove(name.clone().into())));
        rules
    }

    /// The headers of every reply of our own: always the `api` set, and what `set` adds to it.
    pub(crate) fn reply_headers(&self, cors: bool) -> Vec<Header> {
        let preset = Preset::Api.rules(cors).into_iter().filter_map(|rule| match rule {
            HeaderRule::Set(name, value) | HeaderRule::Default(name, value) => Some((name, value)),
            HeaderRule::Remove(_) => None,
        });
        let mut headers: Vec<_> = preset.collect();
        for (name, value) in &self.set {
            if !headers.iter().any(|(taken, _)| **taken == **name) {
                headers.push((name.clone().into(), value.clone().into()));
            }
        }
        headers
    }
}
