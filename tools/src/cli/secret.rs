//! Options of `portcullis secret`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Commands under `secret`.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Make a random secret, 256 bits unless told otherwise.
    #[command(long_about = GENERATE_ABOUT, after_help = GENERATE_EXAMPLES)]
    Generate(GenerateArgs),
}

const GENERATE_ABOUT: &str = "\
Make a random secret, 256 bits unless told otherwise, from the operating system's random numbers.

The text that is printed can be used as it stands: a policy that says `secret: {env: NAME}` takes the bytes of the \
variable as they are, and the 43 characters of a 256-bit secret are more than the 32 bytes that HS256 needs. To have \
the filter use the 32 bytes behind the text instead, say `secret: {env: NAME, encoding: base64url}` and sign with \
`--secret-encoding base64url`: whoever signs and whoever verifies must agree.

HS384 and HS512 need 48 and 64 bytes: make their secrets with `--bits 512`.";

const GENERATE_EXAMPLES: &str = "\
Examples:
  Keep a secret in the environment:
    export SECRET_KEY=\"$(portcullis secret generate)\"

  Keep it in a file that only you can read (never overwritten):
    portcullis secret generate --out secret.key";

/// Options of `secret generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Write the secret to this new file, readable by its owner alone, instead of printing it.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How the random bytes are written.
    #[arg(long, value_enum, default_value_t = Encoding::Base64url)]
    pub encoding: Encoding,
    /// How many random bits.
    #[arg(long, default_value_t = 256, value_parser = parse_bits, value_name = "256|384|512")]
    pub bits: u16,
    /// Print a JSON object; with `--out` it does not contain the secret.
    #[arg(long)]
    pub json: bool,
}

fn parse_bits(text: &str) -> Result<u16, String> {
    match text {
        "256" => Ok(256),
        "384" => Ok(384),
        "512" => Ok(512),
        _ => Err("expected 256, 384 or 512".to_owned()),
    }
}

/// How random bytes become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Encoding {
    /// URL-safe base64 without padding: letters, digits, `-` and `_`.
    Base64url,
    /// Lower-case hexadecimal.
    Hex,
}

impl Encoding {
    /// The name used on the command line and in policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base64url => "base64url",
            Self::Hex => "hex",
        }
    }
}
