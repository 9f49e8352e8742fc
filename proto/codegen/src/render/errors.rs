//! `errors.rs`: a constant for each code of the catalogue.

use std::fmt::Write;

use proto_datamodel::errors;

/// Renders the file.
pub fn file() -> String {
    let mut out = super::head("proto/datamodel/src/errors.rs");
    out.push_str("\nuse crate::schema::ErrorDef;\n");
    let all = errors::all();
    for error in &all {
        let params: Vec<_> = error.params.iter().map(|p| format!("`{p}`")).collect();
        let doc = if params.is_empty() {
            "Without parameters.".into()
        } else {
            params.join(", ")
        };
        let _ = write!(
            out,
            "\n/// {doc}\npub const {0}: ErrorDef = ErrorDef {{ code: {0:?}, params: &{1:?} }};\n",
            error.code, error.params
        );
    }
    out.push_str("\n/// Every code, sorted.\npub static ALL: &[&ErrorDef] = &[\n");
    for error in &all {
        let _ = writeln!(out, "    &{},", error.code);
    }
    out.push_str(
        "];\n\n/// The entry of a code.\npub fn find(code: &str) -> Option<&'static ErrorDef> {\n    \
         ALL.binary_search_by(|e| e.code.cmp(code)).ok().and_then(|i| ALL.get(i)).copied()\n}\n",
    );
    out.push_str("\n/// Numbers of storage drivers' errors and their names, sorted.\npub static SR_BACKEND: &[(u16, &str)] = &[\n");
    for (number, name) in errors::SR_BACKEND {
        let _ = writeln!(out, "    ({number}, {name:?}),");
    }
    out.push_str("];\n");
    out
}
