use super::{bytes, id, uuid_v4};

#[test]
fn ids_have_the_form_of_rfc_9562() {
    assert_eq!(uuid_v4([0; 16]), "00000000-0000-4000-8000-000000000000");
    assert_eq!(uuid_v4([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

#[test]
fn no_two_are_alike() {
    assert_ne!(bytes::<32>().unwrap(), bytes::<32>().unwrap());
    assert_ne!(id().unwrap(), id().unwrap());
}
