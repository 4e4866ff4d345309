//! What is checked in.

#[test]
fn the_description_is_up_to_date() {
    testkit::contract::check_openapi::<sync::App>();
}
