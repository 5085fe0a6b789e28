//! Passwords (argon2id), random tokens, and the hash under which a token is kept.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Shortest password that is accepted.
pub(crate) const SHORTEST: usize = 12;
/// Longest password that is looked at, in bytes.
const LONGEST: usize = 1_024;

/// Hash of a password with a random salt, in PHC form. Refuses short ones.
pub(crate) fn hash_password(password: &str) -> Result<String> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(Error::Refused(format!("a password has {SHORTEST} to {LONGEST} characters")));
    }
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(|e| Error::Refused(format!("the password cannot be hashed: {e}")))?.to_string())
}

/// Whether a password is the one that was hashed.
pub(crate) fn is_password(password: &str, hash: &str) -> bool {
    password.len() <= LONGEST
        && PasswordHash::new(hash).is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok())
}

/// `bytes` random bytes of the operating system, in hexadecimal.
pub fn random_hex(bytes: usize) -> Result<String> {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).map_err(|e| Error::Refused(format!("the system gives no random numbers: {e}")))?;
    Ok(hex(&buffer))
}

/// Under which a random token is kept: its SHA-256. Random tokens need no salt.
pub fn fingerprint(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|d| char::from(DIGITS[usize::from(d)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_argon2id_and_never_short() {
        let hash = hash_password("correct horse battery").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
        assert!(is_password("correct horse battery", &hash) && !is_password("correct horse batterz", &hash));
        assert!(hash_password("short").is_err() && !is_password("x", "no hash"));
        assert_ne!(random_hex(16).unwrap(), random_hex(16).unwrap());
    }
}
