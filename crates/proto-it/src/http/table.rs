//! Names of HTTP: methods (IANA HTTP Method Registry, WebDAV of RFC 4918 among them) and proxy header fields.

/// Methods by which an unfinished request line is recognised; a finished one may use any token.
pub const METHODS: &[&str] = &[
    "GET",
    "POST",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "CONNECT",
    "TRACE",
    "PATCH",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "SEARCH",
    "REPORT",
    "MERGE",
    "CHECKOUT",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "NOTIFY",
    "RPC_IN_DATA",
    "RPC_OUT_DATA",
    "CCM_POST",
    "BITS_POST",
    "M-SEARCH",
    "BCOPY",
    "POLL",
];

/// Fields that tell of a proxy on the way, as Zeek lists them.
pub const PROXY_FIELDS: &[&str] =
    &["forwarded", "x-forwarded-for", "x-forwarded-from", "client-ip", "via", "xroxy-connection", "proxy-connection"];

/// Query and form keys whose values are passwords and are never kept.
pub const SECRET_KEYS: &[&str] =
    &["password", "passwd", "pass", "pwd", "passphrase", "pin", "secret", "token", "access_token"];

/// Form keys that name a user.
pub const USER_KEYS: &[&str] = &["username", "user", "login", "email", "userid", "user_name", "uname", "log", "usr"];
