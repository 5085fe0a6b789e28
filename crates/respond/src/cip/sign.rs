//! Signatures of packages: Ed25519 (RFC 8032) over the list of sums.

use std::path::Path;

use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::manifest::hex;

/// Name of the signature in a package.
pub use crate::manifest::SIGNATURE;

/// A key that signs.
pub struct Key(Ed25519KeyPair);

impl Key {
    /// Makes a key in a file that only its owner reads (PKCS #8); fails where the file exists.
    pub fn make(path: &Path) -> Result<Key, String> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| "no randomness".to_owned())?;
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = file.map_err(|e| format!("cannot make `{}`: {e}", path.display()))?;
        file.write_all(made.as_ref()).map_err(|e| e.to_string())?;
        Key::read(path)
    }

    /// Reads a key.
    pub fn read(path: &Path) -> Result<Key, String> {
        let bytes = std::fs::read(path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
        Ed25519KeyPair::from_pkcs8(&bytes).map(Key).map_err(|e| format!("`{}` is no Ed25519 key: {e}", path.display()))
    }

    /// Its public half, hex.
    pub fn public(&self) -> String {
        hex(self.0.public_key().as_ref())
    }

    /// Signs; hex.
    pub fn sign(&self, bytes: &[u8]) -> String {
        hex(self.0.sign(bytes).as_ref())
    }
}

/// Whether a signature is that of this public key over these bytes.
pub fn is_signed(bytes: &[u8], signature: &str, public: &str) -> bool {
    let (Some(signature), Some(public)) = (unhex(signature.trim()), unhex(public.trim())) else { return false };
    UnparsedPublicKey::new(&ED25519, public).verify(bytes, &signature).is_ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || text.len() > 1_024 || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}
