//! The generated code is committed; this generates it again and fails where it differs. `REGENERATE=1` writes it.

use std::path::Path;

#[test]
fn the_committed_code_is_what_the_messages_give() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["event", "measure", "alert", "refusal"].map(|name| format!("sitrep/v1/{name}.proto"));
    let files = files.map(|file| root.join(file));
    let descriptors = protox::compile(&files, [root]).expect("the messages compile");
    let folder = tempfile::tempdir().unwrap();
    prost_build::Config::new().out_dir(folder.path()).compile_fds(descriptors).expect("code is generated");
    let generated = std::fs::read_to_string(folder.path().join("sitrep.v1.rs")).unwrap();
    let committed = root.join("src/gen/sitrep.v1.rs");
    if std::env::var_os("REGENERATE").is_some() {
        std::fs::write(&committed, &generated).unwrap();
    }
    let same = std::fs::read_to_string(&committed).is_ok_and(|committed| committed == generated);
    assert!(same, "src/gen/sitrep.v1.rs differs: run this test with REGENERATE=1 and commit what it writes");
}
