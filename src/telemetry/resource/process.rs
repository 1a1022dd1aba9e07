//! The process, its host and its system.

use std::path::Path;

use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use sysinfo::System;

pub(super) fn attributes() -> impl Iterator<Item = KeyValue> {
    let program = std::env::current_exe().ok();
    let path = program.as_deref().and_then(Path::to_str).map(str::to_owned);
    let executable =
        program.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()).map(str::to_owned);
    // "If the process name is not available, the value MUST be set to `unknown_service`", and else with it.
    let service = executable
        .as_ref()
        .map_or_else(|| "unknown_service".to_owned(), |name| format!("unknown_service:{name}"));
    let found: [(&'static str, Option<Value>); 11] = [
        (super::SERVICE_NAME, Some(service.into())),
        ("service.instance.id", Some(instance().into())),
        ("process.pid", Some(i64::from(std::process::id()).into())),
        ("process.executable.name", executable.map(Value::from)),
        ("process.executable.path", path.map(Value::from)),
        // "The command used to launch the process". Without its arguments, which may hold secrets.
        (
            "process.command",
            std::env::args_os().next().and_then(|command| command.into_string().ok()).map(Value::from),
        ),
        ("host.name", System::host_name().map(Value::from)),
        ("host.arch", Some(arch().into())),
        ("os.type", Some(os().into())),
        ("os.description", System::long_os_version().map(Value::from)),
        ("os.version", System::os_version().map(Value::from)),
    ];
    found.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key, value?)))
}

/// "Implementations, such as SDKs, are recommended to generate a random Version 1 or Version 4 RFC 4122 UUID."
fn instance() -> String {
    let mut bytes = RandomIdGenerator::default().new_trace_id().to_bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut uuid = String::with_capacity(36);
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        uuid.extend([byte >> 4, byte & 0xf].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
    }
    uuid
}

/// By the names of the conventions, which are not Rust's.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc64" => "ppc64",
        "powerpc" => "ppc32",
        other => other,
    }
}

/// By the names of the conventions, which are not Rust's.
fn os() -> &'static str {
    match std::env::consts::OS {
        "macos" | "ios" => "darwin",
        "dragonfly" => "dragonflybsd",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn an_instance_is_a_random_uuid() {
        let uuid = instance();
        let parts: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        assert_ne!(uuid, instance());
    }

    #[test]
    fn arguments_are_not_told() {
        let attributes: HashMap<_, _> =
            attributes().map(|attribute| (attribute.key.to_string(), attribute.value.to_string())).collect();
        let command = std::env::args().next().unwrap();
        assert_eq!(attributes["process.command"], command);
        for argument in std::env::args().skip(1).filter(|argument| !command.contains(argument.as_str())) {
            assert!(
                !attributes.values().any(|value| value.contains(&argument)),
                "{argument}: {attributes:?}"
            );
        }
    }
}
