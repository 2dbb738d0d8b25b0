//! Routes, and the tree that finds the most specific one.
//!
//! Paths are matched a segment at a time: a literal before `{name}` before `{*name}`. A route whose methods or hosts do
//! not fit is as if it were not there, so the search goes back to the next most specific path; that is why the tree is
//! our own and not a router that knows one value a path. Its cost is that of the path's segments, whatever the number
//! of routes.
//!
//! A second tree has the same routes as a careless server compares them: see [`RouteTable::misread`].

use std::ops::ControlFlow;
use std::rc::Rc;

use crate::audit::RecordedRoute;
use crate::authz::{Condition, Owner, Requirement};
use crate::hash::FixedMap;
use crate::input::InputRules;
use crate::ip::IpRule;
use crate::path::{comparable, cut_at_query, is_loose, loose_path, loose_segment};
use crate::response::ResponseRules;
use crate::step_up::StepUp;

/// Most segments a route's path may have; bounds the depth of the search.
pub(crate) const MAX_SEGMENTS: usize = 64;

/// A route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) name: Rc<str>,
    /// The same, as it stands in records.
    pub(crate) recorded: RecordedRoute,
    pub(crate) path: PathPattern,
    /// Empty: any.
    pub(crate) methods: Vec<String>,
    /// Empty: any.
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) requirement: Requirement,
    /// Which of the policy's claims tells the owner.
    pub(crate) owner: Option<usize>,
    pub(crate) ip: Option<IpRule>,
    pub(crate) when: Vec<Condition>,
    pub(crate) step_up: Option<StepUp>,
    pub(crate) input: Option<Rc<InputRules>>,
    pub(crate) dry_run: bool,
    /// The upstream checks passwords here: its 401 is a failed authentication.
    pub(crate) login: bool,
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
    index: usize,
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
    exact: Tree,
    loose: Tree,
    /// Where each route ends in the loose tree: routes that only a careful server tells apart end in one place.
    places: Vec<Place>,
    /// Whether both trees find the same for a path that is as a careless server sees it.
    same_trees: bool,
}

#[derive(Clone, Debug)]
struct Tree {
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

/// The end of a route's path in a tree: a node, and whether a `{*name}` begins there.
type Place = (usize, bool);

/// What a careless server takes a request for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Misreading<'a> {
    /// Another route's, which asks something else, and does not let everybody in.
    Other(&'a Route),
    /// No route's.
    Unknown,
}

/// Which request a search is for.
#[derive(Clone, Copy)]
struct Query<'a> {
    host: &'a str,
    method: &'a str,
}

/// A path's first segment, and what is below it.
fn first_segment(path: &str) -> (&str, Option<&str>) {
    let split = path.bytes().position(|byte| byte == b'/').and_then(|at| path.split_at_checked(at));
    split.map_or((path, None), |(segment, below)| (segment, below.get(1..)))
}

impl Tree {
    fn new() -> Self {
        Self { nodes: vec![TreeNode::default()] }
    }

    fn insert(&mut self, route: usize, segments: &[Segment]) -> Place {
        let mut at = 0;
        for segment in segments {
            let fresh = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { break };
            at = match segment {
                Segment::Literal(text) => *node.literals.entry(text.clone()).or_insert(fresh),
                Segment::Param(_) => *node.param.get_or_insert(fresh),
                Segment::Rest(_) => {
                    node.rests.push(route);
                    return (at, true);
                }
            };
            if at == fresh {
                self.nodes.push(TreeNode::default());
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.leaves.push(route);
        }
        (at, false)
    }
}

impl RouteTable {
    pub(crate) fn new(routes: Vec<Route>) -> Self {
        let (mut exact, mut loose) = (Tree::new(), Tree::new());
        let mut places = Vec::with_capacity(routes.len());
        let mut same_trees = true;
        for (index, route) in routes.iter().enumerate() {
            exact.insert(index, &route.path.segments);
            let segments = route.path.loose();
            same_trees &= segments == route.path.segments || route.path.text == "/";
            places.push(loose.insert(index, &segments));
        }
        Self { routes, exact, loose, places, same_trees }
    }

    pub(crate) fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The most specific route for a request.
    pub(crate) fn find<'a>(&'a self, path: &'a str, host: &str, method: &str) -> Option<RouteMatch<'a>> {
        // Most have a value or two: what grows from nothing begins with four in any case.
        let mut values = Vec::with_capacity(4);
        let index = self.descend(0, path.strip_prefix('/')?, &mut values, Query { host, method })?;
        Some(RouteMatch { route: self.routes.get(index)?, index, values })
    }

    /// What a careless server may take a request for, where that is not what `found` says. Such a server compares
    /// without case, or drops slashes, dots and spaces at an end, or decodes `?` and `#` and cuts there. Routes whose
    /// paths differ in that alone are told apart: the policy says both.
    pub(crate) fn misread<'a>(
        &'a self,
        found: &RouteMatch<'_>,
        path: &str,
        host: &str,
        method: &str,
    ) -> Option<Misreading<'a>> {
        if self.same_trees && is_loose(path) {
            return None;
        }
        self.misread_somehow(found, path, Query { host, method })
    }

    /// The same where such a server takes the method for another. Not where the route names the method: then it is one of the
    /// policy's own.
    #[inline(never)]
    pub(crate) fn misread_method<'a>(
        &'a self,
        found: &RouteMatch<'_>,
        path: &str,
        host: &str,
        method: &str,
    ) -> Option<Misreading<'a>> {
        if !found.route.methods.is_empty() {
            return None;
        }
        let index = self.descend(0, path.strip_prefix('/')?, &mut Vec::new(), Query { host, method });
        let Some(other) = index.and_then(|index| self.routes.get(index)) else { return Some(Misreading::Unknown) };
        if index != Some(found.index) && !other.is_open() && !other.asks_the_same(found.route) {
            return Some(Misreading::Other(other));
        }
        self.misread(found, path, host, method)
    }

    #[inline(never)]
    fn misread_somehow<'a>(&'a self, found: &RouteMatch<'_>, path: &str, query: Query<'_>) -> Option<Misreading<'a>> {
        let whole = self.misread_as(found, path, true, query);
        whole.or_else(|| {
            let cut = cut_at_query(path)?;
            self.misread_as(found, cut, found.route.path.matches(cut, str::eq), query)
        })
    }

    /// Which of the routes that `path` may be taken for asks something else. `is_its_own`: the path is one of the route
    /// found; then less specific ones are none that anybody would take it for.
    fn misread_as<'a>(
        &'a self,
        found: &RouteMatch<'_>,
        path: &str,
        is_its_own: bool,
        query: Query<'_>,
    ) -> Option<Misreading<'a>> {
        let Some(path) = loose_path(path) else { return Some(Misreading::Unknown) };
        let own = self.places.get(found.index);
        let (mut known, mut other) = (false, None);
        let _ = self.each_place(&path, &mut |place| {
            if Some(&place) == own {
                known = true;
                return if is_its_own { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            }
            for route in self.ending_at(place, query) {
                known = true;
                if !route.is_open() && !route.asks_the_same(found.route) {
                    other = Some(Misreading::Other(route));
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        other.or_else(|| (!known).then_some(Misreading::Unknown))
    }

    /// Every place of the loose tree that a path has, the most specific one first.
    fn each_place(&self, path: &str, visit: &mut dyn FnMut(Place) -> ControlFlow<()>) -> ControlFlow<()> {
        match path.strip_prefix('/') {
            Some(path) => self.each_place_below(0, path, visit),
            None => visit((0, false)),
        }
    }

    fn each_place_below(
        &self,
        at: usize,
        rest: &str,
        visit: &mut dyn FnMut(Place) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(node) = self.loose.nodes.get(at) else { return ControlFlow::Continue(()) };
        let (segment, below) = first_segment(rest);
        for next in node.literals.get(segment).copied().into_iter().chain(node.param) {
            match below {
                Some(below) => self.each_place_below(next, below, visit)?,
                None => visit((next, false))?,
            }
        }
        visit((at, true))
    }

    /// The routes of a place in the loose tree that fit a request.
    fn ending_at<'a, 'q>(
        &'a self,
        (node, rest): Place,
        query: Query<'q>,
    ) -> impl Iterator<Item = &'a Route> + use<'a, 'q> {
        let node = self.loose.nodes.get(node);
        let ending = node.map(|node| if rest { &node.rests } else { &node.leaves });
        let routes = ending.into_iter().flatten().filter_map(|index| self.routes.get(*index));
        routes.filter(move |route| route.fit(query).is_some())
    }

    /// Depth is bounded by [`MAX_SEGMENTS`], the number of steps by the number of nodes.
    fn descend<'a>(&self, at: usize, rest: &'a str, values: &mut Vec<&'a str>, query: Query<'_>) -> Option<usize> {
        let node = self.exact.nodes.get(at)?;
        let (segment, below) = first_segment(rest);
        let step = |next: usize, values: &mut Vec<&'a str>| match below {
            Some(below) => self.descend(next, below, values, query),
            None => self.best_fit(&self.exact.nodes.get(next)?.leaves, query),
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

    fn best_fit(&self, candidates: &[usize], query: Query<'_>) -> Option<usize> {
        let fitting = candidates.iter().filter_map(|index| Some((self.routes.get(*index)?.fit(query)?, *index)));
        fitting.max_by_key(|(fit, _)| *fit).map(|(_, index)| index)
    }

    /// A path no route has, for a record: the part that is known from the policy, then `*`.
    #[inline(never)]
    pub(crate) fn redact(&self, path: &str) -> String {
        let mut out = String::new();
        let mut node = self.exact.nodes.first();
        for segment in path.split('/').skip(1) {
            match node.and_then(|node| node.literals.get_key_value(comparable(segment).as_ref())) {
                Some((literal, next)) => {
                    out.push('/');
                    out.push_str(literal);
                    node = self.exact.nodes.get(*next);
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
    /// The pattern as a careless server compares it.
    fn loose(&self) -> Vec<Segment> {
        let loose = self.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => Segment::Literal(loose_segment(text)),
            other => other.clone(),
        });
        let mut segments: Vec<Segment> = loose.collect();
        segments.pop_if(|last| matches!(last, Segment::Literal(text) if text.is_empty()));
        segments
    }

    /// Whether a path is one of the pattern's; `same` compares a literal with what stands in its place.
    pub(crate) fn matches(&self, path: &str, same: impl Fn(&str, &str) -> bool) -> bool {
        let Some(mut rest) = path.strip_prefix('/') else { return false };
        let mut segments = self.segments.iter().peekable();
        while let Some(segment) = segments.next() {
            if let Segment::Rest(_) = segment {
                return !rest.is_empty();
            }
            let (text, below) = first_segment(rest);
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
    /// Whether a route lets everybody in, whatever the request: no harm is done where a request is taken for its own.
    fn is_open(&self) -> bool {
        // All fields are named, so that whoever adds one decides here too.
        let Self {
            name: _,
            recorded: _,
            path: _,
            methods: _,
            hosts: _,
            requirement,
            owner: _,
            ip,
            when,
            step_up,
            input,
            dry_run: _,
            login,
            response: _,
        } = self;
        let asks_nothing = ip.is_none() && when.is_empty() && step_up.is_none() && input.is_none() && !login;
        *requirement == Requirement::Public && asks_nothing
    }

    /// Whether two routes ask the same of every request, so that it does not matter which of them a request is. A route
    /// that looks at the values of its path does not.
    fn asks_the_same(&self, other: &Self) -> bool {
        // All fields are named, so that whoever adds one decides here too.
        let Self {
            name: _,
            recorded: _,
            path: _,
            methods: _,
            hosts: _,
            requirement,
            owner: _,
            ip,
            when,
            step_up,
            input,
            dry_run,
            login,
            response,
        } = self;
        let by_value = matches!(requirement, Requirement::RoleTable(Owner::Param { .. })) || !when.is_empty();
        !by_value
            && other.when.is_empty()
            && *requirement == other.requirement
            && *ip == other.ip
            && *step_up == other.step_up
            && input.is_none()
            && other.input.is_none()
            && *dry_run == other.dry_run
            && *login == other.login
            && Rc::ptr_eq(response, &other.response)
    }

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
