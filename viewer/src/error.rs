use std::fmt;
use std::net::SocketAddr;

/// Why the viewer does not serve, or does not take a file.
#[derive(Debug)]
pub struct Error(Kind);

#[derive(Debug)]
enum Kind {
    Address { address: String, cause: std::io::Error },
    File(String),
    Start(std::io::Error),
    Token,
}

impl Error {
    pub(crate) fn address(address: impl fmt::Display, cause: std::io::Error) -> Self {
        Self(Kind::Address { address: address.to_string(), cause })
    }

    pub(crate) fn listening(address: SocketAddr, cause: std::io::Error) -> Self {
        Self::address(address, cause)
    }

    pub(crate) fn file(message: String) -> Self {
        Self(Kind::File(message))
    }

    pub(crate) fn start(cause: std::io::Error) -> Self {
        Self(Kind::Start(cause))
    }

    pub(crate) fn token() -> Self {
        Self(Kind::Token)
    }

    /// A token is empty, or has characters that an address or a cookie would change.
    #[must_use]
    pub fn is_token(&self) -> bool {
        matches!(self.0, Kind::Token)
    }

    /// An address cannot be listened on: it is no address, is taken, or is not this machine's.
    #[must_use]
    pub fn is_address(&self) -> bool {
        matches!(self.0, Kind::Address { .. })
    }

    /// A file to import cannot be read, or is none that is known.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self.0, Kind::File(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Address { address, cause } => write!(f, "cannot listen on {address}: {cause}"),
            Kind::File(message) => f.write_str(message),
            Kind::Token => {
                f.write_str("a token must have at least one letter or digit, and besides them only `-._~`")
            }
            Kind::Start(cause) => write!(f, "the viewer's threads cannot be started: {cause}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Kind::Address { cause, .. } | Kind::Start(cause) => Some(cause),
            Kind::File(_) | Kind::Token => None,
        }
    }
}
