//! Examples, run as a reader would.

use std::process::{Command, Stdio};

/// What an example prints. It is built next to the tests: `target/debug/deps/<test>`,
/// `target/debug/examples/<example>`.
pub(crate) fn run(name: &str, variables: &[(&str, &str)]) -> String {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().join("examples");
    let program = folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.exists(), "{} is missing: `cargo build --example {name}`", program.display());
    let mut command = Command::new(program);
    for (variable, _) in std::env::vars().filter(|(variable, _)| variable.starts_with("OTEL_")) {
        command.env_remove(variable);
    }
    let command = command.env("NO_COLOR", "1").envs(variables.iter().copied());
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text
}
