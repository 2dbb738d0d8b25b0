#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::json;

use super::header_value;
use crate::json::Json;

#[test]
fn claims_become_single_values() {
    for (claim, expected) in [
        (json!("admin"), Some("admin")),
        (json!(7), Some("7")),
        (json!(true), Some("true")),
        (json!(["a", "b"]), Some("a,b")),
        (json!(["a,b"]), None),
        (json!(["a", {}]), None),
        (json!([]), None),
        (json!(""), None),
        (json!(null), None),
        (json!({"a": 1}), None),
        (json!("a\r\nx: y"), None),
        (json!(" a"), None),
    ] {
        assert_eq!(header_value(&Json::from(&claim)).as_deref(), expected, "{claim}");
    }
}
