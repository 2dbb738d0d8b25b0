//! Options of `portcullis policy`.

use clap::Subcommand;

/// Commands under `policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Print the JSON Schema of policies, for editors.
    #[command(long_about = SCHEMA_ABOUT, after_help = SCHEMA_EXAMPLES)]
    Schema,
}

const SCHEMA_ABOUT: &str = "\
Print the JSON Schema (2020-12) of policies, so that editors complete and explain them.

Whether a policy is right as a whole, `portcullis policy check` says.";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  Write it beside the policy:
    portcullis policy schema > policy.schema.json

  and name it in the policy's first line, for editors with the YAML language server:
    # yaml-language-server: $schema=./policy.schema.json";
