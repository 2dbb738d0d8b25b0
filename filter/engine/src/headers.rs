//! Changes to header maps, and the security headers of a response.

use std::borrow::Cow;

/// One change to a header map. Names are lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderEdit {
    /// The header has this value and no other.
    Set(Cow<'static, str>, Cow<'static, str>),
    /// The header has this value, unless it has one already.
    SetIfAbsent(Cow<'static, str>, Cow<'static, str>),
    /// The header is gone, however often it stood there.
    Remove(Cow<'static, str>),
    /// `Vary` lists `Origin`, beside what it lists already.
    VaryOrigin,
}

impl HeaderEdit {
    pub(crate) const fn set(name: &'static str, value: &'static str) -> Self {
        Self::Set(Cow::Borrowed(name), Cow::Borrowed(value))
    }

    pub(crate) const fn remove(name: &'static str) -> Self {
        Self::Remove(Cow::Borrowed(name))
    }

    /// The header changed.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Set(name, _) | Self::SetIfAbsent(name, _) | Self::Remove(name) => name,
            Self::VaryOrigin => "vary",
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

/// What both presets set, whatever the upstream says.
const COMMON: [HeaderEdit; 7] = [
    HeaderEdit::set("x-content-type-options", "nosniff"),
    HeaderEdit::set("x-frame-options", "DENY"),
    HeaderEdit::set("x-xss-protection", "1; mode=block"),
    HeaderEdit::set("referrer-policy", "no-referrer"),
    HeaderEdit::set("strict-transport-security", "max-age=31536000; includeSubDomains"),
    HeaderEdit::set("cross-origin-opener-policy", "same-origin"),
    HeaderEdit::set("permissions-policy", PERMISSIONS_POLICY),
];

impl Preset {
    /// The edits of the preset. `cors`: whether a CORS block applies, which `cross-origin-resource-policy` would defeat.
    pub(crate) fn edits(self, cors: bool) -> Vec<HeaderEdit> {
        let mut edits = match self {
            Self::None => return Vec::new(),
            Self::Recommended | Self::Api => COMMON.to_vec(),
        };
        if self == Self::Recommended {
            edits.push(HeaderEdit::SetIfAbsent(CSP.into(), "frame-ancestors 'none'".into()));
        } else {
            edits.push(HeaderEdit::set(CSP, "default-src 'none'; frame-ancestors 'none'"));
            edits.push(HeaderEdit::SetIfAbsent("cache-control".into(), "no-store".into()));
            if !cors {
                edits.push(HeaderEdit::set("cross-origin-resource-policy", "same-origin"));
            }
        }
        edits
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
    /// The edits of every response of the upstream: the preset, then what `set` says instead, less what `remove` names.
    pub(crate) fn edits(&self, cors: bool) -> Vec<HeaderEdit> {
        let overridden = |name: &str| {
            self.set.iter().any(|(set, _)| set == name) || self.remove.iter().any(|removed| removed == name)
        };
        let mut edits = self.preset.edits(cors);
        edits.retain(|edit| !overridden(edit.name()));
        edits.extend(self.set.iter().map(|(name, value)| HeaderEdit::Set(name.clone().into(), value.clone().into())));
        edits.extend(self.remove.iter().map(|name| HeaderEdit::Remove(name.clone().into())));
        edits
    }

    /// The headers of every reply of our own: always the `api` set, and what `set` adds to it.
    pub(crate) fn reply_headers(&self, cors: bool) -> Vec<(Cow<'static, str>, Cow<'static, str>)> {
        let mut headers: Vec<_> = Preset::Api
            .edits(cors)
            .into_iter()
            .filter_map(|edit| match edit {
                HeaderEdit::Set(name, value) | HeaderEdit::SetIfAbsent(name, value) => Some((name, value)),
                HeaderEdit::Remove(_) | HeaderEdit::VaryOrigin => None,
            })
            .collect();
        for (name, value) in &self.set {
            if !headers.iter().any(|(taken, _)| taken == name) {
                headers.push((name.clone().into(), value.clone().into()));
            }
        }
        headers
    }
}
