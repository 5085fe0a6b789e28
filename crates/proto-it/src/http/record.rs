//! The record of an HTTP exchange; fields named as in Zeek's http.log.

use gwcore::{Hex, List, Span, Text};

gwcore::record! {
    /// One HTTP exchange: a request and its response (RFC 9110, RFC 9112); either may be missing when it was not seen.
    pub struct HttpRecord, HttpColumns = "http", Transaction {
        /// Position of the exchange in its flow, from 1.
        trans_depth: u64,
        /// Request method (RFC 9110 §9).
        method: Option<Text>,
        /// Host field of the request as sent, with port where it has one (RFC 9110 §7.2).
        host: Option<Text>,
        /// Request target as sent (RFC 9112 §3.2); passwords in it stand as `***`.
        uri: Option<Text>,
        /// Referer field; passwords in it stand as `***`.
        referrer: Option<Text>,
        /// Version of the response, else of the request: `1.1`.
        version: Option<Text>,
        /// User-Agent field.
        user_agent: Option<Text>,
        /// Origin field of the request (RFC 6454).
        origin: Option<Text>,
        /// Decoded bytes of the request body that were seen, at most the inflation limit where it was compressed.
        request_body_len: u64 ["B"],
        /// Decoded bytes of the response body that were seen, at most the inflation limit where it was compressed.
        response_body_len: u64 ["B"],
        /// Status code of the final response (RFC 9110 §15).
        status_code: Option<u16>,
        /// Reason phrase.
        status_msg: Option<Text>,
        /// Status code of the last interim (1xx) response.
        info_code: Option<u16>,
        /// Its reason phrase.
        info_msg: Option<Text>,
        /// User of Basic authentication (RFC 7617); the password is not kept.
        username: Option<Text>,
        /// Fields that tell of a proxy, `NAME -> value`.
        proxied: Option<List<Text>>,
        /// Media type of the request body, told from its content.
        orig_mime_types: Option<List<Text>>,
        /// Media type of the response body, told from its content.
        resp_mime_types: Option<List<Text>>,
        /// Content-Type field of the response.
        content_type: Option<Text>,
        /// Content-Encoding field of the response.
        content_encoding: Option<Text>,
        /// Location field of the response; passwords in it stand as `***`.
        location: Option<Text>,
        /// Server field of the response.
        server: Option<Text>,
        /// MD5 of the decoded response body; absent when it was not seen whole.
        resp_md5: Option<Hex>,
        /// SHA-1 of the decoded response body; absent when it was not seen whole.
        resp_sha1: Option<Hex>,
        /// SHA-256 of the decoded response body; absent when it was not seen whole.
        resp_sha256: Option<Hex>,
        /// SHA-256 of the decoded request body; absent when it was not seen whole.
        orig_sha256: Option<Hex>,
        /// Frame that completed the request's head.
        request_frame: Option<u64>,
        /// Frame that completed the request's body.
        request_end_frame: Option<u64>,
        /// Frame that completed the head of the last interim response.
        info_frame: Option<u64>,
        /// Frame that completed the response's head.
        response_frame: Option<u64>,
        /// Frame that completed the response's body; absent when it ended with the flow.
        response_end_frame: Option<u64>,
        /// From the end of the request to the head of the response.
        response_time: Option<Span> ["s"],
        /// Names of the request's header fields in order.
        client_header_names: Option<List<Text>>,
        /// Names of the response's header fields in order.
        server_header_names: Option<List<Text>>,
    }
}
