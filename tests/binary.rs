//! The real binary, for the tests that run it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The binary: `SITREP_BIN`, or what cargo builds beside this test, in the same profile. Cargo is asked once, also
/// where there is one already: a test of yesterday's binary says nothing.
pub fn sitrep() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| std::env::var_os("SITREP_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a file");
    let folder = test.parent().and_then(Path::parent).expect("a test is in target/PROFILE/deps");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--package", "sitrep"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    // A target folder that was chosen on cargo's command line is not in the environment.
    cargo.arg("--target-dir").arg(folder.parent().expect("a profile is in the target folder"));
    let built = cargo.output().expect("cargo started this test");
    assert!(built.status.success(), "sitrep cannot be built:\n{}", String::from_utf8_lossy(&built.stderr));
    folder.join(format!("sitrep{}", std::env::consts::EXE_SUFFIX))
}
