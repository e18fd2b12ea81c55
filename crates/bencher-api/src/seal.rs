//! Secrets at rest: sealed with a key that is derived from the server's secret key, bound to what they belong to.

use bencher_types::Secret;
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use rand::{RngCore as _, TryRngCore as _, rngs::OsRng};
use sha2::Sha256;

/// Bytes of an XChaCha20 nonce: long enough to be chosen at random.
const NONCE_LEN: usize = 24;

/// What was sealed cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "sealed data cannot be opened: it was changed, belongs to something else, or `security.secret_key` is another than before"
)]
pub struct SealError;

/// Seals and opens.
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    #[must_use]
    pub fn new(secret_key: &Secret) -> Self {
        let mut key = [0_u8; 32];
        Hkdf::<Sha256>::new(None, secret_key.expose().as_bytes())
            .expand(b"bencher secrets at rest 1", &mut key)
            .expect("32 bytes are fewer than HKDF can give");
        Self { cipher: XChaCha20Poly1305::new(&key.into()) }
    }

    /// Seals a secret of `owner`. No two results are alike.
    #[must_use]
    pub fn seal(&self, owner: &str, secret: &[u8]) -> Vec<u8> {
        let mut nonce = [0_u8; NONCE_LEN];
        OsRng.unwrap_err().fill_bytes(&mut nonce);
        let payload = Payload { msg: secret, aad: owner.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).expect("memory is the only bound, and it was enough");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what was sealed for `owner`.
    ///
    /// # Errors
    /// It was changed, was sealed for another owner, or with another key.
    pub fn open(&self, owner: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError)?;
        let payload = Payload { msg: sealed, aad: owner.as_bytes() };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| SealError)
    }
}

#[cfg(test)]
mod tests {
    use bencher_types::Secret;

    use super::{SealError, Sealer};

    fn sealer(key: &str) -> Sealer {
        Sealer::new(&Secret::new(key))
    }

    #[test]
    fn what_is_sealed_is_opened_by_the_same_key_and_owner_only() {
        let sealed = sealer("one").seal("job", b"TOKEN=abc");
        assert!(!sealed.windows(3).any(|part| part == b"abc"));
        assert_eq!(sealer("one").open("job", &sealed), Ok(b"TOKEN=abc".to_vec()));
        assert_eq!(sealer("two").open("job", &sealed), Err(SealError));
        assert_eq!(sealer("one").open("other job", &sealed), Err(SealError));
    }

    #[test]
    fn what_was_changed_is_not_opened() {
        let mut sealed = sealer("one").seal("job", b"secret");
        *sealed.last_mut().unwrap() ^= 1;
        assert_eq!(sealer("one").open("job", &sealed), Err(SealError));
        assert_eq!(sealer("one").open("job", &sealed[..5]), Err(SealError));
    }

    #[test]
    fn the_same_secret_is_sealed_differently_each_time() {
        let sealer = sealer("one");
        assert_ne!(sealer.seal("job", b"secret"), sealer.seal("job", b"secret"));
    }
}
