//! The keys and rules of the OpenTelemetry semantic conventions for HTTP and gRPC, version 1.45.0.
//!
//! The keys are public for those who add attributes of their own. The rules (names, statuses,
//! redaction) are pure functions and private: what they produce is the crate's behaviour.
//!
//! Source: <https://opentelemetry.io/docs/specs/semconv/http/> and
//! <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>

pub(crate) mod attributes;
pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod error;
pub(crate) mod grpc;
pub(crate) mod intern;
pub(crate) mod method;
pub(crate) mod rpc;
pub(crate) mod server;
pub(crate) mod status;
pub(crate) mod url;

/// The schema that everything this crate records follows.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.45.0";

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident = $key:literal;)+) => {
        $($(#[$doc])* pub const $name: &str = $key;)+
    };
}

keys! {
    /// The address of the client that sent the request, behind trusted proxies if there are any.
    CLIENT_ADDRESS = "client.address";
    /// A low-cardinality name of what went wrong.
    ERROR_TYPE = "error.type";
    /// Whether a connection is in use: `active` or `idle`.
    HTTP_CONNECTION_STATE = "http.connection.state";
    /// The size of the request's payload in bytes.
    HTTP_REQUEST_BODY_SIZE = "http.request.body.size";
    /// The prefix of a captured request header; its lower-case name follows.
    HTTP_REQUEST_HEADER = "http.request.header.";
    /// The method, `_OTHER` when it is not a known one.
    HTTP_REQUEST_METHOD = "http.request.method";
    /// The method as it was sent, when it is not a known one.
    HTTP_REQUEST_METHOD_ORIGINAL = "http.request.method_original";
    /// How many times the request was sent before.
    HTTP_REQUEST_RESEND_COUNT = "http.request.resend_count";
    /// The size of the response's payload in bytes.
    HTTP_RESPONSE_BODY_SIZE = "http.response.body.size";
    /// The prefix of a captured response header; its lower-case name follows.
    HTTP_RESPONSE_HEADER = "http.response.header.";
    /// The status code of the response.
    HTTP_RESPONSE_STATUS_CODE = "http.response.status_code";
    /// The route that matched, as a template.
    HTTP_ROUTE = "http.route";
    /// The local address of the connection.
    NETWORK_LOCAL_ADDRESS = "network.local.address";
    /// The local port of the connection.
    NETWORK_LOCAL_PORT = "network.local.port";
    /// The address of the other end of the connection.
    NETWORK_PEER_ADDRESS = "network.peer.address";
    /// The port of the other end of the connection.
    NETWORK_PEER_PORT = "network.peer.port";
    /// What is spoken in place of HTTP after an upgrade: `websocket`.
    NETWORK_PROTOCOL_NAME = "network.protocol.name";
    /// The version of HTTP that was spoken: `1.1`, `2`, `3`.
    NETWORK_PROTOCOL_VERSION = "network.protocol.version";
    /// How the connection carries its bytes: `tcp`.
    NETWORK_TRANSPORT = "network.transport";
    /// The method that was called, `_OTHER` when it is not known to exist: `pkg.Service/Method`.
    RPC_METHOD = "rpc.method";
    /// The method as it was called, when it is not known to exist.
    RPC_METHOD_ORIGINAL = "rpc.method_original";
    /// The prefix of captured request metadata; its lower-case name follows.
    RPC_REQUEST_HEADER = "rpc.request.header.";
    /// The prefix of metadata captured from before a response's messages; its lower-case name follows.
    RPC_RESPONSE_HEADER = "rpc.response.header.";
    /// The prefix of metadata captured from behind a response's messages; its lower-case name follows.
    RPC_RESPONSE_TRAILER = "rpc.response.trailer.";
    /// The name of the status that the call ended with: `OK`, `NOT_FOUND`.
    RPC_STATUS_CODE = "rpc.status_code";
    /// `grpc`.
    RPC_SYSTEM_NAME = "rpc.system.name";
    /// The host that was asked for.
    SERVER_ADDRESS = "server.address";
    /// The port that was asked for.
    SERVER_PORT = "server.port";
    /// The URL of an outgoing request, its secrets redacted.
    URL_FULL = "url.full";
    /// The path of a request.
    URL_PATH = "url.path";
    /// The query of a request, its secrets redacted.
    URL_QUERY = "url.query";
    /// `http` or `https`.
    URL_SCHEME = "url.scheme";
    /// The template of an outgoing request's path.
    URL_TEMPLATE = "url.template";
    /// The `User-Agent` header.
    USER_AGENT_ORIGINAL = "user_agent.original";
}

/// What the conventions call a value that is outside of a closed list.
pub(crate) const OTHER: &str = "_OTHER";

/// <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>: "the actual version of the
/// protocol used", `1.1`, `2` and so on; the name is `http` and then left out.
pub(crate) fn protocol_version(version: http::Version) -> Option<&'static str> {
    match version {
        http::Version::HTTP_09 => Some("0.9"),
        http::Version::HTTP_10 => Some("1.0"),
        http::Version::HTTP_11 => Some("1.1"),
        http::Version::HTTP_2 => Some("2"),
        http::Version::HTTP_3 => Some("3"),
        _ => None,
    }
}
