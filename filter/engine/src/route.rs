//! Routes, and the tree that finds the most specific one.
//!
//! Paths are matched a segment at a time: a literal before `{name}` before `{*name}`. A route whose methods or hosts do
//! not fit is as if it were not there, so the search goes back to the next most specific path; that is why the tree is
//! our own and not a router that knows one value a path. Its cost is that of the path's segments, whatever the number
//! of routes.

use std::rc::Rc;

use crate::authz::{Condition, Requirement};
use crate::hash::FixedMap;
use crate::input::InputRules;
use crate::ip::IpRule;
use crate::path::comparable;
use crate::response::ResponseRules;
use crate::step_up::StepUp;

/// Most segments a route's path may have; bounds the depth of the search.
pub(crate) const MAX_SEGMENTS: usize = 64;

/// A route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) name: Rc<str>,
    pub(crate) path: PathPattern,
    /// Empty: any.
    pub(crate) methods: Vec<String>,
    /// Empty: any.
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) requirement: Requirement,
    pub(crate) ip: Option<IpRule>,
    pub(crate) when: Vec<Condition>,
    pub(crate) step_up: Option<StepUp>,
    pub(crate) input: Option<Rc<InputRules>>,
    pub(crate) dry_run: bool,
    pub(crate) response: Rc<ResponseRules>,
}

/// The path of a route: `/users/{id}/{*rest}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathPattern {
    pub(crate) text: String,
    pub(crate) segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// As [`comparable`] has it.
    Literal(String),
    Param(String),
    Rest(String),
}

/// A host of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostPattern {
    Exact(String),
    /// `.example.com` for `*.example.com`.
    Suffix(String),
}

impl HostPattern {
    pub(crate) fn exact(&self) -> Option<&str> {
        match self {
            Self::Exact(exact) => Some(exact),
            Self::Suffix(_) => None,
        }
    }

    /// The pattern in the words of the policy.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Exact(exact) => exact.clone(),
            Self::Suffix(suffix) => format!("*{suffix}"),
        }
    }

    pub(crate) fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == host,
            Self::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        }
    }

    fn specificity(&self) -> usize {
        match self {
            Self::Exact(_) => usize::MAX,
            Self::Suffix(suffix) => suffix.len(),
        }
    }
}

impl PathPattern {
    pub(crate) fn names_param(&self, name: &str) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Segment::Param(own) | Segment::Rest(own) if own == name))
    }

    /// The pattern without its parameters' names: what two routes with the same paths have in common.
    pub(crate) fn shape(&self) -> String {
        let parts = self.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::Param(_) => "/{}".to_owned(),
            Segment::Rest(_) => "/{*}".to_owned(),
        });
        parts.collect()
    }
}

/// A route found for a request, with the values of its parameters.
#[derive(Clone, Debug)]
pub(crate) struct RouteMatch<'a> {
    pub(crate) route: &'a Route,
    values: Vec<&'a str>,
}

impl<'a> RouteMatch<'a> {
    /// The value of a path parameter, as it stands in the normal form.
    pub(crate) fn param(&self, name: &str) -> Option<&'a str> {
        self.params().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// Every parameter and its value.
    pub(crate) fn params(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let names = self.route.path.segments.iter().filter_map(|segment| match segment {
            Segment::Param(name) | Segment::Rest(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        });
        names.zip(self.values.iter().copied())
    }
}

/// All routes of a policy.
#[derive(Clone, Debug)]
pub(crate) struct RouteTable {
    routes: Vec<Route>,
    nodes: Vec<TreeNode>,
}

#[derive(Clone, Debug, Default)]
struct TreeNode {
    literals: FixedMap<String, usize>,
    param: Option<usize>,
    /// Routes that end here.
    leaves: Vec<usize>,
    /// Routes whose `{*name}` begins here.
    rests: Vec<usize>,
}

/// Which request a search is for.
#[derive(Clone, Copy)]
struct Query<'a> {
    host: &'a str,
    method: &'a str,
}

impl RouteTable {
    pub(crate) fn new(routes: Vec<Route>) -> Self {
        let mut table = Self { routes: Vec::new(), nodes: vec![TreeNode::default()] };
        for (index, route) in routes.iter().enumerate() {
            table.insert(index, &route.path);
        }
        table.routes = routes;
        table
    }

    pub(crate) fn routes(&self) -> &[Route] {
        &self.routes
    }

    fn insert(&mut self, route: usize, pattern: &PathPattern) {
        let mut at = 0;
        for segment in &pattern.segments {
            let fresh = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { return };
            at = match segment {
                Segment::Literal(text) => *node.literals.entry(text.clone()).or_insert(fresh),
                Segment::Param(_) => *node.param.get_or_insert(fresh),
                Segment::Rest(_) => return node.rests.push(route),
            };
            if at == fresh {
                self.nodes.push(TreeNode::default());
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.leaves.push(route);
        }
    }

    /// The most specific route for a request.
    pub(crate) fn find<'a>(&'a self, path: &'a str, host: &str, method: &str) -> Option<RouteMatch<'a>> {
        let mut values = Vec::new();
        let route = self.descend(0, path.strip_prefix('/')?, &mut values, Query { host, method })?;
        Some(RouteMatch { route, values })
    }

    /// Depth is bounded by [`MAX_SEGMENTS`], the number of steps by the number of nodes.
    fn descend<'a>(
        &'a self,
        at: usize,
        rest: &'a str,
        values: &mut Vec<&'a str>,
        query: Query<'_>,
    ) -> Option<&'a Route> {
        let node = self.nodes.get(at)?;
        let (segment, below) = match rest.split_once('/') {
            Some((segment, below)) => (segment, Some(below)),
            None => (rest, None),
        };
        let step = |next: usize, values: &mut Vec<&'a str>| match below {
            Some(below) => self.descend(next, below, values, query),
            None => self.best_fit(&self.nodes.get(next)?.leaves, query),
        };
        if let Some(found) = node.literals.get(comparable(segment).as_ref()).and_then(|next| step(*next, values)) {
            return Some(found);
        }
        if let Some(next) = node.param.filter(|_| !segment.is_empty()) {
            values.push(segment);
            if let Some(found) = step(next, values) {
                return Some(found);
            }
            values.pop();
        }
        let found = self.best_fit(&node.rests, query).filter(|_| !rest.is_empty())?;
        values.push(rest);
        Some(found)
    }

    fn best_fit(&self, candidates: &[usize], query: Query<'_>) -> Option<&Route> {
        let routes = candidates.iter().filter_map(|index| self.routes.get(*index));
        let fitting = routes.filter_map(|route| Some((route.fit(query)?, route)));
        fitting.max_by_key(|(fit, _)| *fit).map(|(_, route)| route)
    }

    /// A path no route has, for a record: the part that is known from the policy, then `*`.
    pub(crate) fn redact(&self, path: &str) -> String {
        let mut out = String::new();
        let mut node = self.nodes.first();
        for segment in path.split('/').skip(1) {
            match node.and_then(|node| node.literals.get_key_value(comparable(segment).as_ref())) {
                Some((literal, next)) => {
                    out.push('/');
                    out.push_str(literal);
                    node = self.nodes.get(*next);
                }
                None => {
                    out.push_str("/*");
                    break;
                }
            }
        }
        out
    }
}

impl PathPattern {
    /// Whether a path is one of the pattern's; `same` compares a literal with what stands in its place.
    pub(crate) fn matches(&self, path: &str, same: impl Fn(&str, &str) -> bool) -> bool {
        let Some(mut rest) = path.strip_prefix('/') else { return false };
        let mut segments = self.segments.iter().peekable();
        while let Some(segment) = segments.next() {
            if let Segment::Rest(_) = segment {
                return !rest.is_empty();
            }
            let (text, below) = match rest.split_once('/') {
                Some((text, below)) => (text, Some(below)),
                None => (rest, None),
            };
            let fits = match segment {
                Segment::Literal(literal) => same(literal, &comparable(text)),
                _ => !text.is_empty(),
            };
            match (fits, below, segments.peek().is_some()) {
                (true, Some(below), true) => rest = below,
                (true, None, false) => return true,
                _ => return false,
            }
        }
        false
    }
}

impl Route {
    /// How well a route fits a request of its path: by the host first, then by the method. `None` where it does not.
    fn fit(&self, query: Query<'_>) -> Option<(usize, bool)> {
        let by_host = if self.hosts.is_empty() {
            0
        } else {
            self.hosts.iter().filter(|host| host.matches(query.host)).map(HostPattern::specificity).max()?
        };
        let by_method = !self.methods.is_empty();
        (!by_method || self.methods.iter().any(|method| method == query.method)).then_some((by_host, by_method))
    }
}

#[cfg(test)]
mod tests;
