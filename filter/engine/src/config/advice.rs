//! What a reviewer would ask about a policy that is right: nothing of it keeps the policy from being loaded.

use super::decode::Findings;
use super::error::Path;
use super::provider::RawProvider;
use super::route::RawRoute;
use crate::authz::{Condition, Operand, Requirement, Test};
use crate::cors::{CorsPolicy, Origins};
use crate::hash::FixedMap;
use crate::route::Segment;

/// The longest life of a token that nobody asks about: a day, in seconds.
const LONG_LIFE: f64 = 86_400.0;

/// Segments of paths that are for administrators almost everywhere.
const FOR_ADMINISTRATORS: [&str; 7] =
    ["admin", "administration", "actuator", "internal", "management", "debug", "console"];

/// Looks at everything, each with the place where it stands.
pub(super) fn advise(
    providers: &[(RawProvider, (usize, Option<u32>))],
    routes: &[RawRoute],
    cors: Option<&CorsPolicy>,
    line_of_cors: Option<u32>,
    findings: &mut Findings,
) {
    advise_on_providers(providers, findings);
    let root = Path::Root.field("routes");
    for route in routes {
        let path = root.index(route.index);
        advise_on_route(route, &path, findings);
        if route.cors.as_ref().is_some_and(allows_any_origin) {
            advise_on_origins(&path.field("cors"), route.line, findings);
        }
    }
    if cors.is_some_and(allows_any_origin) {
        advise_on_origins(&Path::Root.field("cors"), line_of_cors, findings);
    }
}

fn advise_on_providers(providers: &[(RawProvider, (usize, Option<u32>))], findings: &mut Findings) {
    let root = Path::Root.field("providers");
    let mut secrets: FixedMap<&str, &str> = FixedMap::default();
    for (raw, (index, line)) in providers {
        let (path, name) = (root.index(*index), raw.provider.name.as_str());
        let rules = &raw.provider.verifier.rules;
        if rules.audiences.is_empty() {
            let message = "no `audiences`: a token that its issuer made for any other service is as good here";
            findings.warn(&path, *line, message, "name this service as the issuer does: audiences: [orders]");
        }
        if rules.max_lifetime.is_some_and(|life| life > LONG_LIFE) {
            let message = "tokens may live for longer than a day, and a stolen one as long";
            findings.warn(&path.field("max_lifetime"), *line, message, "issue tokens for minutes or hours");
        }
        for secret in &raw.secrets {
            match secrets.insert(secret, name) {
                Some(other) if other != name => {
                    let message =
                        format!("has the secret of provider `{other}`, `{secret}`: each can sign for the other");
                    findings.warn(&path.field("keys"), *line, message, "give every issuer a secret of its own");
                }
                _ => {}
            }
        }
    }
}

fn advise_on_route(route: &RawRoute, path: &Path<'_>, findings: &mut Findings) {
    let named = route.path.segments.iter().any(|segment| match segment {
        Segment::Literal(text) => FOR_ADMINISTRATORS.contains(&text.to_ascii_lowercase().as_str()),
        Segment::Param(_) | Segment::Rest(_) => false,
    });
    if named && route.ip.is_none() {
        let message = match route.requirement {
            Requirement::Public => "looks like a place for administrators, and lets everybody in",
            _ => "looks like a place for administrators, and can be reached from any address",
        };
        let remedy = "name the networks it is for, as in ip: {allow: [10.0.0.0/8]}";
        findings.warn(path, route.line, format!("`{}` {message}", route.path.text), remedy);
    }
    if let Some(claim) = contradiction(&route.when) {
        let message = format!("can never hold: the claim `{claim}` cannot have two values");
        findings.warn(&path.field("when"), route.line, message, "remove one of the conditions; all of them must hold");
    }
}

/// A claim that conditions want to equal two constants.
fn contradiction(when: &[Condition]) -> Option<String> {
    let wanted = |condition: &Condition| match &condition.test {
        Test::Equals(Operand::Value(value)) => Some(value.clone()),
        _ => None,
    };
    when.iter().enumerate().find_map(|(index, condition)| {
        let value = wanted(condition)?;
        let others = when.iter().take(index).filter(|other| other.claim == condition.claim).filter_map(wanted);
        others.into_iter().any(|other| other != value).then(|| condition.claim.0.join("."))
    })
}

const fn allows_any_origin(cors: &CorsPolicy) -> bool {
    matches!(cors.origins, Origins::Any)
}

fn advise_on_origins(path: &Path<'_>, line: Option<u32>, findings: &mut Findings) {
    let message = "any page on the web may read what is answered to a visitor without credentials";
    findings.warn(&path.field("allow_origins"), line, message, "list the origins that are meant, unless all are");
}

#[cfg(test)]
mod tests;
