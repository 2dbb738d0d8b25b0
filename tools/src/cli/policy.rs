//! Options of `portcullis policy`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::render::{self, RenderArgs};
use crate::time::parse_moment;

/// Commands under `policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Find every mistake in a policy.
    #[command(long_about = CHECK_ABOUT, after_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Show what becomes of a request under a policy, and why.
    #[command(long_about = EXPLAIN_ABOUT, after_help = EXPLAIN_EXAMPLES)]
    Explain(Box<ExplainArgs>),
    /// Print the manifest that loads the filter with a policy.
    #[command(long_about = render::ABOUT, after_help = render::EXAMPLES)]
    Render(Box<RenderArgs>),
    /// Run a table of requests and expected answers against a policy.
    #[command(long_about = TEST_ABOUT, after_help = TEST_EXAMPLES)]
    Test(TestArgs),
    /// Show who may do what: every route and method by role.
    #[command(long_about = MATRIX_ABOUT, after_help = MATRIX_EXAMPLES)]
    Matrix(MatrixArgs),
    /// Show what a change makes reachable and what it takes away, by role.
    #[command(long_about = DIFF_ABOUT, after_help = DIFF_EXAMPLES)]
    Diff(DiffArgs),
    /// Print the JSON Schema of policies, for editors.
    #[command(long_about = SCHEMA_ABOUT, after_help = SCHEMA_EXAMPLES)]
    Schema,
}

const CHECK_ABOUT: &str = "\
Find every mistake in a policy, with the filter's own code: what passes here, the filter loads. The exit code is 0 if \
there are none and 3 if there are.

Secrets are looked up in the environment. One that is not set here is a warning, for the machine that checks a policy \
seldom has them; one that is set is checked as the filter would. YAML and JSON are both read.";

const CHECK_EXAMPLES: &str = "\
Examples:
  Check a policy:
    portcullis policy check policy.yaml

  In GitHub Actions, with annotations on the lines:
    portcullis policy check --format github --deny-warnings policy.yaml";

/// Options of `policy check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The policy, in YAML or JSON; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How to print what is found.
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub format: CheckFormat,
    /// The same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Fail if there are warnings, too.
    #[arg(long)]
    pub deny_warnings: bool,
}

/// How `policy check` prints what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people: each mistake with its line and what to do about it.
    Human,
    /// One JSON object.
    Json,
    /// Workflow commands that GitHub Actions turns into annotations.
    Github,
}

const EXPLAIN_ABOUT: &str = "\
Show what becomes of a request under a policy, and why: the decision, each step that led to it, and the headers that \
would change. The filter's own code decides, so the filter would do the same. The exit code is 0 if the request is let \
through, even if only because of `mode: dry_run`, and 1 if it is refused.

The token and the query are never printed.";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  Without a token:
    portcullis policy explain policy.yaml --path /healthz

  With a token, from an address, on a host:
    portcullis policy explain policy.yaml --method PUT \\
      --path /users/alice/documents/1 --token-file token.jwt \\
      --ip 10.0.0.7 --host api.example.com

  With the keys of a provider that fetches them:
    portcullis policy explain policy.yaml --path /search \\
      --token-file token.jwt --provider-jwks keycloak=jwks.json

  A preflight:
    portcullis policy explain policy.yaml --method OPTIONS --path /search \\
      --header 'origin: https://app.example.com' \\
      --header 'access-control-request-method: GET'";

/// Options of `policy explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The policy, in YAML or JSON; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The request's method; case matters.
    #[arg(long, default_value = "GET")]
    pub method: String,
    /// The request's path, with its query if it has one.
    #[arg(long)]
    pub path: String,
    /// The host the request is for; `localhost` if left out.
    #[arg(long)]
    pub host: Option<String>,
    /// Send the token in this file as `authorization: Bearer …`.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A header of the request. Can be repeated.
    #[arg(long, value_name = "NAME: VALUE", value_parser = parse_header)]
    pub header: Vec<(String, String)>,
    /// Read more headers from this file, one `name: value` a line: for cookies and tokens, which have no place in
    /// arguments.
    #[arg(long, value_name = "FILE")]
    pub header_file: Option<PathBuf>,
    /// The request's body, which may be empty.
    #[arg(long, value_name = "FILE")]
    pub body_file: Option<PathBuf>,
    /// The keys of a provider with `remote_jwks`, from a file: nothing is fetched here. Can be repeated.
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_provider_file)]
    pub provider_jwks: Vec<(String, PathBuf)>,
    /// The identity feed, from a file: nothing is fetched here. Can be repeated, for a delta after the full feed.
    #[arg(long, value_name = "FILE")]
    pub feed: Vec<PathBuf>,
    /// A header of the upstream's response, to see what becomes of it. Can be repeated.
    #[arg(long, value_name = "NAME: VALUE", value_parser = parse_header)]
    pub response_header: Vec<(String, String)>,
    /// The client's address; unknown if left out.
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Option<IpAddr>,
    /// Decide as if it were this time: seconds since 1970, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub at: Option<i64>,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

const TEST_ABOUT: &str = "\
Run a table of requests and expected answers against a policy, offline: the filter's own code decides, so the filter \
would answer the same. The exit code is 0 if every answer is the expected one, 1 if any is not, and 3 if a file is not \
valid.

A caller is a real token in the headers, or `as: {provider: NAME, claims: {…}}`: claims that are taken as verified, as \
they are, so that no key and no secret is needed. A failing case prints what was expected, what came instead, and the \
steps that `portcullis policy explain` would show. Tokens, cookies and queries are never printed.";

const TEST_EXAMPLES: &str = "\
Examples:
  Two cases, and whether the policy agrees with them:
    cat > cases.yaml <<'END'
    cases:
      - name: anyone may ask for the health
        request: {path: /healthz}
        expect: {decision: allow, route: health}
      - name: a viewer changes nothing
        request: {method: PUT, path: /users/alice/documents/1}
        as: {provider: local, claims: {sub: alice, role: viewer}}
        expect: {status: 403, reason: role_denied}
    END
    portcullis policy test policy.yaml cases.yaml

  Only some of them:
    portcullis policy test policy.yaml cases.yaml --filter viewer

  In CI, with a report that most systems can show:
    portcullis policy test policy.yaml cases.yaml --junit report.xml";

/// Options of `policy test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The policy, in YAML or JSON; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The cases, in YAML or JSON; `-` is standard input.
    #[arg(value_name = "CASES")]
    pub cases: PathBuf,
    /// Run only the cases whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// The keys of a provider with `remote_jwks`, from a file, for real tokens: nothing is fetched here. Can be repeated.
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_provider_file)]
    pub provider_jwks: Vec<(String, PathBuf)>,
    /// The identity feed, from a file: nothing is fetched here. Can be repeated, for a delta after the full feed.
    #[arg(long, value_name = "FILE")]
    pub feed: Vec<PathBuf>,
    /// Write a report in JUnit's XML to this file, in the place of an earlier one.
    #[arg(long, value_name = "OUT")]
    pub junit: Option<PathBuf>,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Reads `NAME=FILE`.
///
/// # Errors
/// There is no `=`, or nothing on one of its sides.
pub fn parse_provider_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("expected NAME=FILE, such as `keycloak=jwks.json`".to_owned()),
    }
}

/// Reads `name: value`; names are in lower case, as in HTTP/2.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected `name: value`")?;
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if !fits {
        return Err("expected a header name before the colon".to_owned());
    }
    Ok((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
}

const MATRIX_ABOUT: &str = "\
Show who may do what under a policy: for every route and method whether anyone may, any caller with a token, each role, \
or a role with its own only. The filter's own code says so; nothing is read a second time.

A method is shown on the route that decides it: the most specific one. Marks say what limits a route further: rules for \
addresses, conditions on claims, a dry run. In a pipe the table is plain text.";

const MATRIX_EXAMPLES: &str = "\
Examples:
  In the terminal:
    portcullis policy matrix policy.yaml

  As one page to send around; it needs no network, and replaces one from before:
    portcullis policy matrix policy.yaml --html matrix.html";

/// Options of `policy matrix`.
#[derive(Debug, Args)]
pub struct MatrixArgs {
    /// The policy, in YAML or JSON; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write one self-contained page to this file instead of printing a table.
    #[arg(long, value_name = "OUT")]
    pub html: Option<PathBuf>,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

const DIFF_ABOUT: &str = "\
Show what a change of a policy makes reachable and what it takes away, by role and by request, not by line: `+` is \
wider, `-` narrower, `~` neither for certain, or only other. Routes that are renamed, moved or split without a change \
of rights do not appear as changes of rights.

The exit code is 0, or with --deny-widening 1 if anything is wider. What may be either counts as wider. Keys are not \
compared.";

const DIFF_EXAMPLES: &str = "\
Examples:
  What has changed since the last commit:
    git show HEAD:policy.yaml > old.yaml
    portcullis policy diff old.yaml policy.yaml

  As a comment on a pull request:
    portcullis policy diff old.yaml policy.yaml --format markdown > comment.md

  In GitHub Actions, with annotations, failing if anything is wider:
    portcullis policy diff old.yaml policy.yaml --format github --deny-widening";

/// Options of `policy diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The policy as it was; `-` is standard input.
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// The policy as it will be.
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// How to print what has changed.
    #[arg(long, value_enum, default_value_t = DiffFormat::Human)]
    pub format: DiffFormat,
    /// The same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Fail if anything is wider.
    #[arg(long)]
    pub deny_widening: bool,
}

/// How `policy diff` prints what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people: one line a change.
    Human,
    /// One JSON object.
    Json,
    /// Workflow commands that GitHub Actions turns into annotations.
    Github,
    /// Markdown, for a comment on a pull request.
    Markdown,
}

const SCHEMA_ABOUT: &str = "\
Print the JSON Schema (2020-12) of policies, so that editors complete and explain them.

Whether a policy is right as a whole, `portcullis policy check` says.";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  Write it beside the policy:
    portcullis policy schema > policy.schema.json

  and name it in the policy's first line, for the YAML language server:
    # yaml-language-server: $schema=./policy.schema.json";
