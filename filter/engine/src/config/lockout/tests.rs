#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use crate::policy::Policy;
use crate::testing::{amended, errors, policy, with_routes};

fn with(lockout: Value) -> Value {
    let routes = json!([{"name": "login", "match": {"path": "/login"}, "access": "public"}]);
    amended(with_routes(routes), json!({"lockout": lockout}))
}

fn compiled(lockout: Value) -> Policy {
    policy(&with(lockout))
}

#[test]
fn what_is_left_out_has_a_default() {
    let policy = compiled(json!({"max_failures": 10}));
    let lockout = policy.lockout().expect("a lockout");
    assert_eq!((lockout.max_failures, lockout.window.as_secs(), lockout.duration.as_secs()), (10, 900, 900));
    assert_eq!((lockout.by_address, lockout.by_account), (true, false));
    let all = json!({"max_failures": 3, "window": "1m", "duration": "1h", "key": ["ip", "account"],
                     "login_routes": ["login"]});
    let policy = compiled(all);
    assert!(policy.routes.routes()[0].login && policy.lockout().is_some_and(|lockout| lockout.by_account));
    assert_eq!(policy.warnings(), []);
}

#[test]
fn an_account_alone_is_worth_a_warning() {
    let policy = compiled(json!({"max_failures": 10, "key": ["account"]}));
    let [warning] = policy.warnings() else { panic!("{:?}", policy.warnings()) };
    assert_eq!(warning.path, "lockout.key");
    assert!(warning.message.contains("lock out anybody else"), "{warning}");
}

#[test]
fn mistakes_of_the_lockout() {
    for (lockout, path, message, remedy) in [
        (json!({}), "lockout", "missing field `max_failures`", "such as 10"),
        (json!({"max_failures": 0}), "lockout.max_failures", "from 1 to 10000", "a whole number"),
        (json!({"max_failures": 3, "window": "8d"}), "lockout.window", "is not between", "choose a time"),
        (json!({"max_failures": 3, "duration": "500ms"}), "lockout.duration", "is not between", "choose a time"),
        (json!({"max_failures": 3, "key": []}), "lockout.key", "an empty list", "[ip]"),
        (json!({"max_failures": 3, "key": ["user"]}), "lockout.key[0]", "`user` is not one", "ip, account"),
        (
            json!({"max_failures": 3, "login_routes": []}),
            "lockout.login_routes",
            "an empty list",
            "leave the field out",
        ),
        (
            json!({"max_failures": 3, "login_routes": ["x"]}),
            "lockout.login_routes[0]",
            "no route is called `x`",
            "`name`",
        ),
        (json!({"max_failures": 3, "keys": ["ip"]}), "lockout.keys", "unknown field `keys`", "did you mean `key`?"),
    ] {
        let errors = errors(&with(lockout));
        let [error] = errors.as_slice() else { panic!("{errors:?}") };
        assert_eq!(error.path, path, "{error}");
        assert!(error.message.contains(message) && error.remedy.contains(remedy), "{error}");
    }
}
