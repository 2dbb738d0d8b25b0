//! Items of a list that are hard to tell apart.
//!
//! For `uniqueItems`, `boon` compares those items with each other whose hashes are one, and to its hash `[1, [2]]` and `[[1], 2]` are: the
//! lists within an item do not count, only what is in them. Of some thousand such items each would be compared with each.

use std::hash::{DefaultHasher, Hash as _, Hasher};

use serde_json::Value;

/// How many items that differ in their lists alone may stand in one list. Nobody sends so many by chance.
const MAX_ALIKE: usize = 64;

/// Whether a schema asks of any list that no item stands in it twice.
pub(super) fn asks_for_unique_items(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => {
            members.get("uniqueItems") == Some(&Value::Bool(true)) || members.values().any(asks_for_unique_items)
        }
        Value::Array(items) => items.iter().any(asks_for_unique_items),
        _ => false,
    }
}

/// Whether too many items of some list in a value are alike.
pub(super) fn has_crowd(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.values().any(has_crowd),
        Value::Array(items) => is_crowd(items) || items.iter().any(has_crowd),
        _ => false,
    }
}

fn is_crowd(items: &[Value]) -> bool {
    let lists = items.iter().filter(|item| item.is_array() || item.is_object());
    if lists.clone().count() <= MAX_ALIKE {
        return false;
    }
    let mut marks: Vec<(u64, u64)> = lists.map(|item| (mark(item, false), mark(item, true))).collect();
    marks.sort_unstable();
    marks.dedup();
    marks.chunk_by(|one, next| one.0 == next.0).any(|alike| alike.len() > MAX_ALIKE)
}

/// A digest of a value; `strict`: of the lists in it, too.
fn mark(value: &Value, strict: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    digest(value, strict, &mut hasher);
    hasher.finish()
}

fn digest(value: &Value, strict: bool, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => hasher.write_u8(0),
        Value::Bool(value) => value.hash(hasher),
        // As they are compared: 1 is 1.0.
        Value::Number(number) => number.as_f64().unwrap_or_default().to_bits().hash(hasher),
        Value::String(text) => text.hash(hasher),
        Value::Array(items) => {
            if strict {
                hasher.write_usize(items.len());
            }
            items.iter().for_each(|item| digest(item, strict, hasher));
        }
        Value::Object(members) => {
            let all = members.iter().fold(0, |all, (name, member)| {
                let mut hasher = DefaultHasher::new();
                name.hash(&mut hasher);
                digest(member, strict, &mut hasher);
                all ^ hasher.finish()
            });
            hasher.write_u64(all);
        }
    }
}
