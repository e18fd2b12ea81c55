use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::{clock::Clock, config::server::KeyBytes};

struct Pair {
    certificate: String,
    key: String,
}

fn pair(not_after: (i32, u8, u8)) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(not_after.0, not_after.1, not_after.2);
    let certificate = params.self_signed(&key).unwrap();
    Pair { certificate: certificate.pem(), key: key.serialize_pem() }
}

fn far() -> Pair {
    pair((4000, 1, 1))
}

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new(certificate: &str, key: &str) -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.write("cert.pem", certificate);
        files.write("key.pem", key);
        files
    }

    /// As a well-behaved tool does: a new file in the place of the old one.
    fn write(&self, name: &str, content: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, content).unwrap();
        fs::rename(new, self.folder.path().join(name)).unwrap();
    }

    fn tls(&self) -> Tls {
        let path = |name: &str| self.folder.path().join(name);
        Tls::AsFile { cert_file: path("cert.pem"), key_file: path("key.pem") }
    }
}

#[track_caller]
fn refused(certificate: &str, key: &str, part: &str) {
    let files = Files::new(certificate, key);
    let error = chain(&Certificates::load(files.tls()).expect_err("it is not usable"));
    assert!(error.contains(part), "expected `{part}` in: {error}");
    assert!(!error.contains("PRIVATE KEY-----\n"), "a key in: {error}");
}

fn served(certificates: &Certificates) -> Vec<u8> {
    certificates.current.read().unwrap().cert[0].to_vec()
}

#[test]
fn what_cannot_be_used_is_refused_with_a_reason() {
    let Pair { certificate, key } = far();
    refused(&certificate, &far().key, "does not belong to the first certificate");
    refused("", &key, "there is no certificate in");
    refused(&key, &key, "there is no certificate in");
    refused(&certificate, "", "there is no private key in");
    refused(&certificate, &certificate, "there is no private key in");
    refused("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", &key, "is not PEM");
    refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key, "cannot be read");
}

#[test]
fn a_missing_file_is_named() {
    let files = Files::new(&far().certificate, "");
    fs::remove_file(files.folder.path().join("key.pem")).unwrap();
    let error = chain(&Certificates::load(files.tls()).expect_err("there is no key"));
    assert!(error.contains("key.pem") && error.contains("No such file"), "{error}");
}

#[test]
fn a_pair_may_be_given_as_bytes() {
    let Pair { certificate, key } = far();
    let tls = Tls::AsBytes { certs: certificate.into_bytes(), key: KeyBytes(key.clone().into_bytes()) };
    assert!(!format!("{tls:?}").contains(&format!("{:?}", &key.as_bytes()[..8])), "no key in {tls:?}");
    let certificates = Certificates::load(tls).unwrap();
    assert!(matches!(certificates.reload_if_changed(), Reload::Unchanged));
}

#[test]
fn a_new_pair_is_taken_over_when_both_files_are_there() {
    let old = far();
    let files = Files::new(&old.certificate, &old.key);
    let certificates = Certificates::load(files.tls()).unwrap();
    let before = served(&certificates);
    assert!(matches!(certificates.reload_if_changed(), Reload::Unchanged));

    let new = far();
    files.write("cert.pem", &new.certificate);
    assert!(matches!(certificates.reload_if_changed(), Reload::Refused(TlsError::Mismatch { .. })));
    assert_eq!(served(&certificates), before, "the old one is served on");
    assert!(matches!(certificates.reload_if_changed(), Reload::Unchanged), "and this is said once");

    files.write("key.pem", &new.key);
    assert!(matches!(certificates.reload_if_changed(), Reload::Replaced));
    assert_ne!(served(&certificates), before);
}

#[test]
fn a_file_that_is_gone_for_a_while_changes_nothing() {
    let Pair { certificate, key } = far();
    let files = Files::new(&certificate, &key);
    let certificates = Certificates::load(files.tls()).unwrap();
    fs::remove_file(files.folder.path().join("cert.pem")).unwrap();
    assert!(matches!(certificates.reload_if_changed(), Reload::Refused(TlsError::Read { .. })));
    assert!(matches!(certificates.reload_if_changed(), Reload::Unchanged), "this is said once");
    files.write("cert.pem", &certificate);
    assert!(matches!(certificates.reload_if_changed(), Reload::Replaced));
}

#[test]
fn the_end_of_a_certificate_is_known() {
    let Pair { certificate, key } = pair((2000, 1, 1));
    let files = Files::new(&certificate, &key);
    let certificates = Certificates::load(files.tls()).unwrap();
    assert_eq!(certificates.remaining(Clock::System.now()), None, "it ended in 2000");
    let Pair { certificate, key } = far();
    files.write("cert.pem", &certificate);
    files.write("key.pem", &key);
    certificates.reload();
    let remaining = certificates.remaining(Clock::System.now()).unwrap();
    assert!(remaining > limits::TLS_EXPIRY_WARNING, "{remaining:?}");
}
