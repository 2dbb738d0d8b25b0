//! The module as a file: what it imports and exports, and the hints about its branches.

use wasmparser::{KnownCustom, Operator, Parser, Payload, TypeRef};

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

/// How many of the module's branches an engine is told of before it comes to the code, in the one section that it looks at and in
/// the order that it reads; and the function and place of each that is no branch.
pub fn hints() -> (usize, Vec<(u32, u32)>) {
    let module = std::fs::read(paths::module()).unwrap();
    let (mut imported, mut hints, mut bodies) = (0, Vec::new(), Vec::new());
    let mut sections = 0;
    for payload in Parser::new(0).parse_all(&module) {
        match payload.unwrap() {
            Payload::ImportSection(section) => imported = section.into_imports().count(),
            Payload::CustomSection(section) if bodies.is_empty() => {
                let KnownCustom::BranchHints(functions) = section.as_known() else { continue };
                sections += 1;
                for function in functions {
                    let function = function.unwrap();
                    hints.extend(function.hints.into_iter().map(|hint| (function.func, hint.unwrap().func_offset)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            _ => {}
        }
    }
    assert!(sections <= 1 && hints.is_sorted_by(|one, next| one < next), "{sections} sections, or one out of order");
    let is_branch = |&(function, place): &(u32, u32)| {
        let body = &bodies[usize::try_from(function).unwrap() - imported];
        let start = body.range().start + u64::from(place);
        let mut operators = body.get_operators_reader().unwrap().into_iter_with_offsets().map(Result::unwrap);
        operators.any(|(operator, at)| at == start && matches!(operator, Operator::If { .. } | Operator::BrIf { .. }))
    };
    (hints.len(), hints.into_iter().filter(|hint| !is_branch(hint)).collect())
}

/// All that the module calls or is called for, as `capability_restriction_config` names it.
pub fn capabilities() -> Vec<String> {
    let called = imports().into_iter().map(|import| import.name);
    called.chain(exports()).collect()
}
