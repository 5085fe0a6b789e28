//! What a body is, told from its first bytes (media types named as Zeek's signatures name them).

/// Offset, magic number, media type; the first that fits holds.
const MAGIC: &[(usize, &[u8], &str)] = &[
    (0, b"MZ", "application/x-dosexec"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"Rar!\x1a\x07", "application/x-rar"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\x00", "application/x-xz"),
    (0, b"MSCF", "application/vnd.ms-cab-compressed"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/msword"),
    (0, b"{\\rtf", "text/rtf"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"BM", "image/x-ms-bmp"),
    (0, b"\x00\x00\x01\x00", "image/x-icon"),
    (0, b"\xca\xfe\xba\xbe", "application/x-java-applet"),
    (0, b"CWS", "application/x-shockwave-flash"),
    (0, b"FWS", "application/x-shockwave-flash"),
    (4, b"ftyp", "video/mp4"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "application/ogg"),
    (0, b"wOFF", "application/font-woff"),
    (0, b"wOF2", "application/font-woff2"),
    (257, b"ustar", "application/x-tar"),
    (0, b"#!", "text/x-shellscript"),
];

/// Beginnings of text, after white space and whatever the case.
const TEXT: &[(&[u8], &str)] = &[
    (b"<!doctype html", "text/html"),
    (b"<html", "text/html"),
    (b"<head", "text/html"),
    (b"<body", "text/html"),
    (b"<script", "text/html"),
    (b"<?xml", "application/xml"),
    (b"<?php", "text/x-php"),
    (b"<soap", "application/soap+xml"),
    (b"<svg", "image/svg+xml"),
    (b"{\"", "application/json"),
    (b"[{", "application/json"),
    (b"-----begin ", "application/x-pem"),
];

/// Bytes of a body that are looked at.
pub const HEAD_BYTES: usize = 512;

/// Media type of a body that begins with `head`; none when nothing is known of it.
pub fn mime(head: &[u8]) -> Option<&'static str> {
    let magic = MAGIC.iter().find(|(at, magic, _)| head.get(*at..).is_some_and(|h| h.starts_with(magic)));
    if let Some((_, _, mime)) = magic {
        return Some(mime);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let begins = |word: &[u8]| text.get(..word.len()).is_some_and(|t| t.eq_ignore_ascii_case(word));
    if let Some((_, mime)) = TEXT.iter().find(|(word, _)| begins(word)) {
        return Some(mime);
    }
    let is_text = |b: &u8| (*b >= b' ' && *b != 0x7f) || matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    // A character cut at the end of the window is no sign of binary.
    let utf8 = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(e) => e.error_len().is_none(),
    };
    (!head.is_empty() && utf8 && head.iter().all(is_text)).then_some("text/plain")
}
