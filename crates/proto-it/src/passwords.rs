//! Passwords that makers ship: public since they stand in manuals, and tried first by whoever wants in.

/// User and password as makers of network and control devices ship them, from their public manuals.
const DEFAULT_PASSWORDS: &[(&str, &str)] = &[
    ("admin", ""),
    ("admin", "admin"),
    ("admin", "1234"),
    ("admin", "12345"),
    ("admin", "password"),
    ("admin", "private"),
    ("administrator", "administrator"),
    ("Administrator", "password"),
    ("engineer", "engineer"),
    ("guest", "guest"),
    ("operator", "operator"),
    ("root", ""),
    ("root", "root"),
    ("service", "service"),
    ("user", "user"),
    ("USER", "USER"),
];

/// Whether a user has the password that a maker ships.
pub(crate) fn is_default(user: &[u8], password: &[u8]) -> bool {
    DEFAULT_PASSWORDS.iter().any(|(u, p)| (u.as_bytes(), p.as_bytes()) == (user, password))
}
