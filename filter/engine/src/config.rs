//! From a document to a [`Policy`]: decoded, checked and compiled, with every mistake reported at once.

mod advice;
mod audit;
mod decode;
mod error;
mod feed;
mod input;
mod lockout;
mod node;
mod provider;
mod response;
mod route;

use std::rc::Rc;

pub use decode::unknown_remedy;
pub use error::PolicyError;
pub use node::{Key, Node, NodeValue};

use self::decode::{Fields, Findings, list, non_empty, owned};
use self::error::Path;
use self::provider::RawProvider;
use self::route::{Outline, PartialRoute, RawRoute};
use crate::audit::{RecordedRoute, policy_member, scrub};
use crate::authz::{AskedClaims, Operand, Requirement, RoleTable, Roles, Test};
use crate::cache::CacheLimits;
use crate::cors::CorsPolicy;
use crate::hash::{FixedMap, FixedSet};
use crate::headers::SecurityHeaders;
use crate::input::ParameterPlace;
use crate::lockout::Lockout;
use crate::pipeline::short_digest;
use crate::policy::Policy;
use crate::response::ResponseRules;
use crate::route::{HostPattern, Route, RouteTable, Segment};
use crate::secret::SecretSource;
use crate::text::Text;
use crate::token::{ClaimPath, Place, Provider, Sources, TokenSource};
use crate::upstream;

/// How many routes a policy may have.
const MAX_ROUTES: usize = 100_000;

impl Policy {
    /// Reads a plugin configuration: JSON text, or the serialized `google.protobuf.Struct` that Envoy hands over when a
    /// Struct is configured.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(configuration: &[u8], secrets: &dyn SecretSource) -> Result<Self, Vec<PolicyError>> {
        let document = match Node::from_json(configuration) {
            Ok(document) => document,
            Err(error) => match Node::from_struct(configuration) {
                Ok(document) => document,
                Err(_) => {
                    let message = format!("neither JSON nor a google.protobuf.Struct: {error}");
                    let remedy = "give the policy as JSON text or as a Struct".into();
                    return Err(vec![PolicyError { path: String::new(), line: None, message, remedy }]);
                }
            },
        };
        Self::compile(&document, secrets)
    }

    /// Compiles a policy document.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place and a remedy.
    pub fn compile(document: &Node, secrets: &dyn SecretSource) -> Result<Self, Vec<PolicyError>> {
        let mut findings = Findings::default();
        let policy = compile(document, secrets, &mut findings);
        match policy {
            Some(mut policy) if findings.errors.is_empty() => {
                policy.warnings = findings.warnings;
                Ok(policy)
            }
            _ => {
                findings.errors.sort_by_key(|error| error.line);
                Err(findings.errors)
            }
        }
    }
}

fn compile(document: &Node, secrets: &dyn SecretSource, findings: &mut Findings) -> Option<Policy> {
    let root = Path::Root;
    let mut fields = Fields::of(document, &root, findings)?;
    let version = fields.required("version", "start the policy with `version: v1`", findings);
    version.and_then(|node| decode::choice(node, &root.field("version"), findings, &[("v1", ())]));
    let dry_run = fields.read("mode", findings, route::mode).unwrap_or(false);
    let stat_prefix = fields.read("stat_prefix", findings, stat_prefix);
    let providers = fields.read("providers", findings, |node, path, findings| {
        let read = |node: &Node, path: &Path<'_>, findings: &mut Findings| {
            Some((provider::provider(node, path, secrets, findings), (path.position(), node.line)))
        };
        list(node, path, findings, read)
    });
    let unread_providers = providers.is_none() && fields.take("providers").is_some();
    let read_providers = providers.unwrap_or_default();
    let (mut providers, mut partial_providers) = (Vec::with_capacity(read_providers.len()), Vec::new());
    for (provider, at) in read_providers {
        match provider {
            Ok(provider) => providers.push((provider, at)),
            Err(provider) => partial_providers.push((provider, at)),
        }
    }
    let roles_node = fields.take("roles");
    let roles = fields.read("roles", findings, route::roles);
    let has_feed = fields.take("identity_feed").is_some();
    let identity_feed = fields.read("identity_feed", findings, feed::identity_feed);
    let api_keys = fields.read("api_keys", findings, feed::api_keys);
    let api_keys =
        feed::connect((has_feed, identity_feed.as_ref()), api_keys, &mut providers, &partial_providers, findings);
    let outlines = || {
        let partial = partial_providers.iter().map(|(partial, at)| (partial.outline(), *at));
        providers.iter().map(|(raw, at)| (raw.outline(), *at)).chain(partial)
    };
    let mut stripped = identity_headers(outlines().flat_map(|(provider, _)| provider.claim_to_headers));
    stripped.extend(api_keys.iter().map(|keys| keys.header.replace('_', "-")));
    let has_api_keys = fields.take("api_keys").is_some();
    let callers = Callers {
        any: has_api_keys || unread_providers || outlines().next().is_some(),
        with_roles: has_api_keys || unread_providers || outlines().any(|(provider, _)| provider.may_give_roles),
        in_table: roles_node.is_some_and(|node| !matches!(&node.value, NodeValue::Map(rows) if rows.is_empty())),
    };
    let lockout = fields.read("lockout", findings, lockout::lockout);
    let named = fields.read("schemas", findings, input::named_schemas).unwrap_or_default();
    let routes_node = fields.required("routes", "add routes; without one everything is refused", findings);
    let routes = routes_node.and_then(|node| read_routes(node, &root.field("routes"), &stripped, &named, findings));
    let (routes, partial) = routes.unzip();
    let mut line_of_cors = None;
    let cors = fields.read("cors", findings, |node, path, findings| {
        line_of_cors = node.line;
        response::cors(node, path, findings)
    });
    let security = fields.read("security_headers", findings, response::security_headers).unwrap_or_default();
    let hide_upstream_5xx = fields.read("errors", findings, response::errors).unwrap_or(true);
    let audit = fields.read("audit", findings, |node, path, findings| audit::audit(node, path, secrets, findings));
    let portable = |node: &Node, path: &Path<'_>, findings: &mut Findings| {
        decode::choice(node, path, findings, &[("auto", false), ("portable", true)])
    };
    let portable_crypto = fields.read("crypto", findings, portable).unwrap_or(false);
    let cache_limits = fields.read("cache", findings, cache).unwrap_or_default();
    fields.finish(findings);

    let mut names: Vec<_> = outlines().filter_map(|(provider, at)| Some((provider.name?.to_owned(), at))).collect();
    names.sort_by_key(|(_, (index, _))| *index);
    check_provider_names(names.iter().map(|(name, at)| (name.as_str(), *at)), findings);
    let mut advice = Findings::default();
    advice::advise(&providers, routes.as_deref().unwrap_or_default(), cors.as_ref(), line_of_cors, &mut advice);
    let (mut remote_jwks, mut all_places) = (Vec::new(), Vec::new());
    let number = |(RawProvider { mut provider, places, remote, .. }, _)| {
        provider.remote = remote.is_some().then_some(remote_jwks.len());
        remote_jwks.extend(remote);
        all_places.push(places);
        provider
    };
    let providers: Vec<Provider> = providers.into_iter().map(number).collect();
    let sources = sources(all_places);
    let roles = roles.unwrap_or_default();
    let (routes, partial) = (routes?, partial?);
    let mut outlines: Vec<Outline<'_>> = routes.iter().map(RawRoute::outline).collect();
    outlines.extend(partial.iter().map(PartialRoute::outline));
    outlines.sort_by_key(|outline| outline.index);
    check_routes(&outlines, findings);
    if let Some(raw) = &lockout {
        lockout::check_login_routes(raw, &outlines, findings);
    }
    check_access(&outlines, callers, &roles, findings);
    let (mut audit, masked_params) = audit.unwrap_or_default();
    audit::check_params(&masked_params, &outlines, findings);
    let defaults = ResponseDefaults { cors, security, hide_upstream_5xx };
    let response = Rc::new(ResponseRules::new(defaults.cors.clone(), &defaults.security, defaults.hide_upstream_5xx));
    let (known_roles, owners) = (known_roles(&roles, &routes), owner_claims(&routes));
    audit.masks.roles = known_roles.iter().filter_map(|role| masked_role(role)).collect();
    let places: Vec<(usize, Option<u32>)> = routes.iter().map(|raw| (raw.index, raw.line)).collect();
    let (lockout, login) = lockout.map_or((None, Vec::new()), |raw| {
        let name = stat_prefix.clone().unwrap_or_default();
        (Some(Lockout { name, ..raw.lockout }), raw.login_routes)
    });
    let is_login = |raw: &RawRoute| login.iter().any(|(name, _)| *name == raw.name);
    let compile = |raw: RawRoute| Route { login: is_login(&raw), ..compile_route(raw, &owners, &defaults, &response) };
    let routes: Vec<Route> = routes.into_iter().map(compile).collect();
    let judged_headers = judged_headers(&sources, &routes);
    // The feed may give a caller other roles, and with them other headers.
    let asked = if identity_feed.is_some() { AskedClaims::All } else { AskedClaims::of(&routes) };
    let routes = RouteTable::new(routes);
    warn_of_open_roots(&routes, &places, findings);
    let digest = short_digest(&document.to_canonical_json().to_string());
    Some(Policy {
        dry_run,
        forgeable: upstream::forgeable(stripped, &sources),
        judged_headers,
        sources,
        providers,
        remote_jwks,
        portable_crypto,
        identity_feed: identity_feed.map(|raw| raw.feed),
        api_keys,
        lockout,
        roles: Roles { table: roles, known: known_roles, owners, asked },
        routes,
        response,
        audit: Rc::new(audit),
        recorded: policy_member(&digest),
        digest,
        stat_prefix,
        cache_limits,
        warnings: Vec::new(),
        advice: advice.warnings,
    })
}

/// What routes take over from the policy.
struct ResponseDefaults {
    cors: Option<CorsPolicy>,
    security: SecurityHeaders,
    hide_upstream_5xx: bool,
}

fn compile_route(
    raw: RawRoute,
    owners: &[ClaimPath],
    defaults: &ResponseDefaults,
    shared: &Rc<ResponseRules>,
) -> Route {
    let RawRoute {
        index: _,
        line: _,
        name,
        path,
        methods,
        hosts,
        requirement,
        ip,
        when,
        step_up,
        input,
        dry_run,
        cors,
        security_headers,
        hide_upstream_5xx,
    } = raw;
    let own = cors.is_some() || security_headers.is_some() || hide_upstream_5xx.is_some();
    let response = if own {
        let security = security_headers.as_ref().unwrap_or(&defaults.security);
        let hide = hide_upstream_5xx.unwrap_or(defaults.hide_upstream_5xx);
        Rc::new(ResponseRules::new(cors.or_else(|| defaults.cors.clone()), security, hide))
    } else {
        Rc::clone(shared)
    };
    Route {
        recorded: RecordedRoute::new(&name, &path.text),
        name: name.into(),
        path,
        methods,
        hosts,
        owner: requirement.owner_claim().and_then(|claim| owners.iter().position(|own| own == claim)),
        requirement,
        ip,
        when,
        step_up,
        input: input.map(Rc::new),
        dry_run,
        login: false,
        response,
    }
}

fn read_routes(
    node: &Node,
    path: &Path<'_>,
    stripped: &[String],
    named: &[(String, serde_json::Value)],
    findings: &mut Findings,
) -> Option<(Vec<RawRoute>, Vec<PartialRoute>)> {
    if matches!(&node.value, NodeValue::Seq(items) if items.len() > MAX_ROUTES) {
        findings.error(
            path,
            node.line,
            format!("more than {MAX_ROUTES} routes"),
            "use parameters, or split the policy",
        );
        return None;
    }
    let remedy = "add a route; without one everything is refused";
    let read = non_empty(node, path, findings, remedy, |node, path, findings| {
        route::route(node, path, stripped, named, findings)
    })?;
    let (mut routes, mut partial) = (Vec::with_capacity(read.len()), Vec::new());
    for route in read {
        match route {
            Ok(route) => routes.push(route),
            Err(route) => partial.push(route),
        }
    }
    Some((routes, partial))
}

fn stat_prefix(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<String> {
    let prefix = owned(node, path, findings)?;
    let fits = prefix.len() <= 64 && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !fits {
        findings.error(
            path,
            node.line,
            format!("`{prefix}` is not a prefix for metrics"),
            "write letters, digits and `_`",
        );
    }
    fits.then_some(prefix)
}

/// `cache`: how many verified tokens each worker keeps.
fn cache(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<CacheLimits> {
    let mut fields = Fields::of(node, path, findings)?;
    let mut limit = |name, most| {
        let read = fields.read(name, findings, |node, path, findings| decode::integer(node, path, findings, 0..=most));
        read.and_then(|value| usize::try_from(value).ok())
    };
    let (entries, bytes) = (limit("max_entries", 1_000_000), limit("max_bytes", 1 << 30));
    fields.finish(findings);
    let defaults = CacheLimits::default();
    Some(CacheLimits {
        max_entries: entries.unwrap_or(defaults.max_entries),
        max_bytes: bytes.unwrap_or(defaults.max_bytes),
    })
}

fn check_provider_names<'a>(providers: impl Iterator<Item = (&'a str, (usize, Option<u32>))>, findings: &mut Findings) {
    let root = Path::Root.field("providers");
    let mut names = FixedSet::default();
    for (name, (index, line)) in providers {
        if !names.insert(name) {
            let message = format!("two providers are called `{name}`");
            findings.error(&root.index(index), line, message, "give every provider a name of its own");
        }
    }
}

fn check_routes(routes: &[Outline<'_>], findings: &mut Findings) {
    let root = Path::Root.field("routes");
    let mut names: FixedMap<&str, usize> = FixedMap::default();
    let mut claimed: Claimed<'_> = FixedMap::default();
    for route in routes {
        let path = root.index(route.index);
        if let Some(name) = route.name
            && let Some(first) = names.insert(name, route.index)
        {
            let message = format!("`{name}` is also the name of routes[{first}]");
            findings.error(&path.field("name"), route.line, message, "give every route a name of its own");
        }
        check_overlap(route, &path, &mut claimed, findings);
    }
}

/// Which callers there can be. What could not be read may well be what gives them.
#[derive(Clone, Copy)]
struct Callers {
    /// With a token or an API key.
    any: bool,
    /// With a role.
    with_roles: bool,
    /// With a role in the role table.
    in_table: bool,
}

/// Whether anybody can have what the routes ask for.
fn check_access(routes: &[Outline<'_>], callers: Callers, roles: &RoleTable, findings: &mut Findings) {
    let root = Path::Root.field("routes");
    for route in routes {
        let path = root.index(route.index);
        let access = path.field("access");
        let Some(requirement) = route.requirement else { continue };
        match requirement {
            Requirement::Public => {}
            _ if !callers.any => {
                findings.error(
                    &access,
                    route.line,
                    "nobody can be authenticated: the policy has no providers",
                    "add a provider, or set access: public",
                );
            }
            Requirement::RoleTable(_) if !callers.in_table => {
                findings.error(
                    &access,
                    route.line,
                    "`access: role_table` without a role table",
                    "add `roles` to the policy",
                );
            }
            Requirement::RoleTable(_) | Requirement::Roles(_) if !callers.with_roles => {
                findings.error(
                    &access,
                    route.line,
                    "nobody has a role: no provider has `roles_from`",
                    "add `roles_from: {claim: [role]}` to a provider",
                );
            }
            Requirement::Roles(named) if !roles.is_empty() => {
                for role in named.iter().filter(|role| !roles.contains_key(*role)) {
                    let message = format!("role `{role}` is not in the role table");
                    findings.warn(
                        &path.field("roles"),
                        route.line,
                        message,
                        "check its spelling, or add it to `roles`",
                    );
                }
            }
            Requirement::Authenticated | Requirement::Roles(_) | Requirement::RoleTable(_) => {}
        }
    }
}

/// By whom requests are taken already: by path, method and host.
type Claimed<'r> = FixedMap<(String, Option<&'r str>, String), &'r Outline<'r>>;

/// Two routes of one path, method and host would leave it to chance which decides.
fn check_overlap<'r>(route: &'r Outline<'r>, path: &Path<'_>, claimed: &mut Claimed<'r>, findings: &mut Findings) {
    let (Some(pattern), Some(methods), Some(hosts)) = (route.path, route.methods, route.hosts) else { return };
    let shape = pattern.shape();
    let mut methods: Vec<Option<&str>> =
        if methods.is_empty() { vec![None] } else { methods.iter().map(|method| Some(method.as_str())).collect() };
    // One that is listed twice does no harm.
    let mut seen = FixedSet::default();
    methods.retain(|method| seen.insert(*method));
    let mut hosts: Vec<String> =
        if hosts.is_empty() { vec![String::new()] } else { hosts.iter().map(|host| format!("{host:?}")).collect() };
    hosts.sort();
    hosts.dedup();
    for method in &methods {
        for host in &hosts {
            if let Some(first) = claimed.insert((shape.clone(), *method, host.clone()), route) {
                let what = method.map_or_else(|| "requests".to_owned(), |method| format!("{method} requests"));
                let first =
                    first.name.map_or_else(|| format!("routes[{}]", first.index), |name| format!("route `{name}`"));
                let message = format!("{first} already takes {what} to this path and host");
                findings.error(
                    &path.field("match"),
                    route.line,
                    message,
                    "remove one, or tell them apart by methods or hosts",
                );
                return;
            }
        }
    }
}

/// `/admin/{*rest}` takes neither `/admin` nor `/admin/`. Where a public route does, somebody has forgotten them.
fn warn_of_open_roots(table: &RouteTable, places: &[(usize, Option<u32>)], findings: &mut Findings) {
    let root = Path::Root.field("routes");
    for (route, (index, line)) in table.routes().iter().zip(places) {
        let Some((Segment::Rest(_), above)) = route.path.segments.split_last() else { continue };
        if route.requirement == Requirement::Public || above.is_empty() {
            continue;
        }
        let above: String = above
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => format!("/{text}"),
                Segment::Param(_) | Segment::Rest(_) => "/~".into(),
            })
            .collect();
        let method = route.methods.first().map_or("GET", String::as_str);
        let host = route.hosts.iter().find_map(HostPattern::exact).unwrap_or_default();
        let open = [above.clone(), format!("{above}/")].into_iter().find_map(|path| {
            let found = table.find(&path, host, method)?.route;
            (found.requirement == Requirement::Public).then(|| (path.clone(), found.name.clone()))
        });
        if let Some((path, name)) = open {
            let message = format!("`{path}` is not part of it, and the public route `{name}` lets everybody in there");
            let remedy = "add a route for it, or for the path with and without its slash";
            findings.warn(&root.index(*index).field("match").field("path"), *line, message, remedy);
        }
    }
}

/// The claims that tell owners, each once.
fn owner_claims(routes: &[RawRoute]) -> Vec<ClaimPath> {
    let mut claims: Vec<ClaimPath> = Vec::new();
    for claim in routes.iter().filter_map(|route| route.requirement.owner_claim()) {
        if !claims.contains(claim) {
            claims.push(claim.clone());
        }
    }
    claims
}

fn known_roles(roles: &RoleTable, routes: &[RawRoute]) -> Vec<String> {
    let named = routes.iter().filter_map(|route| match &route.requirement {
        Requirement::Roles(named) => Some(named),
        _ => None,
    });
    let mut known: Vec<String> = roles.keys().cloned().chain(named.flatten().cloned()).collect();
    known.sort();
    known.dedup();
    known
}

/// A role that a record cannot repeat as it is, and what stands for it.
fn masked_role(role: &str) -> Option<(String, String)> {
    let (instead, masked) = scrub(role);
    masked.then(|| (role.to_owned(), instead))
}

fn identity_headers<'p>(headers: impl Iterator<Item = &'p (ClaimPath, Text)>) -> Vec<String> {
    let mut headers: Vec<String> = headers.map(|(_, header)| header.replace('_', "-")).collect();
    headers.sort();
    headers.dedup();
    headers
}

fn judged_headers(sources: &Sources, routes: &[Route]) -> Vec<String> {
    let tokens = sources.headers();
    let conditions = routes.iter().flat_map(|route| &route.when).filter_map(|condition| match &condition.test {
        Test::Equals(Operand::Header(name)) => Some(name.as_str()),
        _ => None,
    });
    let inputs = routes.iter().filter_map(|route| route.input.as_deref());
    let parameters = inputs.flat_map(|input| &input.parameters);
    let parameters = parameters.filter(|own| own.place == ParameterPlace::Header).map(|own| own.name.as_str());
    let mut headers: Vec<String> = tokens.chain(conditions).chain(parameters).map(str::to_owned).collect();
    headers.sort();
    headers.dedup();
    headers
}

/// Places in the order of the providers, each once, with everyone who takes tokens from it.
fn sources(places: Vec<Vec<Place>>) -> Sources {
    let mut sources: Vec<TokenSource> = Vec::new();
    for (index, places) in places.into_iter().enumerate() {
        for place in places {
            match sources.iter_mut().find(|source| source.place == place) {
                Some(source) => source.providers.push(index),
                None => sources.push(TokenSource { place, providers: vec![index] }),
            }
        }
    }
    Sources(sources)
}

#[cfg(test)]
mod tests;
