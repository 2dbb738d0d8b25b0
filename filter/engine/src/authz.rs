//! Who may: requirements of routes, and the permit that only they can give.

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::Value;

use crate::decision::{AllowReason, DenyReason};
use crate::hash::FixedMap;
use crate::json::{Json, Members};
use crate::path::decode_segment;
use crate::request::{Action, RequestHead, form_text};
use crate::route::{Route, RouteMatch};
use crate::session::Session;
use crate::step_up::StepUp;
use crate::time::UnixTime;
use crate::token::{ClaimPath, Provider};

/// What a route asks of its caller.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Requirement {
    Public,
    Authenticated,
    Roles(Vec<String>),
    RoleTable(Owner),
}

/// What "own" means on a route.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Owner {
    /// Nothing: roles that need it are refused.
    Undefined,
    /// The service finds out.
    Upstream,
    /// A path parameter equals a claim.
    Param { param: String, claim: ClaimPath },
}

/// How far a role reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    None,
    Own,
    Any,
}

/// A row of the role table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoleRights {
    pub(crate) read: Reach,
    pub(crate) write: Reach,
}

/// The roles and their rights.
pub(crate) type RoleTable = FixedMap<String, RoleRights>;

/// The roles of a policy.
#[derive(Clone, Debug)]
pub(crate) struct Roles {
    pub(crate) table: RoleTable,
    /// Every role named anywhere in the policy: the only ones a record repeats.
    pub(crate) known: Vec<String>,
    /// The claims that tell owners, each once: [`Route::owner`](crate::route::Route::owner) says which is a route's.
    pub(crate) owners: Vec<ClaimPath>,
    /// What else decisions ask of a token after it was verified.
    pub(crate) asked: AskedClaims,
}

/// Claims that are looked at again with every request of their token; what nobody asks for is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AskedClaims {
    All,
    /// Names of claims.
    These(Vec<String>),
}

impl AskedClaims {
    /// Those that these routes ask for.
    pub(crate) fn of(routes: &[Route]) -> Self {
        let conditions = routes.iter().flat_map(|route| &route.when).filter_map(|condition| condition.claim.0.first());
        let strength = routes.iter().filter(|route| route.step_up.is_some()).flat_map(|_| StepUp::CLAIMS);
        let mut names: Vec<String> = conditions.cloned().chain(strength.map(str::to_owned)).collect();
        names.sort_unstable();
        names.dedup();
        Self::These(names)
    }

    /// What is kept of some claims.
    pub(crate) fn keep(&self, claims: Members<'_>) -> Members<'static> {
        claims.into_owned(|name| match self {
            Self::All => true,
            Self::These(names) => names.iter().any(|own| own == name),
        })
    }
}

/// The roles of a caller, and how far they reach: for each action the one that reaches furthest, which decides.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeldRoles {
    names: Vec<Rc<str>>,
    read: Option<(Rc<str>, Reach)>,
    write: Option<(Rc<str>, Reach)>,
    other: Option<(Rc<str>, Reach)>,
}

impl HeldRoles {
    pub(crate) fn new(names: Vec<Rc<str>>, table: &RoleTable) -> Self {
        let furthest = |action| {
            let known = names.iter().filter_map(|role| Some((role, table.get(&**role)?.reach(action))));
            known.max_by_key(|(_, reach)| *reach).map(|(role, reach)| (Rc::clone(role), reach))
        };
        let (read, write, other) = (furthest(Action::Read), furthest(Action::Write), furthest(Action::Other));
        Self { names, read, write, other }
    }

    pub(crate) fn names(&self) -> &[Rc<str>] {
        &self.names
    }

    const fn furthest(&self, action: Action) -> Option<&(Rc<str>, Reach)> {
        match action {
            Action::Read => self.read.as_ref(),
            Action::Write => self.write.as_ref(),
            Action::Other => self.other.as_ref(),
        }
    }
}

/// A condition of a route's `when`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    pub(crate) claim: ClaimPath,
    pub(crate) test: Test,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Contains(String),
    Equals(Operand),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Value(Value),
    Header(String),
    Param(String),
    Query(String),
}

/// A caller whose token or API key was verified.
#[derive(Clone, Debug)]
pub(crate) struct Principal<'p> {
    /// Who issued the token; `None` for an API key.
    pub(crate) provider: Option<&'p Provider>,
    pub(crate) session: Rc<Session>,
}

impl Principal<'_> {
    #[inline(never)]
    fn suffices(&self, step_up: &StepUp, now: UnixTime) -> bool {
        let clock_skew = self.provider.map_or(0.0, |provider| provider.verifier.rules.clock_skew);
        step_up.is_met(self.session.claims(), now, clock_skew)
    }
}

/// Who calls, as far as is known.
#[derive(Clone, Debug)]
pub(crate) enum Authentication<'p> {
    Anonymous,
    Authenticated(Principal<'p>),
}

/// Permission to go on to the upstream. Only [`Requirement::authorize`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permit {
    reason: AllowReason,
    role: Option<Rc<str>>,
}

/// What a caller's roles give it, before anything is known of the request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Grant<'r> {
    /// Why the request is let through, if nothing else speaks against it.
    pub(crate) reason: AllowReason,
    role: Option<&'r Rc<str>>,
    /// The path parameter that must be equal to a claim, and that.
    own: Option<(&'r str, &'r ClaimPath)>,
}

impl<'p> Authentication<'p> {
    const fn caller(&self) -> Option<&Principal<'p>> {
        match self {
            Self::Anonymous => None,
            Self::Authenticated(caller) => Some(caller),
        }
    }
}

impl Permit {
    pub(crate) const fn reason(&self) -> AllowReason {
        self.reason
    }

    /// The role that was decisive.
    pub(crate) const fn role(&self) -> Option<&Rc<str>> {
        self.role.as_ref()
    }
}

impl Requirement {
    /// The requirement in the words of the policy.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Public => "access: public".into(),
            Self::Authenticated => "access: authenticated".into(),
            Self::Roles(roles) => format!("access: roles [{}]", roles.join(", ")),
            Self::RoleTable(_) => "access: role_table".into(),
        }
    }

    /// What "own" means, where it means anything.
    pub(crate) fn describe_owner(&self) -> Option<String> {
        match self {
            Self::RoleTable(Owner::Param { param, claim }) => {
                Some(format!("own: {{{param}}} is the caller's {}", claim.0.join(".")))
            }
            Self::RoleTable(Owner::Upstream) => Some("own: the service finds out".into()),
            _ => None,
        }
    }

    /// The claim that tells the owner, where one does.
    pub(crate) const fn owner_claim(&self) -> Option<&ClaimPath> {
        match self {
            Self::RoleTable(Owner::Param { claim, .. }) => Some(claim),
            _ => None,
        }
    }

    /// Decides. `authentication` is anonymous only on public routes.
    pub(crate) fn authorize(
        &self,
        authentication: &Authentication<'_>,
        matched: &RouteMatch<'_>,
        head: &RequestHead<'_>,
        now: UnixTime,
    ) -> Result<Permit, DenyReason> {
        let caller = authentication.caller();
        let roles = caller.map(|caller| &caller.session.roles);
        let Grant { reason, role, own } = self.grant(roles, head.envelope.method.action())?;
        let permit = Permit { reason, role: role.map(Rc::clone) };
        if matches!(self, Self::Public) {
            return Ok(permit);
        }
        let Some(caller) = caller else { return Err(DenyReason::CredentialsMissing) };
        if own.is_some_and(|(param, _)| !owns(caller, matched, param)) {
            return Err(DenyReason::OwnerDenied);
        }
        let holds = |condition: &Condition| condition.holds(caller, matched, head);
        if !matched.route.when.iter().all(holds) {
            return Err(DenyReason::ConditionDenied);
        }
        // Last: who may not anyway is not asked to authenticate again.
        if matched.route.step_up.as_ref().is_some_and(|step_up| !caller.suffices(step_up, now)) {
            return Err(DenyReason::StepUpRequired);
        }
        Ok(permit)
    }

    /// What the roles of a caller give it, or `None` those of one without a token: the part of a decision that needs no
    /// request, and without which there is no permit.
    pub(crate) fn grant<'r>(&'r self, roles: Option<&'r HeldRoles>, action: Action) -> Result<Grant<'r>, DenyReason> {
        if matches!(self, Self::Public) {
            return Ok(Grant { reason: AllowReason::Public, role: None, own: None });
        }
        let Some(roles) = roles else { return Err(DenyReason::CredentialsMissing) };
        match self {
            Self::Public | Self::Authenticated => {
                Ok(Grant { reason: AllowReason::Authenticated, role: None, own: None })
            }
            Self::Roles(allowed) => grant_by_name(allowed, roles.names()),
            Self::RoleTable(owner) => grant_by_table(owner, roles, action),
        }
    }
}

/// Something that authorization looked at.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// Why it speaks against the request; `None` where it does not.
    pub(crate) against: Option<DenyReason>,
    /// What it is, in words.
    pub(crate) detail: String,
}

impl Requirement {
    /// Everything that [`authorize`](Self::authorize) looks at, in its order, and what else it would have looked at.
    pub(crate) fn examine(
        &self,
        authentication: &Authentication<'_>,
        matched: &RouteMatch<'_>,
        head: &RequestHead<'_>,
        now: UnixTime,
    ) -> Vec<Finding> {
        let caller = authentication.caller();
        let action = head.envelope.method.action();
        let grant = self.grant(caller.map(|caller| &caller.session.roles), action);
        let names = caller.map(|caller| caller.session.roles.names()).unwrap_or_default();
        let mut detail = self.describe();
        match self {
            Self::Public | Self::Authenticated => {}
            _ if caller.is_none() => {}
            Self::Roles(_) => match grant.as_ref().ok().and_then(|grant| grant.role) {
                Some(role) => detail.push_str(&format!(", role `{role}`")),
                None => detail.push_str(&format!(", the caller's: [{}]", names.join(", "))),
            },
            Self::RoleTable(_) => match caller.and_then(|caller| caller.session.roles.furthest(action)) {
                Some((role, reach)) => {
                    detail.push_str(&format!(", role `{role}`, {}: {}", action.word(), reach.word()));
                }
                None => detail.push_str(", the caller has no role of it"),
            },
        }
        let mut findings = vec![Finding { against: grant.as_ref().err().copied(), detail }];
        let (false, Some(caller)) = (*self == Self::Public, caller) else { return findings };
        if let Some((param, claim)) = grant.ok().and_then(|grant| grant.own) {
            let owns = owns(caller, matched, param);
            let word = if owns { "is" } else { "is not" };
            let detail = format!("{{{param}}} {word} the caller's {}", claim.0.join("."));
            findings.push(Finding { against: (!owns).then_some(DenyReason::OwnerDenied), detail });
        }
        findings.extend(matched.route.when.iter().map(|condition| {
            let holds = condition.holds(caller, matched, head);
            let word = if holds { "holds" } else { "does not hold" };
            let detail = format!("when {} {word}", condition.describe());
            Finding { against: (!holds).then_some(DenyReason::ConditionDenied), detail }
        }));
        findings.extend(matched.route.step_up.as_ref().map(|step_up| {
            let suffices = caller.suffices(step_up, now);
            let detail = format!("step-up: {}: {}", step_up.describe(), if suffices { "met" } else { "not met" });
            Finding { against: (!suffices).then_some(DenyReason::StepUpRequired), detail }
        }));
        findings
    }
}

impl Reach {
    const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Own => "own",
            Self::Any => "any",
        }
    }
}

#[inline(never)]
fn grant_by_name<'r>(allowed: &[String], roles: &'r [Rc<str>]) -> Result<Grant<'r>, DenyReason> {
    if roles.is_empty() {
        return Err(DenyReason::RoleMissing);
    }
    let is_allowed = |role: &&Rc<str>| allowed.iter().any(|allowed| **allowed == ***role);
    let role = roles.iter().find(is_allowed).ok_or(DenyReason::RoleDenied)?;
    Ok(Grant { reason: AllowReason::RoleAllowed, role: Some(role), own: None })
}

#[inline(never)]
fn grant_by_table<'r>(owner: &'r Owner, roles: &'r HeldRoles, action: Action) -> Result<Grant<'r>, DenyReason> {
    let (role, reach) = roles.furthest(action).ok_or(DenyReason::RoleMissing)?;
    let (reason, own) = match (reach, owner) {
        (Reach::Any, _) => (AllowReason::RoleAllowed, None),
        (Reach::Own, Owner::Upstream) => (AllowReason::OwnerUpstream, None),
        (Reach::Own, Owner::Param { param, claim }) => (AllowReason::OwnerAllowed, Some((param.as_str(), claim))),
        (Reach::Own, Owner::Undefined) => return Err(DenyReason::OwnerDenied),
        (Reach::None, _) => return Err(DenyReason::RoleDenied),
    };
    Ok(Grant { reason, role: Some(role), own })
}

fn owns(caller: &Principal<'_>, matched: &RouteMatch<'_>, param: &str) -> bool {
    let claimed = matched.route.owner.and_then(|owner| caller.session.owner(owner));
    match (matched.param(param), claimed) {
        (Some(param), Some(claimed)) => !claimed.is_empty() && decode_segment(param) == claimed,
        _ => false,
    }
}

impl RoleRights {
    /// Methods that are neither read nor write reach nothing.
    const fn reach(self, action: Action) -> Reach {
        match action {
            Action::Read => self.read,
            Action::Write => self.write,
            Action::Other => Reach::None,
        }
    }
}

impl Condition {
    /// The condition in words.
    pub(crate) fn describe(&self) -> String {
        let claim = self.claim.0.join(".");
        match &self.test {
            Test::Contains(word) => format!("{claim} contains {word}"),
            Test::Equals(Operand::Value(value)) => format!("{claim} is {value}"),
            Test::Equals(Operand::Header(name)) => format!("{claim} is the header {name}"),
            Test::Equals(Operand::Param(name)) => format!("{claim} is {{{name}}} of the path"),
            Test::Equals(Operand::Query(name)) => format!("{claim} is {name} of the query"),
        }
    }

    /// Whether the condition holds. A claim, header or parameter that is absent or repeated equals nothing, nor does one
    /// that is there in another spelling too: the service might read that one.
    #[inline(never)]
    pub(crate) fn holds(&self, caller: &Principal<'_>, matched: &RouteMatch<'_>, head: &RequestHead<'_>) -> bool {
        let Some(claim) = self.claim.lookup(caller.session.claims()) else { return false };
        match &self.test {
            Test::Contains(word) => contains(claim, word),
            Test::Equals(Operand::Value(value)) => equal(claim, value),
            Test::Equals(Operand::Header(name)) => {
                let value = head.envelope.unmistakable(name).and_then(|value| std::str::from_utf8(value).ok());
                equals_text(claim, value)
            }
            Test::Equals(Operand::Param(name)) => {
                let value = matched.param(name).map(decode_segment);
                equals_text(claim, value.as_deref())
            }
            Test::Equals(Operand::Query(name)) => {
                let value = head.query_spelled(name, |_| false).one().flatten().and_then(form_text);
                equals_text(claim, value.as_deref())
            }
        }
    }
}

/// A word of a space-delimited string (RFC 8693 section 4.2), or an element of an array.
fn contains(claim: &Json<'_>, word: &str) -> bool {
    match claim {
        Json::String(text) => text.split(' ').any(|part| part == word),
        Json::Array(items) => items.iter().any(|item| scalar_text(item).is_some_and(|text| text == word)),
        _ => false,
    }
}

/// Numbers are equal by value: a policy that came as a Struct has only doubles.
fn equal(claim: &Json<'_>, value: &Value) -> bool {
    match (claim, value) {
        (Json::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        _ => Value::from(claim.clone()) == *value,
    }
}

fn equals_text(claim: &Json<'_>, value: Option<&str>) -> bool {
    match (scalar_text(claim), value) {
        (Some(claim), Some(value)) => claim == value,
        _ => false,
    }
}

/// A scalar claim as text.
pub(crate) fn scalar_text<'c>(claim: &'c Json<'_>) -> Option<Cow<'c, str>> {
    match claim {
        Json::String(text) => Some(Cow::Borrowed(text)),
        Json::Number(number) => Some(number.to_string().into()),
        Json::Bool(value) => Some(value.to_string().into()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
