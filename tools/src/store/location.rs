//! Where the store and its keys are, from the command line and the environment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::KeysError;
use super::keyring::Master;
use crate::input;

/// The environment variable for `--store`.
pub const STORE_VARIABLE: &str = "PORTCULLIS_STORE";
/// The environment variable for `--key-file`.
pub const KEYS_VARIABLE: &str = "PORTCULLIS_KEY_FILE";
/// The environment variable with the master key. There is no option: it would be seen in the list of processes.
pub const MASTER_VARIABLE: &str = "PORTCULLIS_MASTER_KEY";

/// The store, unless told.
const DEFAULT_STORE: &str = "portcullis.db";

/// Where the store and its keys are.
#[derive(Clone)]
pub struct Location {
    /// The database.
    pub store: PathBuf,
    /// The file with its keys.
    pub keys: PathBuf,
    /// What encrypts that file, if anything does.
    pub master: Option<Arc<Master>>,
}

impl Location {
    /// The places that options name, else those of the environment, else `portcullis.db` here and its keys beside it.
    ///
    /// # Errors
    /// The master key is too short.
    pub fn find(store: Option<&Path>, keys: Option<&Path>) -> Result<Self, KeysError> {
        let place = |option: Option<&Path>, variable| option.map(Path::to_path_buf).or_else(|| set(variable));
        let store = place(store, STORE_VARIABLE).unwrap_or_else(|| PathBuf::from(DEFAULT_STORE));
        let keys = place(keys, KEYS_VARIABLE).unwrap_or_else(|| store.with_extension("keys"));
        let master = match set(MASTER_VARIABLE) {
            None => None,
            Some(_) => Some(Arc::new(master(MASTER_VARIABLE)?)),
        };
        Ok(Self { store, keys, master })
    }
}

/// Whether an option or the environment names a store.
#[must_use]
pub fn is_named(option: Option<&Path>) -> bool {
    option.is_some() || set(STORE_VARIABLE).is_some()
}

/// The master key in an environment variable.
///
/// # Errors
/// It is not set, or too short.
pub fn master(variable: &str) -> Result<Master, KeysError> {
    let secret = input::secret_variable(variable).map_err(|failure| KeysError::Io(failure.cause))?;
    Master::new(&secret)
}

/// A variable that is set to something.
fn set(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
