//! `sitrep rules test`: the rules as shipped, on figures that are written.

use crate::run::sitrep;
use crate::world::World;

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/shipped.toml");

#[test]
fn the_rules_as_shipped_do_what_their_tests_say() {
    let done = sitrep(&["rules", "test", SHIPPED]).well();
    assert!(done.err.ends_with("6 tests, all as expected\n"), "{}", done.err);
}

#[test]
fn a_rule_that_does_otherwise_is_exit_1_and_a_wrong_file_exit_2() {
    let world = World::new();
    let text = std::fs::read_to_string(SHIPPED).expect("a file of ours");
    let path = world.write("later.toml", text.replacen("at = \"40m\"", "at = \"41m\"", 1).as_bytes());
    let done = sitrep(&["rules", "test", SHIPPED, &path]);
    let name = "half an hour below one half is told, a quarter of an hour above 55 % ends it";
    let expected = format!(
        "{path}: {name}: expected 41m firing: it did not happen\n{path}: {name}: 40m firing, log told \""
    );
    assert!(done.err.starts_with(&expected), "{}", done.err);
    assert!(done.err.ends_with("\nsitrep: 1 of 12 tests failed\n"), "{}", done.err);
    assert_eq!(done.code, 1);

    let path = world.write("wrong.toml", text.replacen("RXF-T1", "RXF-T9", 1).as_bytes());
    let done = sitrep(&["rules", "test", SHIPPED, &path]);
    let expected =
        format!("sitrep: {path}: test \"{name}\" org: \"RXF-T9\" is no site that the rule watches\n");
    assert_eq!((done.code, done.err), (2, expected));

    let other = world.write("rules.toml", b"[alerts]\n");
    let done = sitrep(&["rules", "test", SHIPPED, "--rules", &other]);
    assert!(done.err.contains("rule: there is no rule \"four-hour-type-1\"; there are "), "{}", done.err);
    assert_eq!(done.code, 2);
}
