//! Whom to believe, and who we are, where an endpoint begins with `https`.

use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt as _;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::settings::variables;
use crate::telemetry::Error;
use crate::telemetry::environment::{Environment, Signal};

/// The files that the variables name.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    trusted: Option<File>,
    certificate: Option<File>,
    key: Option<File>,
}

/// A PEM file, and the variable that names it.
#[derive(Debug)]
struct File {
    variable: String,
    path: String,
}

impl Certificates {
    pub(super) fn read(environment: &Environment, signal: Signal) -> Self {
        let file = |name| {
            let [own, common] = variables(signal, name);
            let (variable, path) = environment.first([&own, &common])?;
            Some(File { variable: variable.to_owned(), path })
        };
        Self {
            trusted: file("CERTIFICATE"),
            certificate: file("CLIENT_CERTIFICATE"),
            key: file("CLIENT_KEY"),
        }
    }

    /// The system's roots, unless others are named.
    pub(super) fn config(&self) -> Result<ClientConfig, Error> {
        // Named, so that it does not matter what else of the program wants of rustls.
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has all ciphers of the default versions");
        let builder = match &self.trusted {
            Some(file) => builder.with_root_certificates(file.roots()?),
            None => builder.with_native_roots().map_err(|error| {
                let variable = "OTEL_EXPORTER_OTLP_CERTIFICATE";
                Error::configuration(format!(
                    "no certificates to trust: {error}; {variable} names a file of them"
                ))
            })?,
        };
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => builder
                .with_client_auth_cert(certificate.certificates()?, key.key()?)
                .map_err(|error| key.is_bad(error)),
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(File { variable, .. }), None) | (None, Some(File { variable, .. })) => Err(
                Error::configuration(format!("{variable} names one of certificate and key; both are needed")),
            ),
        }
    }
}

impl File {
    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| self.is_bad(error))?;
        }
        Ok(roots)
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let certificates =
            CertificateDer::pem_file_iter(&self.path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certificates = certificates.map_err(|error| self.is_bad(error))?;
        if certificates.is_empty() {
            return Err(self.is_bad("it holds no certificate in PEM"));
        }
        Ok(certificates)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        PrivateKeyDer::from_pem_file(&self.path).map_err(|error| self.is_bad(error))
    }

    fn is_bad(&self, error: impl std::fmt::Display) -> Error {
        Error::configuration(format!("{}: {}: {error}", self.variable, self.path))
    }
}
