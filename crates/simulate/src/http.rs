//! HTTP/1.1 messages (RFC 9112) of a relay's small web server and its readers.

use crate::time::{Micros, http_date};

/// A request for a page.
pub(crate) fn get(host: &str, path: &str, agent: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n"
    )
    .into_bytes()
}

/// An answer with a body.
pub(crate) fn ok(at: Micros, media: &str, body: &str) -> Vec<u8> {
    let (date, len) = (http_date(at), body.len());
    format!(
        "HTTP/1.1 200 OK\r\nDate: {date}\r\nServer: RelayWeb/2.4\r\nContent-Type: {media}\r\nContent-Length: {len}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_that_of_the_body() {
        let text = String::from_utf8(ok(0, "text/plain", "five!")).unwrap();
        assert!(text.contains("Content-Length: 5\r\n\r\nfive!"), "{text}");
        assert!(text.contains("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"));
    }
}
