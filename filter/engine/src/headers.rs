//! Changes to header maps, and the security headers of a response.

use std::iter::Chain;
use std::rc::Rc;
use std::slice;

use crate::request::Headers;
use crate::set_cookie::CookieRules;
use crate::text::{Header, Text};

/// One change to a header map. Names are lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderEdit {
    /// The header has this value and no other.
    Set(Text, Text),
    /// The header, which is not there, has this value.
    Add(Text, Text),
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
            Self::Set(name, _) | Self::Add(name, _) | Self::Append(name, _) | Self::Remove(name) => name,
        }
    }
}

/// The edits of a header map, to be made in this order: its own, then those that it has in common with others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    own: Vec<HeaderEdit>,
    shared: Option<Rc<[HeaderEdit]>>,
}

impl HeaderEdits {
    pub(crate) const fn new(own: Vec<HeaderEdit>, shared: Option<Rc<[HeaderEdit]>>) -> Self {
        Self { own, shared }
    }

    /// Each edit.
    pub fn iter(&self) -> Chain<slice::Iter<'_, HeaderEdit>, slice::Iter<'_, HeaderEdit>> {
        self.own.iter().chain(self.shared.as_deref().unwrap_or_default())
    }
}

impl<'e> IntoIterator for &'e HeaderEdits {
    type Item = &'e HeaderEdit;
    type IntoIter = Chain<slice::Iter<'e, HeaderEdit>, slice::Iter<'e, HeaderEdit>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
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
const HSTS: &str = "strict-transport-security";

/// Headers that tell of the inside (OWASP Secure Headers Project, `headers_remove.json`, 2026-07-19).
const LEAKY: [&str; 87] = [
    "$wsep",
    "host-header",
    "k-proxy-request",
    "liferay-portal",
    "oraclecommercecloud-version",
    "pega-host",
    "powered-by",
    "product",
    "server",
    "sourcemap",
    "x-aspnet-version",
    "x-aspnetmvc-version",
    "x-atmosphere-error",
    "x-atmosphere-first-request",
    "x-atmosphere-tracking-id",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-backside-transport",
    "x-beserver",
    "x-calculatedbetarget",
    "x-cf-powered-by",
    "x-cms",
    "x-cocoon-version",
    "x-content-encoded-by",
    "x-datadog-origin",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-tags",
    "x-datadog-trace-id",
    "x-diaginfo",
    "x-dtagentid",
    "x-dthealthcheck",
    "x-dtinjectedservlet",
    "x-envoy-attempt-count",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-original-dst-host",
    "x-envoy-upstream-service-time",
    "x-feserver",
    "x-framework",
    "x-generated-by",
    "x-generator",
    "x-gitlab-meta",
    "x-jitsi-release",
    "x-joomla-version",
    "x-kong-admin-latency",
    "x-kong-client-latency",
    "x-kong-proxy-latency",
    "x-kong-request-id",
    "x-kong-response-latency",
    "x-kong-third-party-latency",
    "x-kong-total-latency",
    "x-kong-upstream-latency",
    "x-kong-upstream-status",
    "x-kubernetes-pf-flowschema-ui",
    "x-kubernetes-pf-prioritylevel-uid",
    "x-litespeed-cache",
    "x-litespeed-cache-control",
    "x-litespeed-purge",
    "x-litespeed-tag",
    "x-litespeed-vary",
    "x-mod-pagespeed",
    "x-nextjs-cache",
    "x-nextjs-matched-path",
    "x-nextjs-page",
    "x-nextjs-redirect",
    "x-old-content-length",
    "x-oneagent-js-injection",
    "x-owa-version",
    "x-page-speed",
    "x-php-version",
    "x-powered-by",
    "x-powered-by-plesk",
    "x-powered-cms",
    "x-redirect-by",
    "x-ruxit-js-agent",
    "x-server-powered-by",
    "x-sourcefiles",
    "x-sourcemap",
    "x-turbo-charged-by",
    "x-tyk-trace-id",
    "x-umbraco-version",
    "x-varnish-backend",
    "x-varnish-server",
    "x-woodpecker-version",
];

/// A rule for a header of every response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderRule {
    /// It has this value, whatever the upstream says.
    Set(Text, Text),
    /// It has this value where the upstream gives it none.
    Default(Text, Text),
}

impl HeaderRule {
    const fn set(name: &'static str, value: &'static str) -> Self {
        Self::Set(Text::Static(name), Text::Static(value))
    }

    const fn default(name: &'static str, value: &'static str) -> Self {
        Self::Default(Text::Static(name), Text::Static(value))
    }

    pub(crate) const fn name(&self) -> &Text {
        match self {
            Self::Set(name, _) | Self::Default(name, _) => name,
        }
    }

    /// What it takes for a response without the header to obey the rule.
    pub(crate) fn addition(&self) -> HeaderEdit {
        let (Self::Set(name, value) | Self::Default(name, value)) = self;
        HeaderEdit::Add(name.clone(), value.clone())
    }

    /// What it takes for a response with these headers to obey the rule.
    pub(crate) fn edit(&self, headers: &Headers<'_>) -> Option<HeaderEdit> {
        let mut present = headers.iter().filter(|(name, _)| *name == **self.name()).map(|(_, value)| *value);
        match (self, present.next()) {
            (_, None) => Some(self.addition()),
            (Self::Default(..), Some(_)) => None,
            (Self::Set(name, value), Some(current)) => {
                let right = current == value.as_bytes() && present.next().is_none();
                (!right).then(|| HeaderEdit::Set(name.clone(), value.clone()))
            }
        }
    }
}

/// What both presets set, whatever the upstream says.
const COMMON: [HeaderRule; 7] = [
    HeaderRule::set("x-content-type-options", "nosniff"),
    HeaderRule::set("x-frame-options", "DENY"),
    HeaderRule::set("x-xss-protection", "1; mode=block"),
    HeaderRule::set("referrer-policy", "no-referrer"),
    HeaderRule::set(HSTS, "max-age=31536000; includeSubDomains"),
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
    /// What the preset would remove, and does not.
    pub(crate) keep: Vec<String>,
    pub(crate) set_cookie: Option<CookieRules>,
}

impl Default for SecurityHeaders {
    fn default() -> Self {
        Self {
            preset: Preset::Recommended,
            set: Vec::new(),
            remove: vec!["server".into(), "x-powered-by".into()],
            keep: Vec::new(),
            set_cookie: None,
        }
    }
}

impl SecurityHeaders {
    /// The rules of every response of the upstream: the preset, then what `set` says instead, less what is removed.
    pub(crate) fn rules(&self, cors: bool) -> Vec<HeaderRule> {
        let mut rules = self.preset.rules(cors);
        rules.retain(|rule| !self.sets(rule.name()) && !self.remove.iter().any(|removed| **removed == **rule.name()));
        rules.extend(self.set.iter().map(|(name, value)| HeaderRule::Set(name.clone().into(), value.clone().into())));
        rules
    }

    /// The headers that never leave.
    pub(crate) fn removed(&self) -> impl Iterator<Item = Text> {
        let leaky = if self.preset == Preset::None { [].as_slice() } else { &LEAKY };
        let leaky = leaky.iter().map(|name| Text::Static(name)).filter(|name| !self.sets(name));
        let all = leaky.chain(self.remove.iter().map(|name| name.clone().into()));
        all.filter(|name| !self.keep.iter().any(|kept| **kept == **name))
    }

    fn sets(&self, name: &str) -> bool {
        self.set.iter().any(|(set, _)| set == name)
    }

    /// The headers of every reply of our own: always the `api` set, and what `set` adds to it or says of the whole host.
    pub(crate) fn reply_headers(&self, cors: bool) -> Vec<Header> {
        let preset = Preset::Api.rules(cors).into_iter().map(|rule| match rule {
            HeaderRule::Set(name, value) | HeaderRule::Default(name, value) => (name, value),
        });
        let mut headers: Vec<_> = preset.collect();
        for (name, value) in &self.set {
            match headers.iter_mut().find(|(taken, _)| **taken == **name) {
                None => headers.push((name.clone().into(), value.clone().into())),
                // Browsers keep it for the host, and whichever response came last has its way (RFC 6797 section 8.1).
                Some((_, own)) if name == HSTS => *own = value.clone().into(),
                Some(_) => {}
            }
        }
        headers
    }
}
