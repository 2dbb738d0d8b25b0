//! `providers`.

mod local;
mod remote;

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::decode::{
    Fields, Findings, boolean, choice, claim_path, duration, header_name, integer, list, moment, name_of, non_empty,
    owned, text, whole,
};
use super::error::Path;
use super::node::Node;
use crate::hash::FixedSet;
use crate::remote::RemoteJwks;
use crate::request::{spells, spells_prefix};
use crate::secret::{Secret, SecretLookup, SecretSource};
use crate::text::{Text, from_hex};
pub(super) use crate::token::RolesFrom;
use crate::token::{Algorithm, ClaimPath, ClaimRules, Key, KeySet, Place, Provider, TokenVerifier, Window};
use crate::upstream::OWN_PREFIX;

/// How an environment variable spells a secret.
#[derive(Clone, Copy)]
enum Encoding {
    Raw,
    Base64Url,
    Hex,
}

/// Headers that are the connection's or the proxy's: no claim can stand in them.
pub(super) const NOT_FOR_CLAIMS: [&str; 10] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A provider, the places it takes tokens from, and where its keys are fetched.
pub(crate) struct RawProvider {
    pub(crate) provider: Provider,
    pub(crate) places: Vec<Place>,
    pub(crate) remote: Option<RemoteJwks>,
    /// The environment variables that its secrets are in.
    pub(crate) secrets: Vec<String>,
    may_give_roles: bool,
}

/// A provider of which something could not be read, as far as it could.
#[derive(Default)]
pub(crate) struct PartialProvider {
    name: Option<String>,
    places: Vec<Place>,
    roles_from: Option<RolesFrom>,
    claim_to_headers: Vec<(ClaimPath, Text)>,
    /// Whether it says where roles are, or cannot be read at all.
    may_give_roles: bool,
}

/// What of a provider is held against the rest of the policy, as far as it could be read: one mistake hides no other.
pub(crate) struct Outline<'p> {
    pub(crate) name: Option<&'p str>,
    pub(crate) places: &'p [Place],
    pub(crate) roles_from: Option<&'p RolesFrom>,
    pub(crate) claim_to_headers: &'p [(ClaimPath, Text)],
    pub(crate) may_give_roles: bool,
}

impl RawProvider {
    pub(crate) fn outline(&self) -> Outline<'_> {
        Outline {
            name: Some(&self.provider.name),
            places: &self.places,
            roles_from: self.provider.roles_from.as_ref(),
            claim_to_headers: &self.provider.claim_to_headers,
            may_give_roles: self.may_give_roles,
        }
    }
}

impl PartialProvider {
    pub(crate) fn outline(&self) -> Outline<'_> {
        Outline {
            name: self.name.as_deref(),
            places: &self.places,
            roles_from: self.roles_from.as_ref(),
            claim_to_headers: &self.claim_to_headers,
            may_give_roles: self.may_give_roles,
        }
    }
}

enum Keys {
    Here(KeySet),
    Remote(RemoteJwks),
}

/// Reads a provider.
pub(crate) fn provider(
    node: &Node,
    path: &Path<'_>,
    secrets: &dyn SecretSource,
    findings: &mut Findings,
) -> Result<RawProvider, PartialProvider> {
    let Some(mut fields) = Fields::of(node, path, findings) else {
        return Err(PartialProvider { may_give_roles: true, ..PartialProvider::default() });
    };
    let name = fields.required("name", "give the provider a name", findings);
    let name = name.and_then(|node| name_of(node, &path.field("name"), findings));
    let issuer = fields.read("issuer", findings, owned);
    let audiences = fields.read("audiences", findings, |node, path, findings| {
        non_empty(node, path, findings, "list the audiences, or leave the field out", owned)
    });
    let algorithms =
        fields.required("allowed_algorithms", "list the algorithms tokens may use, such as [HS256]", findings);
    let algorithms = algorithms.and_then(|node| {
        let path = path.field("allowed_algorithms");
        whole(node, non_empty(node, &path, findings, "list at least one algorithm", algorithm)?)
    });
    let given = Given { allowed: algorithms.as_deref(), issuer: issuer.as_deref() };
    let asked = RefCell::new(Vec::new());
    let recording = |name: &str| {
        asked.borrow_mut().push(name.to_owned());
        secrets.lookup(name)
    };
    let keys = keys(&mut fields, given, &recording, findings);
    let clock_skew = fields.read("clock_skew", findings, duration).unwrap_or(30);
    let require_expiration = fields.read("require_expiration", findings, boolean).unwrap_or(true);
    let max_lifetime = fields.read("max_lifetime", findings, duration);
    let max_token_bytes = fields
        .read("max_token_bytes", findings, |node, path, findings| integer(node, path, findings, 64..=65_536))
        .unwrap_or(8192);
    let places = places(&mut fields, findings);
    let forward = fields.read("forward", findings, boolean).unwrap_or(false);
    let may_give_roles = fields.take("roles_from").is_some();
    let roles_from = fields.read("roles_from", findings, roles_from);
    let claim_to_headers = fields.read("claim_to_headers", findings, claim_to_headers).unwrap_or_default();
    fields.finish(findings);
    let (Some(name), Some(algorithms), Some(keys)) = (name.as_ref(), algorithms, keys) else {
        return Err(PartialProvider { name, places, roles_from, claim_to_headers, may_give_roles });
    };
    let rules = ClaimRules {
        issuer,
        audiences: audiences.unwrap_or_default(),
        clock_skew: seconds(clock_skew),
        require_expiration,
        max_lifetime: max_lifetime.map(seconds),
    };
    let (keys, remote) = match keys {
        Keys::Here(keys) => (keys, None),
        Keys::Remote(remote) => (KeySet::default(), Some(remote)),
    };
    let verifier = TokenVerifier {
        keys,
        algorithms,
        rules,
        max_token_bytes: usize::try_from(max_token_bytes).unwrap_or(usize::MAX),
    };
    let provider =
        Provider { name: name.clone(), verifier, forward, roles_from, claim_to_headers, remote: None, in_feed: false };
    Ok(RawProvider { provider, places, remote, secrets: asked.into_inner(), may_give_roles })
}

/// The claim that holds the roles, or the feed.
fn roles_from(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<RolesFrom> {
    let mut fields = Fields::of(node, path, findings)?;
    let feed = fields.take("feed");
    let claim = match feed {
        None => fields.required("claim", "name the claim that holds the roles, such as [role]", findings),
        Some(_) => fields.take("claim"),
    };
    let from = match (claim, feed) {
        (Some(_), Some(_)) => {
            findings.error(path, node.line, "both `claim` and `feed`", "keep one of them");
            None
        }
        (Some(node), None) => claim_path(node, &path.field("claim"), findings).map(RolesFrom::Claim),
        (None, Some(node)) => {
            let words = "write `feed: true`, or name a claim instead";
            let is_true = boolean(node, &path.field("feed"), findings)?;
            if !is_true {
                findings.error(&path.field("feed"), node.line, "roles from nowhere", words);
            }
            is_true.then_some(RolesFrom::Feed)
        }
        (None, None) => None,
    };
    fields.finish(findings);
    from
}

#[expect(clippy::cast_precision_loss, reason = "durations have at most nine digits of a unit")]
const fn seconds(duration: u64) -> f64 {
    duration as f64
}

fn algorithm(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<Algorithm> {
    let words: Vec<(&str, Algorithm)> = Algorithm::ALL.iter().map(|algorithm| (algorithm.name(), *algorithm)).collect();
    choice(node, path, findings, &words)
}

/// What the rest of a provider says that matters to its keys.
#[derive(Clone, Copy)]
struct Given<'g> {
    allowed: Option<&'g [Algorithm]>,
    issuer: Option<&'g str>,
}

fn keys(
    fields: &mut Fields<'_, '_>,
    given: Given<'_>,
    secrets: &dyn SecretSource,
    findings: &mut Findings,
) -> Option<Keys> {
    let (listed, inline, remote) = (fields.take("keys"), fields.take("local_jwks"), fields.take("remote_jwks"));
    let (path, allowed) = (fields.path, given.allowed);
    match (listed, inline, remote) {
        (Some(node), None, None) => {
            let path = path.field("keys");
            let keys = non_empty(node, &path, findings, "list at least one key", |node, path, findings| {
                let key = secret_key(node, path, allowed, secrets, findings)?;
                Some((path.position(), node.line, key))
            })?;
            let mut kids = FixedSet::default();
            for (index, line, key) in &keys {
                if !kids.insert(key.kid()) {
                    let message = key.kid().map_or_else(
                        || "two keys without `kid`".into(),
                        |kid| format!("two keys have the kid `{kid}`"),
                    );
                    findings.error(&path.index(*index), *line, message, "give every key a kid of its own");
                }
            }
            let keys = keys.into_iter().map(|(_, _, key)| key).collect();
            Some(Keys::Here(KeySet::new(keys)))
        }
        (None, Some(node), None) => {
            local::local_jwks(node, &path.field("local_jwks"), allowed, findings).map(Keys::Here)
        }
        (None, None, Some(node)) => {
            remote::remote_jwks(node, &path.field("remote_jwks"), given, findings).map(Keys::Remote)
        }
        (None, None, None) => {
            let remedy = "add `keys` with a secret from the environment, `local_jwks` with public keys, or `remote_jwks` \
                          with the place to fetch them from";
            findings.error(path, fields.line, "no keys", remedy);
            None
        }
        (listed, inline, remote) => {
            let all = [("`keys`", listed), ("`local_jwks`", inline), ("`remote_jwks`", remote)];
            let there: Vec<&str> = all.iter().filter(|(_, node)| node.is_some()).map(|(name, _)| *name).collect();
            findings.error(path, fields.line, format!("more than one of {}", there.join(", ")), "keep one of them");
            None
        }
    }
}

fn secret_key(
    node: &Node,
    path: &Path<'_>,
    allowed: Option<&[Algorithm]>,
    secrets: &dyn SecretSource,
    findings: &mut Findings,
) -> Option<Key> {
    let mut fields = Fields::of(node, path, findings)?;
    let kid = fields.read("kid", findings, owned);
    let node = fields.required("algorithm", "name the key's algorithm, such as HS256", findings);
    let algorithm =
        node.and_then(|node| algorithm(node, &path.field("algorithm"), findings).map(|algorithm| (node, algorithm)));
    let algorithm = algorithm.and_then(|(node, algorithm)| {
        let path = path.field("algorithm");
        if !algorithm.is_symmetric() {
            findings.error(
                &path,
                node.line,
                format!("{algorithm} has no shared secret"),
                "put public keys into `local_jwks`",
            );
            return None;
        }
        if allowed.is_some_and(|allowed| !allowed.contains(&algorithm)) {
            findings.error(
                &path,
                node.line,
                format!("{algorithm} is not in `allowed_algorithms`"),
                "allow it, or remove the key",
            );
            return None;
        }
        Some(algorithm)
    });
    let secret = fields.required("secret", "say where the secret is: {env: SECRET_KEY}", findings);
    let secret = secret.and_then(|node| secret_value(node, &path.field("secret"), algorithm, secrets, findings));
    let window = window(&mut fields, findings);
    fields.finish(findings);
    let algorithm = algorithm?;
    let key = match secret? {
        Some(secret) => Key::hmac(kid, Some(algorithm), &secret),
        None => Key::unavailable(kid, algorithm),
    };
    Some(key.within(window))
}

fn window(fields: &mut Fields<'_, '_>, findings: &mut Findings) -> Window {
    let window = Window {
        not_before: fields.read("not_before", findings, moment),
        not_after: fields.read("not_after", findings, moment),
    };
    if let (Some(first), Some(end)) = (window.not_before, window.not_after)
        && end <= first
    {
        let path = fields.path.field("not_after");
        findings.error(&path, fields.line, "never good: `not_after` is not after `not_before`", "correct one of them");
    }
    window
}

/// The secret of an algorithm, or of 32 bytes at least; `Some(None)` where it cannot be known here.
pub(super) fn secret_value(
    node: &Node,
    path: &Path<'_>,
    algorithm: Option<Algorithm>,
    secrets: &dyn SecretSource,
    findings: &mut Findings,
) -> Option<Option<Secret>> {
    let mut fields = Fields::of(node, path, findings)?;
    let env = fields.required("env", "name the environment variable that holds the secret", findings);
    let env = env.and_then(|node| text(node, &path.field("env"), findings).map(|name| (node.line, name)));
    let encoding = fields.read("encoding", findings, |node, path, findings| {
        choice(
            node,
            path,
            findings,
            &[("raw", Encoding::Raw), ("base64url", Encoding::Base64Url), ("hex", Encoding::Hex)],
        )
    });
    fields.finish(findings);
    let (line, name) = env?;
    let path = path.field("env");
    let value = match secrets.lookup(name) {
        SecretLookup::Value(value) => value,
        SecretLookup::Unset => {
            let remedy =
                "set it in the plugin's VM: `vm_config.environment_variables` of Envoy, `vmConfig.env` of Istio";
            findings.error(&path, line, format!("environment variable `{name}` is not set"), remedy);
            return None;
        }
        SecretLookup::Unknown => {
            let message = format!("environment variable `{name}` is not set here, so its key is not checked");
            findings.warn(
                &path,
                line,
                message,
                "set it to have its length checked; the filter refuses the policy without it",
            );
            return Some(None);
        }
    };
    let Some(secret) = decode_secret(&value, encoding.unwrap_or(Encoding::Raw)) else {
        findings.error(
            &path,
            line,
            format!("environment variable `{name}` is not in the stated encoding"),
            "correct it or `encoding`",
        );
        return None;
    };
    let least = algorithm.map_or(32, Algorithm::min_secret_bytes);
    if secret.expose().len() < least {
        let algorithm = algorithm.map_or("HMAC", Algorithm::name);
        let message =
            format!("the secret in `{name}` has {} bytes, {algorithm} needs at least {least}", secret.expose().len());
        findings.error(&path, line, message, "make one with `portcullis secret generate`");
        return None;
    }
    Some(Some(secret))
}

fn decode_secret(value: &Secret, encoding: Encoding) -> Option<Secret> {
    let bytes = value.expose();
    match encoding {
        Encoding::Raw => Some(value.clone()),
        Encoding::Base64Url => URL_SAFE_NO_PAD.decode(bytes).ok().map(Secret::new),
        Encoding::Hex => from_hex(bytes).map(Secret::new),
    }
}

fn places(fields: &mut Fields<'_, '_>, findings: &mut Findings) -> Vec<Place> {
    let found_before = findings.errors.len();
    let headers = fields.read("from_headers", findings, |node, path, findings| list(node, path, findings, from_header));
    let bearer = || vec![Place::Header { name: "authorization".into(), value_prefix: "bearer ".into() }];
    let mut places = headers.unwrap_or_else(bearer);
    let cookies = fields.read("from_cookies", findings, |node, path, findings| list(node, path, findings, owned));
    places.extend(cookies.unwrap_or_default().into_iter().map(Place::Cookie));
    let params = fields.read("from_params", findings, |node, path, findings| list(node, path, findings, owned));
    places.extend(params.unwrap_or_default().into_iter().map(Place::Param));
    if places.is_empty() && findings.errors.len() == found_before {
        findings.error(
            fields.path,
            fields.line,
            "no place to take tokens from",
            "name one in from_headers, from_cookies or from_params",
        );
    }
    places
}

fn from_header(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<Place> {
    let mut fields = Fields::of(node, path, findings)?;
    let name = fields.required("name", "name the header", findings);
    let name = name.and_then(|node| header_name(node, &path.field("name"), findings));
    let value_prefix = fields.read("value_prefix", findings, owned).unwrap_or_default();
    fields.finish(findings);
    // One spelling, so that two providers that take the same tokens have one place: schemes are in any case.
    let scheme = value_prefix.trim_end_matches(' ');
    let separator = if scheme.len() < value_prefix.len() { " " } else { "" };
    Some(Place::Header { name: name?.into(), value_prefix: format!("{}{separator}", scheme.to_ascii_lowercase()) })
}

fn claim_to_headers(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<Vec<(ClaimPath, Text)>> {
    let mut taken = FixedSet::default();
    list(node, path, findings, |node, path, findings| {
        let (claim, header) = claim_to_header(node, path, findings)?;
        if !taken.insert(header.replace('_', "-")) {
            let message = format!("`{header}` already carries a claim");
            findings.error(&path.field("header"), node.line, message, "give each claim a header of its own");
        }
        Some((claim, header))
    })
}

fn claim_to_header(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<(ClaimPath, Text)> {
    let mut fields = Fields::of(node, path, findings)?;
    let claim = fields.required("claim", "name the claim, such as [sub]", findings);
    let claim = claim.and_then(|node| claim_path(node, &path.field("claim"), findings));
    let header = fields.required("header", "name the header, such as x-user-id", findings);
    let header = header.and_then(|node| {
        let path = path.field("header");
        let name = header_name(node, &path, findings)?;
        if spells_prefix(name.as_bytes(), OWN_PREFIX)
            || NOT_FOR_CLAIMS.iter().any(|other| spells(name.as_bytes(), other))
        {
            findings.error(
                &path,
                node.line,
                format!("`{name}` cannot carry a claim"),
                "choose a header of your own, such as x-user-id",
            );
            return None;
        }
        Some(name)
    });
    fields.finish(findings);
    Some((claim?, header?.into()))
}
