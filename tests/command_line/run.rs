//! Runs of the binary that end by themselves.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use acceptance::binary;

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Done {
    /// Panics unless it ended well.
    pub(crate) fn well(self) -> Done {
        assert_eq!(self.code, 0, "{}", self.err);
        self
    }

    /// Standard output as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("UTF-8 on standard output")
    }
}

/// A command of the binary, without the secrets that whoever runs the test may have set.
pub(crate) fn command<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(binary::sitrep());
    command.args(arguments).env_remove("SITREP_TOKEN").env_remove("SITREP_PSEUDONYM_KEY");
    command
}

/// Runs it to its end.
pub(crate) fn sitrep<S: AsRef<OsStr>>(arguments: &[S]) -> Done {
    sitrep_with(arguments, b"")
}

/// Runs it to its end with something on standard input.
pub(crate) fn sitrep_with<S: AsRef<OsStr>>(arguments: &[S], input: &[u8]) -> Done {
    let mut command = command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // It may have ended without reading, as it does after a wrong argument.
            drop(stdin.write_all(input));
        });
        ended(child)
    })
}

/// Waits for the end of a run.
pub(crate) fn ended(child: Child) -> Done {
    let output = child.wait_with_output().expect("it is our child");
    let code = output.status.code().unwrap_or_else(|| panic!("it was ended by {}", output.status));
    Done { code, out: output.stdout, err: String::from_utf8(output.stderr).expect("UTF-8 on standard error") }
}
