//! Whom we believe over TLS.

use std::io;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The system's authorities and those of a file (PEM). Names of hosts are checked by whoever connects.
pub fn roots(ca: Option<&Path>) -> io::Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let Some(file) = ca else { return Ok(store) };
    let within = |error: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", file.display()));
    let before = store.len();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| within(error.to_string()))? {
        let certificate = certificate.map_err(|error| within(error.to_string()))?;
        store.add(certificate).map_err(|error| within(error.to_string()))?;
    }
    if store.len() == before { Err(within("there is no certificate in it".to_owned())) } else { Ok(store) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Folder;

    /// Nobody has its key any more.
    const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBdTCCARugAwIBAgIUZA6Uxz+nBrJR6SiV0yGeEf1tUNAwCgYIKoZIzj0EAwIw\n\
DzENMAsGA1UEAwwEVGVzdDAgFw0yNjExMjExMTQ1NDhaGA8yMTI2MTAyODExNDU0\n\
OFowDzENMAsGA1UEAwwEVGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAqi\n\
CCEuvbTqIjipvFUlRIQPJCOBSFdxG51FgI7ln7ZWrVsR+mK3iN/yKBk+eZKln8ep\n\
t28OukdSAwXT8hGxEcCjUzBRMB0GA1UdDgQWBBSucX4h4Sktzjjp3mFbi5wXqahL\n\
GTAfBgNVHSMEGDAWgBSucX4h4Sktzjjp3mFbi5wXqahLGTAPBgNVHRMBAf8EBTAD\n\
AQH/MAoGCCqGSM49BAMCA0gAMEUCICmden+1TrtBlQTlTc7CvGw6Hq7hJF9RSYDm\n\
mNMYpm9fAiEAg7nr+p7DpPDAChqJwlYtUObZR9ENeeRrjU5yIbH9TXU=\n\
-----END CERTIFICATE-----\n";

    #[test]
    fn a_file_of_authorities_is_read_or_named() {
        let folder = Folder::new();
        let file = folder.path("ca.pem");
        let named = |error: io::Error| error.to_string().contains("ca.pem");
        assert!(roots(Some(&file)).is_err_and(named), "missing");
        for (name, text) in [
            ("empty", ""),
            ("no PEM", "nonsense"),
            ("cut short", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
        ] {
            std::fs::write(&file, text).unwrap();
            assert!(roots(Some(&file)).is_err_and(named), "{name}");
        }
        std::fs::write(&file, AUTHORITY).unwrap();
        assert_eq!(roots(Some(&file)).unwrap().len(), roots(None).unwrap().len() + 1);
    }
}
