//! The module as a file: what it imports and exports.

use wasmparser::{Parser, Payload, TypeRef};

use super::paths;

/// A function the module asks of its host, or another thing it should not.
pub struct Import {
    pub module: String,
    pub name: String,
    pub is_function: bool,
}

pub fn imports() -> Vec<Import> {
    let module = std::fs::read(paths::module()).unwrap();
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(&module) {
        let Payload::ImportSection(section) = payload.unwrap() else { continue };
        imports.extend(section.into_imports().map(|import| {
            let import = import.unwrap();
            let is_function = matches!(import.ty, TypeRef::Func(_));
            Import { module: import.module.to_owned(), name: import.name.to_owned(), is_function }
        }));
    }
    imports
}

pub fn exports() -> Vec<String> {
    let module = std::fs::read(paths::module()).unwrap();
    let mut exports = Vec::new();
    for payload in Parser::new(0).parse_all(&module) {
        if let Payload::ExportSection(section) = payload.unwrap() {
            exports.extend(section.into_iter().map(|export| export.unwrap().name.to_owned()));
        }
    }
    exports
}

/// All that the module calls or is called for, as `capability_restriction_config` names it.
pub fn capabilities() -> Vec<String> {
    let called = imports().into_iter().map(|import| import.name);
    called.chain(exports()).collect()
}
