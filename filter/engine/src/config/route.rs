//! `roles` and `routes`.

use serde_json::Value;

use super::decode::{
    Fields, Findings, boolean, choice, claim_path, duration, header_name, list, name_of, non_empty, owned, text, whole,
    wrong_kind,
};
use super::error::Path;
use super::input;
use super::node::{Node, NodeValue};
use super::response;
use crate::authz::{Condition, Operand, Owner, Reach, Requirement, RoleRights, RoleTable, Test};
use crate::cors::CorsPolicy;
use crate::headers::SecurityHeaders;
use crate::input::InputRules;
use crate::ip::{Cidr, CidrError, IpRule};
use crate::path::{NormalizedPath, comparable};
use crate::request::{spells, spells_prefix};
use crate::route::{HostPattern, MAX_SEGMENTS, PathPattern, Segment};
use crate::step_up::StepUp;
use crate::upstream::OWN_PREFIX;

/// A route as it was read: what it takes over from the policy is still open.
pub(crate) struct RawRoute {
    /// Where it stands in the list, those that cannot be read included.
    pub(crate) index: usize,
    pub(crate) line: Option<u32>,
    pub(crate) name: String,
    pub(crate) path: PathPattern,
    pub(crate) methods: Vec<String>,
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) requirement: Requirement,
    pub(crate) ip: Option<IpRule>,
    pub(crate) when: Vec<Condition>,
    pub(crate) step_up: Option<StepUp>,
    pub(crate) input: Option<InputRules>,
    pub(crate) dry_run: bool,
    pub(crate) cors: Option<CorsPolicy>,
    pub(crate) security_headers: Option<SecurityHeaders>,
    pub(crate) hide_upstream_5xx: Option<bool>,
}

/// A route of which something could not be read.
pub(crate) struct PartialRoute {
    index: usize,
    line: Option<u32>,
    name: Option<String>,
    matching: Option<Matching>,
    requirement: Option<Requirement>,
}

/// What of a route is held against the rest of the policy, as far as it could be read: one mistake hides no other.
pub(crate) struct Outline<'r> {
    pub(crate) index: usize,
    pub(crate) line: Option<u32>,
    pub(crate) name: Option<&'r str>,
    pub(crate) path: Option<&'r PathPattern>,
    pub(crate) methods: Option<&'r [String]>,
    pub(crate) hosts: Option<&'r [HostPattern]>,
    pub(crate) requirement: Option<&'r Requirement>,
}

impl RawRoute {
    pub(crate) fn outline(&self) -> Outline<'_> {
        Outline {
            index: self.index,
            line: self.line,
            name: Some(&self.name),
            path: Some(&self.path),
            methods: Some(&self.methods),
            hosts: Some(&self.hosts),
            requirement: Some(&self.requirement),
        }
    }
}

impl PartialRoute {
    pub(crate) fn outline(&self) -> Outline<'_> {
        let matching = self.matching.as_ref();
        Outline {
            index: self.index,
            line: self.line,
            name: self.name.as_deref(),
            path: matching.map(|matching| &matching.path),
            methods: matching.and_then(|matching| matching.methods.as_deref()),
            hosts: matching.and_then(|matching| matching.hosts.as_deref()),
            requirement: self.requirement.as_ref(),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Access {
    Public,
    Authenticated,
    Roles,
    RoleTable,
}

/// `mode`: whether it is a dry run.
pub(crate) fn mode(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<bool> {
    choice(node, path, findings, &[("enforce", false), ("dry_run", true)])
}

/// `roles`.
pub(crate) fn roles(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<RoleTable> {
    let NodeValue::Map(members) = &node.value else {
        wrong_kind(node, path, "a mapping of roles", findings);
        return None;
    };
    let mut table = RoleTable::default();
    for (key, node) in members {
        let path = path.field(&key.name);
        check_role_name(&key.name, &path, key.line, findings);
        let Some(mut fields) = Fields::of(node, &path, findings) else { continue };
        let words = [("any", Reach::Any), ("own", Reach::Own), ("none", Reach::None)];
        let reach = |node: &Node, path: &Path<'_>, findings: &mut Findings| choice(node, path, findings, &words);
        let read = fields.read("read", findings, reach).unwrap_or(Reach::None);
        let write = fields.read("write", findings, reach).unwrap_or(Reach::None);
        fields.finish(findings);
        if table.insert(key.name.clone(), RoleRights { read, write }).is_some() {
            findings.error(&path, key.line, format!("role `{}` stands twice", key.name), "keep one");
        }
    }
    Some(table)
}

/// Roles go into records as they stand.
fn check_role_name(name: &str, path: &Path<'_>, line: Option<u32>, findings: &mut Findings) {
    let fits = (1..=128).contains(&name.len())
        && name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
    if !fits {
        findings.error(
            path,
            line,
            "not a role name",
            "write up to 128 visible ASCII characters without quotes and backslashes",
        );
    }
}

/// A route. `stripped`: the headers no client can send, with `-` for `_`; `named`: the policy's schemas.
pub(crate) fn route(
    node: &Node,
    path: &Path<'_>,
    stripped: &[String],
    named: &[(String, Value)],
    findings: &mut Findings,
) -> Option<Result<RawRoute, PartialRoute>> {
    let mut fields = Fields::of(node, path, findings)?;
    let name = fields.required("name", "give the route a name", findings);
    let name = name.and_then(|node| name_of(node, &path.field("name"), findings));
    let matcher = fields.required("match", "say which requests: match: {path: /…}", findings);
    let matcher = matcher.and_then(|node| matching(node, &path.field("match"), findings));
    let access_words = [
        ("public", Access::Public),
        ("authenticated", Access::Authenticated),
        ("roles", Access::Roles),
        ("role_table", Access::RoleTable),
    ];
    let access = fields.required("access", "say who may: public, authenticated, roles or role_table", findings);
    let access = access.and_then(|node| choice(node, &path.field("access"), findings, &access_words));
    let roles_node = fields.take("roles");
    let owner_node = fields.take("owner");
    let when_node = fields.take("when");
    let step_up_node = fields.take("step_up");
    let pattern = matcher.as_ref().map(|matcher| &matcher.path);
    let roles = roles_node.and_then(|node| {
        non_empty(node, &path.field("roles"), findings, "list the roles that may", |node, path, findings| {
            let role = owned(node, path, findings)?;
            check_role_name(&role, path, node.line, findings);
            Some(role)
        })
    });
    let owner = owner_node.and_then(|node| owner(node, &path.field("owner"), pattern, findings));
    let when = when_node.and_then(|node| {
        list(node, &path.field("when"), findings, |node, path, findings| {
            condition(node, path, pattern, stripped, findings)
        })
    });
    let step_up = step_up_node.and_then(|node| step_up(node, &path.field("step_up"), findings));
    check_companions(path, access, [roles_node, owner_node, when_node, step_up_node], fields.line, findings);
    let input_node = fields.take("input");
    let input = input_node.and_then(|node| input::input(node, &path.field("input"), pattern, named, findings));
    let ip = fields.read("ip", findings, ip_rule);
    let dry_run = fields.read("mode", findings, mode).unwrap_or(false);
    let cors = fields.read("cors", findings, response::cors);
    let security_headers = fields.read("security_headers", findings, response::security_headers);
    let hide_upstream_5xx = fields.read("errors", findings, response::errors);
    let line = fields.line;
    fields.finish(findings);
    let requirement = match access {
        None => None,
        Some(Access::Public) => Some(Requirement::Public),
        Some(Access::Authenticated) => Some(Requirement::Authenticated),
        Some(Access::Roles) => roles.map(Requirement::Roles),
        Some(Access::RoleTable) if owner_node.is_some() => owner.map(Requirement::RoleTable),
        Some(Access::RoleTable) => Some(Requirement::RoleTable(Owner::Undefined)),
    };
    let index = path.position();
    // What is not there asks for nothing; what could not be read is no less of a demand.
    let step_up = if step_up_node.is_some() { step_up.map(Some) } else { Some(None) };
    let input = if input_node.is_some() { input.map(Some) } else { Some(None) };
    Some(match (name, matcher, requirement, step_up, input) {
        (
            Some(name),
            Some(Matching { path, methods: Some(methods), hosts: Some(hosts) }),
            Some(requirement),
            Some(step_up),
            Some(input),
        ) => Ok(RawRoute {
            index,
            line,
            name,
            path,
            methods,
            hosts,
            requirement,
            ip,
            when: when.unwrap_or_default(),
            step_up,
            input,
            dry_run,
            cors,
            security_headers,
            hide_upstream_5xx,
        }),
        (name, matching, requirement, ..) => Err(PartialRoute { index, line, name, matching, requirement }),
    })
}

/// Fields that mean nothing beside the access chosen are mistakes: somebody believes that they are enforced.
fn check_companions(
    path: &Path<'_>,
    access: Option<Access>,
    [roles, owner, when, step_up]: [Option<&Node>; 4],
    line: Option<u32>,
    findings: &mut Findings,
) {
    let Some(access) = access else { return };
    match (access, roles) {
        (Access::Roles, None) => {
            findings.error(path, line, "`access: roles` without `roles`", "list the roles that may")
        }
        (Access::Public | Access::Authenticated | Access::RoleTable, Some(node)) => {
            findings.error(
                &path.field("roles"),
                node.line,
                "`roles` without `access: roles`",
                "set access: roles, or remove it",
            );
        }
        _ => {}
    }
    if let Some(node) = owner.filter(|_| access != Access::RoleTable) {
        findings.error(
            &path.field("owner"),
            node.line,
            "`owner` without `access: role_table`",
            "set access: role_table, or remove it",
        );
    }
    for (name, node) in [("when", when), ("step_up", step_up)] {
        if let Some(node) = node.filter(|_| access == Access::Public) {
            let message = format!("`{name}` looks at claims, and a public route has none");
            findings.error(&path.field(name), node.line, message, "set access: authenticated, or remove it");
        }
    }
}

/// How strongly and how lately a caller must have authenticated.
fn step_up(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<StepUp> {
    let mut fields = Fields::of(node, path, findings)?;
    let words = |node: &Node, path: &Path<'_>, findings: &mut Findings| {
        non_empty(node, path, findings, "name at least one, or remove the field", challenge_word)
    };
    let (acr_node, amr_node) = (fields.take("acr_values"), fields.take("amr"));
    let acr_values = acr_node.map(|node| words(node, &path.field("acr_values"), findings));
    let amr = amr_node.map(|node| words(node, &path.field("amr"), findings));
    let age_node = fields.take("max_age");
    let max_age = age_node.map(|node| {
        let age = duration(node, &path.field("max_age"), findings)?;
        if age == 0 {
            let remedy = "write how long ago a sign-in may be, such as 15m";
            findings.error(&path.field("max_age"), node.line, "no time at all", remedy);
        }
        Some(age)
    });
    let line = fields.line;
    fields.finish(findings);
    if [acr_node, amr_node, age_node].iter().all(Option::is_none) {
        findings.error(path, line, "nothing is asked for", "write acr_values, amr or max_age, or remove it");
        return None;
    }
    // What is not there asks for nothing; what could not be read is an error, and no less of a demand.
    let (acr_values, amr) = (acr_values.unwrap_or(Some(Vec::new()))?, amr.unwrap_or(Some(Vec::new()))?);
    let max_age = match max_age {
        Some(read) => Some(read?),
        None => None,
    };
    Some(StepUp::new(acr_values, amr, max_age))
}

/// A word of a space-delimited list in a quoted string (RFC 9470 section 3).
fn challenge_word(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<String> {
    let word = owned(node, path, findings)?;
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')) {
        let remedy = "write visible ASCII characters without quotes and backslashes";
        findings.error(path, node.line, format!("`{word}` is not a value of `acr` or `amr`"), remedy);
        return None;
    }
    Some(word)
}

/// `None`: not all of them could be read, so that it cannot be said which requests it takes.
struct Matching {
    path: PathPattern,
    methods: Option<Vec<String>>,
    hosts: Option<Vec<HostPattern>>,
}

fn matching(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<Matching> {
    let mut fields = Fields::of(node, path, findings)?;
    let pattern = fields.required("path", "write the path, such as /users/{id}", findings);
    let pattern = pattern.and_then(|node| path_pattern(node, &path.field("path"), findings));
    let remedy = "list some, or leave the field out for any";
    let methods = fields.take("methods").map_or(Some(Vec::new()), |node| {
        whole(node, non_empty(node, &path.field("methods"), findings, remedy, response::method)?)
    });
    let hosts = fields
        .take("hosts")
        .map_or(Some(Vec::new()), |node| whole(node, non_empty(node, &path.field("hosts"), findings, remedy, host)?));
    fields.finish(findings);
    Some(Matching { path: pattern?, methods, hosts })
}

fn path_pattern(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<PathPattern> {
    let given = text(node, path, findings)?;
    match parse_pattern(given) {
        Ok(segments) => Some(PathPattern { text: given.to_owned(), segments }),
        Err(remedy) => {
            findings.error(path, node.line, format!("`{given}` is not a path pattern"), remedy);
            None
        }
    }
}

/// Parses `/users/{id}/{*rest}`. Literals must be in normal form, or they would never match.
fn parse_pattern(given: &str) -> Result<Vec<Segment>, String> {
    let Some(rest) = given.strip_prefix('/') else { return Err("start it with `/`".into()) };
    let parts: Vec<&str> = rest.split('/').collect();
    if parts.len() > MAX_SEGMENTS {
        return Err(format!("use at most {MAX_SEGMENTS} segments"));
    }
    let mut segments: Vec<Segment> = Vec::with_capacity(parts.len());
    let mut names: Vec<&str> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let last = index + 1 == parts.len();
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let segment = match name {
            Some(name) => {
                let (name, is_rest) = name.strip_prefix('*').map_or((name, false), |name| (name, true));
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                    return Err("name parameters with letters, digits and `_`: {id}, {*rest}".into());
                }
                if names.contains(&name) {
                    return Err(format!("`{name}` is there twice; give each parameter a name of its own"));
                }
                if is_rest && !last {
                    return Err("`{*…}` takes the rest of the path and so stands last".into());
                }
                names.push(name);
                if is_rest { Segment::Rest(name.into()) } else { Segment::Param(name.into()) }
            }
            None if part.contains(['{', '}']) => return Err("a parameter is a whole segment: /{id}/".into()),
            None if part.contains('*') => return Err("for any rest of a path write {*rest}".into()),
            None if part.is_empty() && !last => return Err("write single slashes".into()),
            None => Segment::Literal((*part).to_owned()),
        };
        segments.push(segment);
    }
    let literal: String = segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::Param(_) | Segment::Rest(_) => "/x".into(),
        })
        .collect();
    match NormalizedPath::parse(literal.as_bytes()) {
        Ok(normal) if normal.as_str() == literal => Ok(segments.into_iter().map(compared).collect()),
        Ok(normal) => Err(format!("requests are matched in normal form, which is {}", normal.as_str())),
        Err(_) => Err("requests with such a path are refused; use unreserved characters and complete escapes".into()),
    }
}

fn compared(segment: Segment) -> Segment {
    match segment {
        Segment::Literal(text) => Segment::Literal(comparable(&text).into_owned()),
        Segment::Param(_) | Segment::Rest(_) => segment,
    }
}

fn host(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<HostPattern> {
    let given = text(node, path, findings)?;
    let host = given.to_ascii_lowercase();
    let (name, wild) = host.strip_prefix("*.").map_or((host.as_str(), false), |name| (name, true));
    let fits = !name.is_empty()
        && !name.starts_with('.')
        && !name.ends_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'[' | b']' | b':'))
        && (name.starts_with('[') || !name.contains(':'));
    if !fits {
        findings.error(
            path,
            node.line,
            format!("`{given}` is not a host"),
            "write api.example.com or *.example.com, without a port",
        );
        return None;
    }
    Some(if wild { HostPattern::Suffix(format!(".{name}")) } else { HostPattern::Exact(host) })
}

fn owner(node: &Node, path: &Path<'_>, pattern: Option<&PathPattern>, findings: &mut Findings) -> Option<Owner> {
    let mut fields = Fields::of(node, path, findings)?;
    let upstream = fields.read("upstream", findings, boolean);
    let param = fields.read("param", findings, |node, path, findings| path_param(node, path, pattern, findings));
    let claim = fields.read("claim", findings, claim_path);
    let (has_param, has_claim) = (fields.take("param").is_some(), fields.take("claim").is_some());
    let line = fields.line;
    fields.finish(findings);
    match (upstream, has_param, has_claim) {
        (Some(true), false, false) => Some(Owner::Upstream),
        (None, true, true) => Some(Owner::Param { param: param?, claim: claim? }),
        _ => {
            findings.error(
                path,
                line,
                "neither a comparison nor the upstream",
                "write {param: …, claim: […]} or {upstream: true}",
            );
            None
        }
    }
}

fn path_param(node: &Node, path: &Path<'_>, pattern: Option<&PathPattern>, findings: &mut Findings) -> Option<String> {
    let name = text(node, path, findings)?;
    if pattern.is_some_and(|pattern| !pattern.names_param(name)) {
        findings.error(
            path,
            node.line,
            format!("the route's path has no parameter `{name}`"),
            "name a parameter of match.path",
        );
        return None;
    }
    Some(name.to_owned())
}

fn condition(
    node: &Node,
    path: &Path<'_>,
    pattern: Option<&PathPattern>,
    stripped: &[String],
    findings: &mut Findings,
) -> Option<Condition> {
    let mut fields = Fields::of(node, path, findings)?;
    let claim = fields.required("claim", "name the claim, such as [scope]", findings);
    let claim = claim.and_then(|node| claim_path(node, &path.field("claim"), findings));
    let contains = fields.take("contains");
    let equals = fields.take("equals");
    let line = fields.line;
    fields.finish(findings);
    let test = match (contains, equals) {
        (Some(node), None) => owned(node, &path.field("contains"), findings).map(Test::Contains),
        (None, Some(node)) => operand(node, &path.field("equals"), pattern, stripped, findings).map(Test::Equals),
        _ => {
            findings.error(path, line, "not exactly one test", "write either `contains` or `equals`");
            None
        }
    };
    Some(Condition { claim: claim?, test: test? })
}

fn operand(
    node: &Node,
    path: &Path<'_>,
    pattern: Option<&PathPattern>,
    stripped: &[String],
    findings: &mut Findings,
) -> Option<Operand> {
    match &node.value {
        NodeValue::Number(number) if !is_exact(*number) => {
            findings.error(
                path,
                node.line,
                "such a number is not exact, and others would be taken for it",
                "have the claim issued as text, and write it in quotes",
            );
            None
        }
        NodeValue::String(_) | NodeValue::Number(_) | NodeValue::Bool(_) => Some(Operand::Value(scalar(node))),
        NodeValue::Map(members) if members.len() == 1 => {
            let mut fields = Fields::of(node, path, findings)?;
            let header = fields.read("header", findings, |node, path, findings| {
                client_header(node, path, stripped, findings).map(Operand::Header)
            });
            let param = fields.read("param", findings, |node, path, findings| {
                path_param(node, path, pattern, findings).map(Operand::Param)
            });
            let query =
                fields.read("query", findings, |node, path, findings| owned(node, path, findings).map(Operand::Query));
            fields.finish(findings);
            header.or(param).or(query)
        }
        _ => {
            findings.error(
                path,
                node.line,
                "nothing to compare with",
                "write a value, or one of {header: …}, {param: …}, {query: …}",
            );
            None
        }
    }
}

/// Whole numbers within 2^53 are exact in a double, beyond it neighbours are one; halves and the like are taken as given.
fn is_exact(number: f64) -> bool {
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    number.abs() < LIMIT
}

/// A header that a request can have: not one that is removed from every request.
fn client_header(node: &Node, path: &Path<'_>, stripped: &[String], findings: &mut Findings) -> Option<String> {
    let name = header_name(node, path, findings)?;
    if stripped.iter().any(|own| spells(name.as_bytes(), own)) || spells_prefix(name.as_bytes(), OWN_PREFIX) {
        findings.error(
            path,
            node.line,
            format!("`{name}` is removed from every request, as no client may set it"),
            "compare with another header, or with the claim it is made from",
        );
        return None;
    }
    Some(name)
}

fn scalar(node: &Node) -> Value {
    node.to_canonical_json()
}

fn ip_rule(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<IpRule> {
    let mut fields = Fields::of(node, path, findings)?;
    let remedy = "list CIDR blocks, or leave the field out";
    let mut blocks =
        |name| fields.read(name, findings, |node, path, findings| non_empty(node, path, findings, remedy, cidr));
    let (allow, deny) = (blocks("allow"), blocks("deny"));
    let nothing = fields.take("allow").is_none() && fields.take("deny").is_none();
    let line = fields.line;
    fields.finish(findings);
    if nothing {
        findings.error(path, line, "neither `allow` nor `deny`", remedy);
        return None;
    }
    Some(IpRule { allow: allow.unwrap_or_default(), deny: deny.unwrap_or_default() })
}

fn cidr(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<Cidr> {
    let given = text(node, path, findings)?;
    match Cidr::parse(given) {
        Ok(block) => {
            if block.is_everything() {
                findings.warn(path, node.line, format!("`{given}` is every address"), "narrow it, or remove the rule");
            }
            Some(block)
        }
        Err(error) => {
            let remedy = match error {
                CidrError::NotAnAddress => "write an address or a block: 192.0.2.7, 10.0.0.0/8, 2001:db8::/32".into(),
                CidrError::PrefixLength => "write a prefix length from 0 to 32 (IPv4) or 128 (IPv6)".into(),
                CidrError::HostBits(meant) => format!("bits are set beyond the prefix; write {meant}"),
            };
            findings.error(path, node.line, format!("`{given}` is not a CIDR block"), remedy);
            None
        }
    }
}
