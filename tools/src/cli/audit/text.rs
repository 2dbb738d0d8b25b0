//! What the help of `portcullis audit` says at length.

pub const SEARCH_ABOUT: &str = "\
Find records in audit files: plain ones, .gz and .zst, or standard input, in the order of the files. Lines may have anything \
before the record, as the proxy's own log has. Exit code 1 says that there is none.

Options of different names must all fit; of one that is repeated, any will do. A user is found by the token's `sub`, also where \
the record has an e-mail address only as `a***@example.com`; with --mask-key-env also where it is a hash. An address is found in \
records that have only its block, too.

On a terminal and elsewhere, records are lines of columns; --json prints the lines as they stand in the files.";

pub const SEARCH_EXAMPLES: &str = "\
Examples:
  What was refused to somebody in the last day:
    portcullis audit search audit.log --user bob --decision deny --since 24h

  From a network, in rotated files too, for another program:
    portcullis audit search audit.log.2.gz audit.log.1 audit.log \\
      --ip 203.0.113.0/24 --json

  As it happens:
    portcullis audit search audit.log --follow --reason token_signature";

pub const STATS_ABOUT: &str = "\
Count records: decisions, the users, addresses, routes and reasons that were refused most, and how refusals went over time. \
Takes the same filters as `audit search`. A summary of a burst counts for as many as it stands for.

--html writes one page that needs nothing else: no script, and nothing from elsewhere.";

pub const STATS_EXAMPLES: &str = "\
Examples:
  portcullis audit stats audit.log --since 24h
  portcullis audit stats audit.log.1.gz audit.log --html report.html";

pub const VERIFY_ABOUT: &str = "\
Say whether audit files are as they were written, by the MACs that `audit.chain` of the policy puts on every line: exit code 0 \
if they are, 1 if not. Lines that were changed, removed, inserted, reordered or cut off are named by file, line, chain and place \
in the chain.

Give rotated files oldest first, and with them the proxy's log, where checkpoints are, if records go elsewhere. Lines that are no \
records are read over. A chain whose first lines are not in the files is a finding: give the files they are in, or with --since \
the state that `audit checkpoint` wrote when the files began.

Lines removed from the very end leave no trace in the file itself: a later checkpoint line says that they were there, or a state.";

pub const VERIFY_EXAMPLES: &str = "\
Examples:
  portcullis audit verify audit.log.1.gz audit.log --key-env AUDIT_KEY

  From where the last run stopped:
    portcullis audit verify audit.log --key-env AUDIT_KEY --since audit.state";

pub const CHECKPOINT_ABOUT: &str = "\
Verify audit files and keep how far every chain has come, sealed with the key: `audit verify --since` then finds what is \
missing from then on, also lines cut off the end and whole chains. Keep it on another machine. Nothing is written where the \
files do not verify.";

pub const CHECKPOINT_EXAMPLES: &str = "\
Examples:
  portcullis audit checkpoint audit.log --key-env AUDIT_KEY --out audit.state

  Every night, one after the other:
    portcullis audit checkpoint audit.log --key-env AUDIT_KEY \\
      --since audit.state --out audit.state";

pub const PRUNE_ABOUT: &str = "\
Remove records that are older than this from plain files, in place. Where lines of a chain are removed, one sealed line at the \
head of the file says how far the chain had come, so that the rest still verifies. Files that do not verify are not pruned.

For files that nobody writes any more: rotated ones.";

pub const PRUNE_EXAMPLES: &str = "\
Examples:
  portcullis audit prune --older-than 730d audit.log.1 --key-env AUDIT_KEY
  portcullis audit prune --older-than 730d audit.log.1 --dry-run";

pub const EXPORT_ABOUT: &str = "\
Hand records on to another system. Takes the same filters as `audit search`.

ocsf: Authentication (3002) for authentication events, API Activity (6003) for all others, of OCSF 1.3.0. ecs: the Elastic \
Common Schema 8.11. csv: one column a field, where what a spreadsheet would take for a formula is made text.";

pub const EXPORT_EXAMPLES: &str = "\
Examples:
  portcullis audit export audit.log --format ocsf --since 1h
  portcullis audit export audit.log --format csv --decision deny \\
    --out denied.csv";

pub const SCHEMA_ABOUT: &str = "\
Print the JSON Schema (2020-12) of a record: those that the filter writes and those of this command.";

pub const SCHEMA_EXAMPLES: &str = "\
Examples:
  portcullis audit schema > audit.schema.json";
