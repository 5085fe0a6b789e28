//! TLS for connectors: rustls with ring, trusting the site's CA or the system's, with a client certificate where one is set.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde::Deserialize;

/// Where Debian and most others keep the certificates of public authorities.
const SYSTEM: &[&str] = &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// What a destination's TLS stands on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Certificates (PEM) of the authorities that are trusted, instead of the system's.
    pub ca: Option<PathBuf>,
    /// Own certificate (PEM), for receivers that ask for one.
    pub certificate: Option<PathBuf>,
    /// Its key (PEM).
    pub key: Option<PathBuf>,
    /// Name that the receiver's certificate must bear, where it is not the host's.
    pub server_name: Option<String>,
}

impl Tls {
    /// Certificates that are trusted.
    pub fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let path = match &self.ca {
            Some(path) => path.clone(),
            None => match SYSTEM.iter().map(Path::new).find(|p| p.is_file()) {
                Some(path) => path.to_owned(),
                None => return Ok(Vec::new()),
            },
        };
        certificates(&path)
    }

    /// The configuration of a client.
    pub fn client(&self) -> Result<Arc<ClientConfig>, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.authorities()?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots);
        let config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let key_read = PrivateKeyDer::from_pem_file(key).map_err(|e| format!("`{}`: {e}", key.display()))?;
                builder.with_client_auth_cert(certificates(certificate)?, key_read).map_err(|e| e.to_string())?
            }
            (None, None) => builder.with_no_client_auth(),
            _ => return Err("`certificate` and `key` go together".to_owned()),
        };
        Ok(Arc::new(config))
    }

    /// A TLS stream over a connected socket.
    pub fn wrap(&self, host: &str, stream: TcpStream) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
        let name = self.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(|e| e.to_string())?;
        let connection = ClientConnection::new(self.client()?, name).map_err(|e| e.to_string())?;
        Ok(StreamOwned::new(connection, stream))
    }
}

/// Certificates of a PEM file.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_file_iter(path)
        .and_then(|list| list.collect::<Result<Vec<_>, _>>())
        .map_err(|e| format!("`{}`: {e}", path.display()))
}
