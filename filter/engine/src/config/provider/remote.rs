//! `remote_jwks`.

use std::time::Duration;

use super::super::decode::{Fields, Findings, absolute_path, boolean, within, word};
use super::super::error::Path;
use super::super::node::Node;
use super::Given;
use crate::remote::{RemoteJwks, discovery_place};

/// The shortest `cache_duration`: below it, an issuer is asked more often than for an unknown `kid`.
const MIN_CACHE_DURATION: Duration = Duration::from_secs(1);

/// The longest `timeout`: requests are held as long.
const MAX_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn remote_jwks(
    node: &Node,
    path: &Path<'_>,
    given: Given<'_>,
    findings: &mut Findings,
) -> Option<RemoteJwks> {
    let mut fields = Fields::of(node, path, findings)?;
    let remedy = "name the Envoy cluster that leads to the issuer";
    let cluster = fields.required("cluster", remedy, findings);
    let cluster = cluster.and_then(|node| word(node, &path.field("cluster"), findings));
    let (authority, fetched) = (fields.take("authority"), fields.take("path"));
    let discovery = fields.read("issuer_discovery", findings, boolean).unwrap_or(false);
    let mut time = |name, default, range: (Duration, Duration)| {
        let read = fields.read(name, findings, |node, path, findings| within(node, path, findings, range));
        read.unwrap_or(default)
    };
    let seconds = Duration::from_secs;
    let cache_duration = time("cache_duration", seconds(600), (MIN_CACHE_DURATION, seconds(7 * 86_400)));
    let timeout = time("timeout", seconds(1), (Duration::from_millis(10), MAX_TIMEOUT));
    let stale_for = time("stale_for", seconds(86_400), (Duration::from_millis(1), seconds(365 * 86_400)));
    let back_off = fields.read("retry_back_off", findings, back_off);
    let (base_interval, max_interval) = back_off.unwrap_or((seconds(1), seconds(30)));
    fields.finish(findings);
    let allowed = given.allowed.unwrap_or_default();
    let symmetric = allowed.iter().filter(|algorithm| algorithm.is_symmetric()).count();
    let remedy = "allow algorithms with public keys only, such as RS256 or ES256";
    if symmetric > 0 && symmetric == allowed.len() {
        let message = "a fetched key set holds no secrets, and `allowed_algorithms` has nothing else";
        findings.error(path, node.line, message, remedy);
    } else if symmetric > 0 {
        let message = "a fetched key set holds no secrets: HMAC algorithms in `allowed_algorithms` serve nobody";
        findings.warn(path, node.line, message, remedy);
    }
    let found = discovery.then(|| given.issuer.ok_or("there is none").and_then(discovery_place)).transpose();
    let own = match found {
        Ok(place) => place,
        Err(reason) => {
            let message = format!("no `issuer` of the provider to discover: {reason}");
            let remedy = "set the provider's `issuer` to a URL such as https://idp.example.com/tenant, or leave this out and \
                          say with `authority` and `path` where the key set is";
            findings.error(&path.field("issuer_discovery"), node.line, message, remedy);
            return None;
        }
    };
    let (own_authority, own_path) = own.unzip();
    let authority = match authority {
        Some(node) => word(node, &path.field("authority"), findings),
        None if own_authority.is_none() => {
            findings.error(path, node.line, "no `authority`", "name the issuer's host");
            None
        }
        None => own_authority,
    };
    let fetched = match fetched {
        Some(node) => absolute_path(node, &path.field("path"), findings),
        None if own_path.is_none() => {
            let remedy = "say where the key set is, such as /.well-known/jwks.json, or set issuer_discovery: true";
            findings.error(path, node.line, "no `path`", remedy);
            None
        }
        None => own_path,
    };
    Some(RemoteJwks {
        cluster: cluster?,
        authority: authority?,
        path: fetched?,
        discovery_of: given.issuer.filter(|_| discovery).map(str::to_owned),
        cache_duration,
        timeout,
        base_interval,
        max_interval,
        stale_for,
    })
}

/// The time between fetches that fail, as Envoy's `RetryPolicy` writes it.
fn back_off(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<(Duration, Duration)> {
    let mut fields = Fields::of(node, path, findings)?;
    let range = (Duration::from_millis(100), Duration::from_secs(86_400));
    let base = fields.required("base_interval", "say how long to wait after the first failure, such as 1s", findings);
    let base = base.and_then(|node| within(node, &path.field("base_interval"), findings, range));
    let max = fields.read("max_interval", findings, |node, path, findings| within(node, path, findings, range));
    fields.finish(findings);
    let base = base?;
    // Envoy's default: ten times the base.
    let max = max.unwrap_or(base.saturating_mul(10));
    if max < base {
        let message = "`max_interval` is shorter than `base_interval`";
        findings.error(&path.field("max_interval"), node.line, message, "make it at least as long");
    }
    Some((base, max))
}
