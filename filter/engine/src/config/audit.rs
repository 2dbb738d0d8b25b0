//! `audit`.

use std::time::Duration;

use super::decode::{Fields, Findings, choice, integer, list, owned, short_duration};
use super::error::Path;
use super::node::{Node, NodeValue};
use super::provider::secret_value;
use super::route::Outline;
use crate::audit::{AuditLevel, AuditRules, BurstRules, ChainKey, ChainRules, Mask, MaskKey, Masks, Sample, Sinks};
use crate::secret::SecretSource;

/// How long a worker may go on without saying how far its chain has come, or how many denials it has counted.
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);

/// Names of path parameters, and where each is said.
pub(super) type MaskedParams = Vec<(String, usize, Option<u32>)>;

/// `audit`, and the path parameters it masks, which are still to be looked for in the routes.
pub(super) fn audit(
    node: &Node,
    path: &Path<'_>,
    secrets: &dyn SecretSource,
    findings: &mut Findings,
) -> Option<(AuditRules, MaskedParams)> {
    let mut fields = Fields::of(node, path, findings)?;
    let levels = [("all", AuditLevel::All), ("denied", AuditLevel::Denied), ("none", AuditLevel::None)];
    let level = fields.read("level", findings, |node, path, findings| choice(node, path, findings, &levels));
    let sinks = fields.read("sinks", findings, |node, path, findings| {
        list(node, path, findings, |node, path, findings| {
            choice(node, path, findings, &[("access_log", true), ("log", false)])
        })
    });
    let sample = fields.read("sample", findings, share);
    let burst = fields.read("burst", findings, burst);
    let masks = fields.read("mask", findings, |node, path, findings| mask(node, path, secrets, findings));
    let chain = fields.read("chain", findings, |node, path, findings| chain(node, path, secrets, findings));
    fields.finish(findings);
    let defaults = AuditRules::default();
    let sinks = sinks.map(|sinks| Sinks { access_log: sinks.contains(&true), log: sinks.contains(&false) });
    let (masks, params) = masks.unwrap_or_default();
    let rules = AuditRules {
        level: level.unwrap_or(defaults.level),
        sinks: sinks.unwrap_or(defaults.sinks),
        sample: sample.unwrap_or(defaults.sample),
        burst,
        masks,
        chain,
    };
    Some((rules, params))
}

fn share(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<Sample> {
    match node.value {
        NodeValue::Number(share) if (0.0..=1.0).contains(&share) => Some(Sample::of(share)),
        _ => {
            findings.error(path, node.line, "a number from 0 to 1 is needed here", "write a share, such as 0.1");
            None
        }
    }
}

fn burst(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<BurstRules> {
    let mut fields = Fields::of(node, path, findings)?;
    let max = fields.required("max", "say how many denials of a kind are recorded one by one, such as 20", findings);
    let max = max.and_then(|node| integer(node, &path.field("max"), findings, 1..=1_000_000));
    let interval = fields.read("interval", findings, interval);
    fields.finish(findings);
    Some(BurstRules { max: max?, interval: interval.unwrap_or(DEFAULT_INTERVAL) })
}

fn interval(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<Duration> {
    let interval = short_duration(node, path, findings)?;
    if !INTERVALS.contains(&interval) {
        findings.error(path, node.line, "not from a second to an hour", "write a duration such as 10s");
        return None;
    }
    Some(interval)
}

fn chain(node: &Node, path: &Path<'_>, secrets: &dyn SecretSource, findings: &mut Findings) -> Option<ChainRules> {
    let mut fields = Fields::of(node, path, findings)?;
    let key = fields.required("key", "say where the secret is: {env: AUDIT_KEY}", findings);
    let key = key.and_then(|node| secret_value(node, &path.field("key"), None, secrets, findings));
    let checkpoint = fields.read("checkpoint", findings, interval).unwrap_or(DEFAULT_INTERVAL);
    fields.finish(findings);
    Some(ChainRules { key: key?.as_ref().map(ChainKey::new), checkpoint })
}

fn mask(
    node: &Node,
    path: &Path<'_>,
    secrets: &dyn SecretSource,
    findings: &mut Findings,
) -> Option<(Masks, MaskedParams)> {
    let mut fields = Fields::of(node, path, findings)?;
    let line = fields.line;
    let [none, truncate, hash] = [("none", Mask::None), ("truncate", Mask::Truncate), ("hash", Mask::Hash)];
    let mut read = |name, words: &[(&str, Mask)]| {
        fields.read(name, findings, |node, path, findings| choice(node, path, findings, words)).unwrap_or_default()
    };
    let (user_id, ip_address) = (read("user_id", &[none, hash]), read("ip_address", &[none, truncate, hash]));
    let params = fields.read("path_params", findings, |node, path, findings| {
        list(node, path, findings, |node, path, findings| {
            Some((owned(node, path, findings)?, path.position(), node.line))
        })
    });
    let key = fields.take("key");
    let secret = key.and_then(|node| secret_value(node, &path.field("key"), None, secrets, findings));
    fields.finish(findings);
    let params = params.unwrap_or_default();
    if key.is_none() && (user_id == Mask::Hash || ip_address == Mask::Hash || !params.is_empty()) {
        let remedy = "add `key: {env: AUDIT_MASK_KEY}`; the same key gives the same hashes";
        findings.error(path, line, "hashes without a key can be undone by trying", remedy);
    }
    let path_params = params.iter().map(|(name, ..)| name.clone()).collect();
    let key = secret.flatten().as_ref().map(MaskKey::new);
    Some((Masks { user_id, ip_address, path_params, roles: Vec::new(), key }, params))
}

/// Whether some route has each of the parameters.
pub(super) fn check_params(params: &MaskedParams, routes: &[Outline<'_>], findings: &mut Findings) {
    let root = Path::Root.field("audit");
    let mask = root.field("mask");
    let list = mask.field("path_params");
    for (name, index, line) in params {
        // A path that could not be read may be the one that has it.
        if !routes.iter().any(|route| route.path.is_none_or(|path| path.names_param(name))) {
            let message = format!("no route has a parameter `{name}`");
            let remedy = "write the name that stands in braces in the path of a route";
            findings.error(&list.index(*index), *line, message, remedy);
        }
    }
}
