//! `identity_feed` and `api_keys`.

use std::time::Duration;

use super::decode::{
    Fields, Findings, absolute_path, choice, header_name, non_empty, owned, text, whole, within, word,
};
use super::error::Path;
use super::node::Node;
use super::provider::{NOT_FOR_CLAIMS, Outline, PartialProvider, RawProvider, RolesFrom};
use crate::api_key::ApiKeys;
use crate::feed::{IdentityFeed, OnStale};
use crate::request::{spells, spells_prefix};
use crate::token::{KeySet, Place, Provider, private_member};
use crate::upstream::OWN_PREFIX;

/// A feed, and the names of the providers whose tokens it speaks of, with their lines.
pub(super) struct RawFeed {
    pub(super) feed: IdentityFeed,
    providers: Option<Vec<(String, Option<u32>)>>,
}

/// `identity_feed`.
pub(super) fn identity_feed(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<RawFeed> {
    let mut fields = Fields::of(node, path, findings)?;
    let cluster = fields.required("cluster", "name the Envoy cluster that leads to the feed", findings);
    let cluster = cluster.and_then(|node| word(node, &path.field("cluster"), findings));
    let authority = fields.required("authority", "name the host that serves the feed", findings);
    let authority = authority.and_then(|node| word(node, &path.field("authority"), findings));
    let fetched = fields.required("path", "say where the feed is, such as /portcullis/feed", findings);
    let fetched = fetched.and_then(|node| absolute_path(node, &path.field("path"), findings));
    let delta_path = fields.read("delta_path", findings, absolute_path);
    let remedy = "put the public key here that signs the feed, as `portcullis key jwks` prints it";
    let key = fields.required("key", remedy, findings);
    let key = key.and_then(|node| signing_key(node, &path.field("key"), findings));
    let seconds = Duration::from_secs;
    let mut time = |name, default, range: (Duration, Duration)| {
        let read = fields.read(name, findings, |node, path, findings| within(node, path, findings, range));
        read.unwrap_or(default)
    };
    let interval = time("interval", seconds(5), (Duration::from_millis(100), seconds(3600)));
    let timeout = time("timeout", seconds(2), (Duration::from_millis(10), seconds(30)));
    let stale_after = time("stale_after", seconds(600), (Duration::from_millis(500), seconds(30 * 86_400)));
    let words = [("deny", OnStale::Deny), ("serve", OnStale::Serve)];
    let on_stale = fields.read("on_stale", findings, |node, path, findings| choice(node, path, findings, &words));
    let providers = fields.read("providers", findings, |node, path, findings| {
        let remedy = "name the providers whose tokens it speaks of, or leave the field out for all";
        let named = |node: &Node, path: &Path<'_>, findings: &mut Findings| {
            owned(node, path, findings).map(|name| (name, node.line))
        };
        whole(node, non_empty(node, path, findings, remedy, named)?)
    });
    fields.finish(findings);
    if stale_after < interval.saturating_mul(2) {
        let message =
            format!("{stale_after:?} is less than two intervals: one answer that does not come makes it stale");
        let remedy = format!("make it at least {:?}; minutes let the server restart", interval.saturating_mul(2));
        findings.error(&path.field("stale_after"), node.line, message, remedy);
    }
    let (key, keys) = key?;
    let feed = IdentityFeed {
        cluster: cluster?,
        authority: authority?,
        path: fetched?,
        delta_path,
        interval,
        timeout,
        keys,
        key,
        stale_after,
        on_stale: on_stale.unwrap_or(OnStale::Deny),
    };
    Some(RawFeed { feed, providers })
}

/// A public JWK, or a set of them, as text.
fn signing_key(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<(String, KeySet)> {
    let key = text(node, path, findings)?;
    let is_private = crate::json::parse(key.as_bytes()).is_some_and(|key| {
        let sets = key.get("keys").and_then(serde_json::Value::as_array);
        let has_secret = |jwk: &serde_json::Value| private_member(jwk).is_some() || jwk.get("k").is_some();
        has_secret(&key) || sets.is_some_and(|keys| keys.iter().any(has_secret))
    });
    if is_private {
        let message = "a secret or private key: whoever reads the policy could sign feeds";
        findings.error(path, node.line, message, "put in the public key alone: `portcullis key jwks FILE`");
        return None;
    }
    let set = KeySet::from_public_jwks(key.as_bytes())
        .or_else(|_| KeySet::from_public_jwks(format!(r#"{{"keys":[{key}]}}"#).as_bytes()));
    match set {
        Ok(keys) => Some((key.to_owned(), keys)),
        Err(error) => {
            let remedy = "put in a JSON Web Key or a set of them, as `portcullis key jwks` prints it";
            findings.error(path, node.line, error.to_string(), remedy);
            None
        }
    }
}

/// `api_keys`: the header they come in.
pub(super) fn api_keys(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<(String, Option<u32>)> {
    let mut fields = Fields::of(node, path, findings)?;
    let header = fields.required("header", "name the header that keys come in, such as x-api-key", findings);
    let header = header.and_then(|node| {
        let path = path.field("header");
        let name = header_name(node, &path, findings)?;
        if spells_prefix(name.as_bytes(), OWN_PREFIX)
            || NOT_FOR_CLAIMS.iter().any(|other| spells(name.as_bytes(), other))
        {
            let message = format!("`{name}` cannot carry API keys");
            findings.error(&path, node.line, message, "choose a header of its own, such as x-api-key");
            return None;
        }
        Some((name, node.line))
    });
    fields.finish(findings);
    header
}

/// What `identity_feed`, `api_keys` and the providers say of each other. Marks the providers whose tokens the feed speaks
/// of.
pub(super) fn connect(
    (has_feed, feed): (bool, Option<&RawFeed>),
    api_keys: Option<(String, Option<u32>)>,
    providers: &mut [(RawProvider, (usize, Option<u32>))],
    partial: &[(PartialProvider, (usize, Option<u32>))],
    findings: &mut Findings,
) -> Option<ApiKeys> {
    let root = Path::Root;
    let root_of_providers = root.field("providers");
    let at = root.field("identity_feed");
    let at = at.field("providers");
    let named = feed.and_then(|feed| feed.providers.as_ref());
    let in_feed = |name: &str| feed.is_some() && named.is_none_or(|names| names.iter().any(|(named, _)| named == name));
    for (raw, _) in providers.iter_mut() {
        raw.provider.in_feed = in_feed(&raw.provider.name);
    }
    let outlines: Vec<(Outline<'_>, (usize, Option<u32>))> = providers
        .iter()
        .map(|(raw, at)| (raw.outline(), *at))
        .chain(partial.iter().map(|(partial, at)| (partial.outline(), *at)))
        .collect();
    for (index, (name, line)) in named.into_iter().flatten().enumerate() {
        // One whose name could not be read may be the one that is meant.
        if !outlines.iter().any(|(provider, _)| provider.name.is_none_or(|known| known == name)) {
            let message = format!("no provider is called `{name}`");
            findings.error(&at.index(index), *line, message, "write a provider's `name`");
        }
    }
    for (provider, (index, line)) in &outlines {
        let outside = feed.is_none() || provider.name.is_some_and(|name| !in_feed(name));
        if provider.roles_from == Some(&RolesFrom::Feed) && outside && has_feed == feed.is_some() {
            let path = root_of_providers.index(*index);
            let path = path.field("roles_from");
            let (message, remedy) = match feed {
                None => {
                    ("roles from the feed, and there is no `identity_feed`", "add `identity_feed`, or name a claim")
                }
                Some(_) => (
                    "roles from the feed, which does not speak of this provider's tokens",
                    "add its name to `identity_feed.providers`",
                ),
            };
            findings.error(&path.field("feed"), *line, message, remedy);
        }
    }
    let (header, line) = api_keys?;
    let path = root.field("api_keys");
    if !has_feed {
        let message = "API keys come with the identity feed, and there is none";
        findings.error(&path, line, message, "add `identity_feed`");
    }
    let taken = outlines.iter().any(|(provider, _)| {
        let of_token = |place: &Place| matches!(place, Place::Header { name, .. } if spells(name.as_bytes(), &header));
        let of_claim = provider.claim_to_headers.iter().any(|(_, own)| spells(own.as_bytes(), &header));
        of_claim || provider.places.iter().any(of_token)
    });
    if taken {
        let message = format!("`{header}` is a header of a provider already");
        findings.error(&path.field("header"), line, message, "give API keys a header of their own");
    }
    Some(compile_api_keys(header, providers.iter().map(|(raw, _)| &raw.provider)))
}

fn compile_api_keys<'p>(header: String, providers: impl Iterator<Item = &'p Provider>) -> ApiKeys {
    let mut keys =
        ApiKeys { header: header.into(), claim_to_headers: Vec::new(), role_claims: vec!["role".to_owned()] };
    for provider in providers {
        for (claim, header) in &provider.claim_to_headers {
            if !keys.claim_to_headers.iter().any(|(_, own)| own == header) {
                keys.claim_to_headers.push((claim.clone(), header.clone()));
            }
        }
        if let Some(RolesFrom::Claim(claim)) = &provider.roles_from
            && let [name] = claim.0.as_slice()
            && name != "sub"
            && !keys.role_claims.contains(name)
        {
            keys.role_claims.push(name.clone());
        }
    }
    keys
}

#[cfg(test)]
mod tests;
