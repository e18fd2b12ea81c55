use super::*;

#[test]
fn a_program_with_a_loader_is_refused() {
    let this = std::env::current_exe().unwrap();
    let refused = check(&this).unwrap_err().to_string();
    assert!(refused.ends_with("it names a loader, which no guest has"), "{refused}");
}
