//! Options of `portcullis key`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use portcullis_engine::token::Algorithm;

/// Commands under `key`.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a private key to sign tokens with.
    #[command(long_about = GENERATE_ABOUT, after_help = GENERATE_EXAMPLES)]
    Generate(GenerateArgs),
    /// Print the public keys to publish, as a JSON Web Key Set.
    #[command(long_about = JWKS_ABOUT, after_help = JWKS_EXAMPLES)]
    Jwks(JwksArgs),
    /// Print the name that a key has by RFC 7638.
    #[command(long_about = THUMBPRINT_ABOUT, after_help = THUMBPRINT_EXAMPLES)]
    Thumbprint(ThumbprintArgs),
    /// Put a new key into a key set, and take old ones out.
    #[command(long_about = ROTATE_ABOUT, after_help = ROTATE_EXAMPLES)]
    Rotate(Box<RotateArgs>),
}

const GENERATE_ABOUT: &str = "\
Make a private key to sign tokens with, and print its name: the `kid` that `portcullis key jwks` publishes it under and \
`portcullis token issue` signs with.

The file is PKCS#8 PEM, readable by its owner alone, and never written over one that exists. An RSA key fits all of \
RS256 to RS512 and PS256 to PS512, whichever it was made for; one of 3072 bits is about as hard to break as a P-256 or \
an Ed25519 key. One of 2048 bits is verified in about half the time.";

const GENERATE_EXAMPLES: &str = "\
Examples:
  A key on the curve P-256, and the set to publish:
    portcullis key generate --out private.pem
    portcullis key jwks private.pem > jwks.json

  An RSA key, for verifiers that know nothing else:
    portcullis key generate --algorithm RS256 --bits 2048 --out rsa.pem";

/// Options of `key generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// What the key signs with.
    #[arg(long, value_parser = algorithms(), default_value = "ES256")]
    pub algorithm: Algorithm,
    /// Write the key to this new file, readable by its owner alone.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How large an RSA key is [default: 3072]
    #[arg(long, value_parser = parse_bits, value_name = "2048|3072|4096")]
    pub bits: Option<u16>,
    /// Print a JSON object with the key's name, its algorithm and its file.
    #[arg(long)]
    pub json: bool,
}

const JWKS_ABOUT: &str = "\
Print the public keys to publish, as a JSON Web Key Set (RFC 7517): for `local_jwks` in a policy, or for a web server \
where verifiers fetch it. What is private never comes out.

Takes private keys (PKCS#8 PEM), public keys (SPKI PEM, which starts with `-----BEGIN PUBLIC KEY-----`), and JSON Web \
Keys or sets of them. Each key gets the `kid` it has in its file, else its thumbprint (RFC 7638); `use` is `sig`; and \
`alg` is there if the key has one, or can verify only one, or --algorithm says which. Secrets (`oct`) are refused: they \
have no public half.";

const JWKS_EXAMPLES: &str = "\
Examples:
  The set for one key:
    portcullis key jwks private.pem > jwks.json

  An RSA key for nothing but PS256:
    portcullis key jwks rsa.pem --algorithm PS256

  Two keys while one takes over from the other, the new one first:
    portcullis key jwks new.pem old.pem > jwks.json";

/// Options of `key jwks`.
#[derive(Debug, Args)]
pub struct JwksArgs {
    /// A private or public key in PEM form, or a JSON Web Key or key set. `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The algorithm that every key is for.
    #[arg(long, value_parser = algorithms())]
    pub algorithm: Option<Algorithm>,
    /// The name of the key, where there is only one [default: its own, else its thumbprint]
    // A thumbprint may start with a hyphen.
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    pub kid: Option<String>,
}

const THUMBPRINT_ABOUT: &str = "\
Print the name that a key has by RFC 7638: the SHA-256 of what identifies it, in base64url. The private and the public \
half have the same, in whatever form they are.";

const THUMBPRINT_EXAMPLES: &str = "\
Examples:
  portcullis key thumbprint private.pem
  openssl pkey -in private.pem -pubout | portcullis key thumbprint -";

/// Options of `key thumbprint`.
#[derive(Debug, Args)]
pub struct ThumbprintArgs {
    /// A private or public key in PEM form, or a JSON Web Key, alone or the only one of a set. `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print a JSON object.
    #[arg(long)]
    pub json: bool,
}

const ROTATE_ABOUT: &str = "\
Put a new key into a key set, and take old ones out.

With --out, makes a private key and puts its public half first in the set. The keys before it stay, as they are, so \
that tokens in flight stay good; what exceeds --keep goes, oldest first, and so does what --retire names. Without --out, \
only retires. Keys that verify no token, such as those for encryption, stay and do not count.

The set is replaced at once: whoever reads it sees the old one or the new one. A file that is no valid set, or has a \
private key in it, is left alone.

Sign with the new key only when every verifier has the new set: publish it, wait at least the `cache_duration` of the \
verifiers, then sign. Retire the old key after the longest lifetime of a token.";

const ROTATE_EXAMPLES: &str = "\
Examples:
  A new key, the old one kept for the tokens that are out:
    portcullis key rotate --jwks jwks.json --out 2026-12.pem

  Later, when no token of the old key is good any more:
    portcullis key rotate --jwks jwks.json --retire 2026-11

  A private key got out: a new one, and the old one and its tokens gone at once:
    portcullis key rotate --jwks jwks.json --out new.pem --retire 2026-11";

/// Options of `key rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The key set; made if there is none.
    #[arg(long, value_name = "FILE")]
    pub jwks: PathBuf,
    /// Make a key, and write it to this new file, readable by its owner alone.
    #[arg(long, value_name = "FILE", required_unless_present = "retire")]
    pub out: Option<PathBuf>,
    /// What the new key signs with [default: as the newest key of the set, or ES256 if there is none]
    #[arg(long, value_parser = algorithms(), requires = "out")]
    pub algorithm: Option<Algorithm>,
    /// How large a new RSA key is [default: as the newest key of the set, or 3072]
    #[arg(long, value_parser = parse_bits, value_name = "2048|3072|4096", requires = "out")]
    pub bits: Option<u16>,
    /// How many keys the set has afterwards that verify tokens, at most [default: 2]
    #[arg(long, value_name = "N", requires = "out")]
    pub keep: Option<NonZeroUsize>,
    /// Take the key of this name out. Can be repeated.
    // A thumbprint may start with a hyphen.
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    pub retire: Vec<String>,
    /// Print a JSON object with the new key's name, and what was kept and dropped.
    #[arg(long)]
    pub json: bool,
}

/// The algorithms of key pairs. Those of secrets are not offered, but known: there is something to say about them.
fn algorithms() -> impl TypedValueParser<Value = Algorithm> {
    let value = |algorithm: &Algorithm| PossibleValue::new(algorithm.name()).hide(algorithm.is_symmetric());
    PossibleValuesParser::new(Algorithm::ALL.iter().map(value))
        .try_map(|name| Algorithm::from_name(&name).ok_or("no such algorithm"))
}

fn parse_bits(text: &str) -> Result<u16, String> {
    match text {
        "2048" => Ok(2048),
        "3072" => Ok(3072),
        "4096" => Ok(4096),
        _ => Err("expected 2048, 3072 or 4096".to_owned()),
    }
}
