//! Who may do what under a policy, and under which of two: what `portcullis policy matrix` and `policy diff` show.
//!
//! The rules are not read a second time here. Which route decides is asked of [`RouteTable::find`], by a request that
//! stands for all of its kind; what the route gives to a role is asked of [`Requirement::grant`], without which
//! [`Requirement::authorize`] makes no permit. So what is shown is what is decided.
//!
//! [`RouteTable::find`]: crate::route::RouteTable::find
//! [`Requirement::grant`]: crate::authz::Requirement::grant
//! [`Requirement::authorize`]: crate::authz::Requirement::authorize

use std::time::Duration;

use crate::audit::{AuditLevel, AuditRules, Mask};
use crate::authz::HeldRoles;
use crate::cors::{Names, Origins};
use crate::decision::{AllowReason, DenyReason};
use crate::headers::Preset;
use crate::policy::Policy;
use crate::request::{Action, Method};
use crate::route::{HostPattern, PathPattern, Route, Segment};
use crate::set_cookie::{CookieRules, SameSite};
use crate::token::{Provider, RolesFrom, TokenSource};

#[cfg(test)]
mod tests;

/// Stands for every method that is neither read nor write and that no route names. No token, so no route can name it.
pub const OTHER_METHODS: &str = "(other)";

/// Stands for every segment that no route names, and every host: braces cannot be part of one.
const ANY: &str = "{}";

/// The methods that the role table knows.
const KNOWN_METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller<'a> {
    /// Without a token.
    Anyone,
    /// With a good token, and no role that the policy knows.
    WithToken,
    /// With a good token of one role.
    Role(&'a str),
}

/// A route of a policy, to be looked at.
#[derive(Clone, Copy, Debug)]
pub struct RouteView<'p> {
    policy: &'p Policy,
    route: &'p Route,
}

/// A provider of a policy, to be looked at.
#[derive(Clone, Copy, Debug)]
pub struct ProviderView<'p>(&'p Provider, &'p [TokenSource], usize);

/// What script may read of a route's responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsView {
    /// The origins in the words of the policy, sorted.
    pub origins: Vec<String>,
    /// The methods that it may send, sorted.
    pub methods: Vec<String>,
    /// The request headers that it may set, sorted.
    pub headers: Vec<String>,
    /// The response headers that it may read besides, sorted.
    pub exposed: Vec<String>,
    /// Whether with the user's credentials.
    pub credentials: bool,
}

/// What is recorded of requests, and how, in the words of the policy.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditView {
    /// `all`, `denied` or `none`.
    pub level: &'static str,
    /// Where records go.
    pub sinks: Vec<&'static str>,
    /// The share of allowed requests that is recorded, from 0 to 1.
    pub sample: f64,
    /// How many denials of a kind have records of their own, and in which time; `None` where all have.
    pub burst: Option<(u32, Duration)>,
    /// What is masked beyond what is masked anyway.
    pub masks: Vec<String>,
    /// Whether records are links of a chain.
    pub chain: bool,
}

/// The methods of a route's path, by who decides them.
#[derive(Clone, Debug)]
pub struct Decided<'p> {
    /// Those the route decides: what reads, what writes, and the others; [`OTHER_METHODS`] for those nobody names.
    pub here: [Vec<&'p str>; 3],
    /// Those that a more specific route takes.
    pub elsewhere: Vec<(&'p str, RouteView<'p>)>,
}

/// Requests that one route decides under the old policy and one under the new.
#[derive(Clone, Debug)]
pub struct Meeting<'p> {
    /// Their path, as a pattern.
    pub path: String,
    /// Their hosts; none where it does not matter.
    pub hosts: Vec<String>,
    /// Their methods.
    pub methods: Vec<&'p str>,
    /// The route of the old policy; `None` where none takes them.
    pub old: Option<RouteView<'p>>,
    /// The route of the new policy.
    pub new: Option<RouteView<'p>>,
}

/// Asks which route decides what.
#[derive(Clone, Copy, Debug)]
pub struct Survey<'p> {
    old: &'p Policy,
    new: &'p Policy,
    /// Of the longest path.
    depth: usize,
}

impl Policy {
    /// Every role named anywhere in the policy, sorted.
    #[must_use]
    pub fn known_roles(&self) -> &[String] {
        &self.roles.known
    }

    /// The routes, in the order of the policy.
    pub fn routes(&self) -> impl Iterator<Item = RouteView<'_>> {
        self.routes.routes().iter().map(|route| RouteView { policy: self, route })
    }

    /// The providers, in the order of the policy.
    pub fn providers(&self) -> impl Iterator<Item = ProviderView<'_>> {
        let all = self.providers.iter().enumerate();
        all.map(|(index, provider)| ProviderView(provider, &self.sources.0, index))
    }

    /// Whether the policy as a whole is on trial.
    #[must_use]
    pub const fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// What is recorded.
    #[must_use]
    pub fn audit(&self) -> AuditView {
        let AuditRules { level, sinks, sample, burst, masks, chain } = &*self.audit;
        let level = match level {
            AuditLevel::All => "all",
            AuditLevel::Denied => "denied",
            AuditLevel::None => "none",
        };
        let to = [(sinks.access_log, "access_log"), (sinks.log, "log")];
        let mask = |field: &str, mask: Mask| match mask {
            Mask::None => None,
            Mask::Truncate => Some(format!("{field}: truncate")),
            Mask::Hash => Some(format!("{field}: hash")),
        };
        let params = masks.path_params.iter().map(|name| format!("path parameter {name}: hash"));
        let fields = [mask("user_id", masks.user_id), mask("ip_address", masks.ip_address)];
        AuditView {
            level,
            sinks: to.into_iter().filter_map(|(goes, name)| goes.then_some(name)).collect(),
            sample: sample.share(),
            burst: burst.map(|burst| (burst.max, burst.interval)),
            masks: fields.into_iter().flatten().chain(params).collect(),
            chain: chain.is_some(),
        }
    }

    /// What applies to responses where a route does not say otherwise.
    #[must_use]
    pub fn cors(&self) -> Option<CorsView> {
        self.response.cors.as_ref().map(CorsView::new)
    }

    /// Whether what an upstream's errors tell is hidden, where a route does not say otherwise.
    #[must_use]
    pub fn hides_upstream_5xx(&self) -> bool {
        self.response.hide_upstream_5xx
    }

    /// What cookies are made to say, where a route does not say otherwise.
    #[must_use]
    pub fn cookies(&self) -> Vec<String> {
        asked_of_cookies(self.response.set_cookie.as_ref())
    }

    /// The preset of security headers, where a route does not say otherwise.
    #[must_use]
    pub fn security_preset(&self) -> &'static str {
        preset_name(self.response.preset)
    }
}

/// Attributes, each with the cookies that need not have it.
fn asked_of_cookies(rules: Option<&CookieRules>) -> Vec<String> {
    let Some(CookieRules { secure, http_only, same_site, except }) = rules else { return Vec::new() };
    let same_site = same_site.map(|same_site| match same_site {
        SameSite::Strict => "SameSite=Strict",
        SameSite::Lax => "SameSite=Lax",
    });
    let but = if except.is_empty() { String::new() } else { format!(", but for {}", except.join(", ")) };
    let asked = [secure.then_some("Secure"), http_only.then_some("HttpOnly"), same_site];
    asked.into_iter().flatten().map(|attribute| format!("{attribute}{but}")).collect()
}

const fn preset_name(preset: Preset) -> &'static str {
    match preset {
        Preset::Recommended => "recommended",
        Preset::Api => "api",
        Preset::None => "none",
    }
}

impl CorsView {
    fn new(cors: &crate::cors::CorsPolicy) -> Self {
        let mut origins = match &cors.origins {
            Origins::Any => vec!["*".to_owned()],
            Origins::Listed { exact, subdomains } => {
                let below = subdomains.iter().map(|pattern| format!("{}*{}", pattern.scheme, pattern.suffix));
                exact.iter().cloned().chain(below).collect()
            }
        };
        origins.sort();
        let named = |names: &Names| {
            let mut all: Vec<String> =
                names.any.then(|| "*".to_owned()).into_iter().chain(names.listed.clone()).collect();
            all.sort();
            all.dedup();
            all
        };
        let mut exposed = cors.expose_headers.clone();
        exposed.sort();
        exposed.dedup();
        let (methods, headers) = (named(&cors.methods), named(&cors.headers));
        Self { origins, methods, headers, exposed, credentials: cors.credentials }
    }
}

impl<'p> ProviderView<'p> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'p str {
        &self.0.name
    }

    /// What `iss` must be.
    #[must_use]
    pub fn issuer(&self) -> Option<&'p str> {
        self.0.verifier.rules.issuer.as_deref()
    }

    /// What may be in `aud`; empty: anything.
    #[must_use]
    pub fn audiences(&self) -> &'p [String] {
        &self.0.verifier.rules.audiences
    }

    /// The algorithms that tokens may use.
    pub fn algorithms(&self) -> impl Iterator<Item = &'static str> + use<'p> {
        self.0.verifier.algorithms.iter().map(|algorithm| algorithm.name())
    }

    /// Whether a token without `exp` is refused.
    #[must_use]
    pub const fn requires_expiration(&self) -> bool {
        self.0.verifier.rules.require_expiration
    }

    /// For how many seconds a token may be valid.
    #[must_use]
    pub const fn max_lifetime(&self) -> Option<f64> {
        self.0.verifier.rules.max_lifetime
    }

    /// By how many seconds clocks may differ.
    #[must_use]
    pub const fn clock_skew(&self) -> f64 {
        self.0.verifier.rules.clock_skew
    }

    /// Where its tokens are looked for.
    #[must_use]
    pub fn places(&self) -> Vec<String> {
        let own = self.1.iter().filter(|source| source.providers.contains(&self.2));
        own.map(|source| source.place.to_string()).collect()
    }

    /// Whether the upstream is sent its tokens.
    #[must_use]
    pub const fn forwards(&self) -> bool {
        self.0.forward
    }

    /// The headers that tell the upstream of a caller, each with its claim.
    pub fn claim_headers(&self) -> impl Iterator<Item = (&'p str, String)> + use<'p> {
        self.0.claim_to_headers.iter().map(|(claim, header)| (&**header, claim.0.join(".")))
    }

    /// The claim that roles are in; `(identity feed)`, which is no claim, where they are there.
    #[must_use]
    pub fn roles_from(&self) -> Option<String> {
        self.0.roles_from.as_ref().map(|from| match from {
            RolesFrom::Claim(claim) => claim.0.join("."),
            RolesFrom::Feed => "(identity feed)".to_owned(),
        })
    }
}

impl PartialEq for RouteView<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.route, other.route)
    }
}

impl<'p> RouteView<'p> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'p str {
        &self.route.name
    }

    /// The pattern of its path.
    #[must_use]
    pub fn path(&self) -> &'p str {
        &self.route.path.text
    }

    /// The methods it names; empty: any.
    #[must_use]
    pub fn methods(&self) -> &'p [String] {
        &self.route.methods
    }

    /// The hosts it names; empty: any.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        self.route.hosts.iter().map(HostPattern::describe).collect()
    }

    /// What it asks of its caller, in the words of the policy.
    #[must_use]
    pub fn access(&self) -> String {
        self.route.requirement.describe()
    }

    /// What "own" means here, where it means anything.
    #[must_use]
    pub fn owner(&self) -> Option<String> {
        self.route.requirement.describe_owner()
    }

    /// Its address rule.
    #[must_use]
    pub fn addresses(&self) -> Option<String> {
        self.route.ip.as_ref().map(crate::ip::IpRule::describe)
    }

    /// Whether an address may come in here that may not there. Where that is hard to tell, it is so.
    #[must_use]
    pub fn admits_beyond(&self, other: &Self) -> bool {
        goes_beyond(self.route.ip.as_ref(), other.route.ip.as_ref(), crate::ip::IpRule::admits_beyond)
    }

    /// What it asks of its caller's authentication.
    #[must_use]
    pub fn step_up(&self) -> Option<String> {
        self.route.step_up.as_ref().map(crate::step_up::StepUp::describe)
    }

    /// Whether some authentication suffices here that does not there.
    #[must_use]
    pub fn accepts_beyond(&self, other: &Self) -> bool {
        goes_beyond(self.route.step_up.as_ref(), other.route.step_up.as_ref(), crate::step_up::StepUp::admits_beyond)
    }

    /// Its conditions.
    #[must_use]
    pub fn conditions(&self) -> Vec<String> {
        self.route.when.iter().map(crate::authz::Condition::describe).collect()
    }

    /// Whether it is on trial: it refuses nobody, and says whom it would.
    #[must_use]
    pub const fn is_dry_run(&self) -> bool {
        self.policy.dry_run || self.route.dry_run
    }

    /// What script may read of its responses.
    #[must_use]
    pub fn cors(&self) -> Option<CorsView> {
        self.route.response.cors.as_ref().map(CorsView::new)
    }

    /// Whether what an upstream's errors tell is hidden.
    #[must_use]
    pub fn hides_upstream_5xx(&self) -> bool {
        self.route.response.hide_upstream_5xx
    }

    /// What cookies of its responses are made to say.
    #[must_use]
    pub fn cookies(&self) -> Vec<String> {
        asked_of_cookies(self.route.response.set_cookie.as_ref())
    }

    /// The preset of its security headers.
    #[must_use]
    pub fn security_preset(&self) -> &'static str {
        preset_name(self.route.response.preset)
    }

    /// Whether a caller may, its address, its authentication and the conditions aside. [`AllowReason::OwnerAllowed`] is for its own only.
    ///
    /// # Errors
    /// Why it may not.
    pub fn right(&self, caller: Caller<'_>, method: &str) -> Result<AllowReason, DenyReason> {
        let roles = match caller {
            Caller::Anyone => None,
            Caller::WithToken => Some(HeldRoles::default()),
            Caller::Role(name) => Some(HeldRoles::new(vec![name.into()], &self.policy.roles.table)),
        };
        let action = Method::of(method.as_bytes()).action();
        self.route.requirement.grant(roles.as_ref(), action).map(|grant| grant.reason)
    }

    fn knows(&self, host: &str, path: &str, method: &str) -> bool {
        self.policy.routes.find(path, host, method).is_some_and(|found| std::ptr::eq(found.route, self.route))
    }
}

/// Whether a rule lets in what another does not. No rule lets everything in.
fn goes_beyond<R>(own: Option<&R>, other: Option<&R>, beyond: impl Fn(&R, &R) -> bool) -> bool {
    other.is_some_and(|other| own.is_none_or(|own| beyond(own, other)))
}

impl<'p> Survey<'p> {
    /// Of one policy.
    #[must_use]
    pub fn new(policy: &'p Policy) -> Self {
        Self::between(policy, policy)
    }

    /// Of two.
    #[must_use]
    pub fn between(old: &'p Policy, new: &'p Policy) -> Self {
        let routes = old.routes.routes().iter().chain(new.routes.routes());
        let depth = routes.map(|route| route.path.segments.len()).max().unwrap_or(0);
        Self { old, new, depth }
    }

    /// Who decides the methods of a route's path.
    #[must_use]
    pub fn decided(&self, view: RouteView<'p>) -> Decided<'p> {
        let mut decided = Decided { here: Default::default(), elsewhere: Vec::new() };
        let paths = self.paths(&view.route.path.segments);
        let hosts = hosts([view.route]);
        for method in methods([view.route]) {
            let kinds = || hosts.iter().flat_map(|(_, host)| paths.iter().map(move |path| (host, path)));
            if kinds().any(|(host, path)| view.knows(host, path, method)) {
                let [read, write, other] = &mut decided.here;
                match Method::of(method.as_bytes()).action() {
                    Action::Read => read.push(method),
                    Action::Write => write.push(method),
                    Action::Other => other.push(method),
                }
            } else {
                let mut kinds = kinds();
                let taken = kinds.find_map(|(host, path)| {
                    let found = view.policy.routes.find(path, host, method)?.route;
                    view.policy.routes().find(|route| std::ptr::eq(route.route, found))
                });
                decided.elsewhere.extend(taken.map(|route| (method, route)));
            }
        }
        decided
    }

    /// Whether other routes decide all of a route's requests: some of them, where it decides none itself.
    #[must_use]
    pub fn shadowed_by(&self, view: RouteView<'p>) -> Option<Vec<&'p str>> {
        let Decided { here, elsewhere } = self.decided(view);
        let mut others: Vec<&str> = elsewhere.iter().map(|(_, route)| route.name()).collect();
        others.dedup();
        here.iter().all(Vec::is_empty).then_some(others)
    }

    /// All kinds of requests that may be decided by another route, or another rule, under the new policy than under the
    /// old: every pair of routes that decides the same requests.
    ///
    /// One request is enough for a pair. Where its path has a parameter, it has a segment that no route names; whatever
    /// else could take that request could take all of the pair's, so what decides it decides them.
    #[must_use]
    pub fn meetings(&self) -> Vec<Meeting<'p>> {
        let mut meetings = Vec::new();
        for old in self.old.routes() {
            for new in self.new.routes() {
                self.meet(Some(old), Some(new), &mut meetings);
            }
            self.meet(Some(old), None, &mut meetings);
        }
        for new in self.new.routes() {
            self.meet(None, Some(new), &mut meetings);
        }
        meetings
    }

    fn meet(&self, old: Option<RouteView<'p>>, new: Option<RouteView<'p>>, meetings: &mut Vec<Meeting<'p>>) {
        let (pattern, routes) = match (old, new) {
            (Some(old), Some(new)) => {
                let Some(segments) = common(&old.route.path.segments, &new.route.path.segments) else { return };
                (PathPattern { text: render(&segments), segments }, vec![old.route, new.route])
            }
            (Some(only), None) | (None, Some(only)) => (only.route.path.clone(), vec![only.route]),
            (None, None) => return,
        };
        let paths = self.paths(&pattern.segments);
        let mut found: Vec<(Vec<&'p str>, Vec<Option<String>>)> = Vec::new();
        for (label, host) in hosts(routes.iter().copied()) {
            let decides = |policy: &'p Policy, view: Option<RouteView<'p>>, path: &str, method: &str| {
                let found = policy.routes.find(path, &host, method).map(|found| std::ptr::from_ref(found.route));
                found == view.map(|view| std::ptr::from_ref(view.route))
            };
            let of_pair = |method: &&str| {
                paths.iter().any(|path| decides(self.old, old, path, method) && decides(self.new, new, path, method))
            };
            let methods: Vec<&'p str> = methods(routes.iter().copied()).into_iter().filter(of_pair).collect();
            match found.iter_mut().find(|(known, _)| *known == methods) {
                _ if methods.is_empty() => {}
                Some((_, labels)) => labels.push(label),
                None => found.push((methods, vec![label])),
            }
        }
        meetings.extend(found.into_iter().map(|(methods, labels)| {
            let hosts = labels.into_iter().collect::<Option<Vec<String>>>().unwrap_or_default();
            Meeting { path: pattern.text.clone(), hosts, methods, old, new }
        }));
    }

    /// Paths that stand for all of a pattern's. The rest of one is as deep as no pattern is, before it is less so: the
    /// less specific a route is, the more of its paths others take.
    fn paths(&self, segments: &[Segment]) -> Vec<String> {
        let mut stem = String::new();
        let mut open = false;
        for segment in segments {
            match segment {
                Segment::Literal(text) => {
                    stem.push('/');
                    stem.push_str(text);
                }
                Segment::Param(_) => {
                    stem.push('/');
                    stem.push_str(ANY);
                }
                Segment::Rest(_) => open = true,
            }
        }
        if !open {
            return vec![stem];
        }
        let step = format!("/{ANY}");
        let below = (1..=self.depth.saturating_add(1)).rev().map(|depth| format!("{stem}{}", step.repeat(depth)));
        below.flat_map(|path| [path.clone(), path + "/"]).collect()
    }
}

/// Methods that routes may tell apart.
fn methods<'p>(routes: impl IntoIterator<Item = &'p Route>) -> Vec<&'p str> {
    let (mut named, mut any): (Vec<&str>, bool) = (Vec::new(), true);
    for route in routes {
        any &= route.methods.is_empty();
        named.extend(route.methods.iter().map(String::as_str));
    }
    let mut methods: Vec<&str> = KNOWN_METHODS.to_vec();
    methods.retain(|method| any || named.contains(method));
    named.retain(|method| !KNOWN_METHODS.contains(method));
    named.sort_unstable();
    named.dedup();
    methods.extend(named);
    methods.extend(any.then_some(OTHER_METHODS));
    methods
}

/// Hosts that routes may tell apart, each with what to call it: nothing where no route names it.
fn hosts<'p>(routes: impl IntoIterator<Item = &'p Route>) -> Vec<(Option<String>, String)> {
    let (mut hosts, mut open) = (Vec::new(), true);
    for route in routes {
        open &= route.hosts.is_empty();
        for host in &route.hosts {
            let name = host.describe();
            let one = (Some(name.clone()), name.replace('*', ANY));
            if !hosts.contains(&one) {
                hosts.push(one);
            }
        }
    }
    if open {
        hosts.push((None, ANY.to_owned()));
    }
    hosts
}

/// The paths of both patterns, as a pattern.
fn common(old: &[Segment], new: &[Segment]) -> Option<Vec<Segment>> {
    let apart = |(left, right): (&Segment, &Segment)| matches!((left, right), (Segment::Literal(left), Segment::Literal(right)) if left != right);
    if old.iter().zip(new).any(apart) {
        return None;
    }
    let mut both = Vec::new();
    let (mut old, mut new) = (old, new);
    loop {
        match (old.split_first(), new.split_first()) {
            (None, None) => return Some(both),
            (Some((Segment::Rest(_), _)), Some(_)) => {
                both.extend_from_slice(new);
                return Some(both);
            }
            (Some(_), Some((Segment::Rest(_), _))) => {
                both.extend_from_slice(old);
                return Some(both);
            }
            (Some((left, left_below)), Some((right, right_below))) => {
                both.push(match (left, right) {
                    (Segment::Literal(_), _) => left.clone(),
                    (_, right) => right.clone(),
                });
                (old, new) = (left_below, right_below);
            }
            (Some(_), None) | (None, Some(_)) => return None,
        }
    }
}

fn render(segments: &[Segment]) -> String {
    let parts = segments.iter().map(|segment| match segment {
        Segment::Literal(text) => format!("/{text}"),
        Segment::Param(name) => format!("/{{{name}}}"),
        Segment::Rest(name) => format!("/{{*{name}}}"),
    });
    parts.collect()
}
