//! Lines of an FTP control connection: commands, replies, and the addresses in them.

use gwcore::Addr;
use proto::Probe;

/// Longest line, in bytes; longer ones are no FTP.
pub const LINE: usize = 8_192;
/// Telnet's "interpret as command", which some clients send before `ABOR` (RFC 959 §4.1.3).
const IAC: u8 = 0xff;

/// Commands that no other protocol of lines has.
const OWN: &[&[u8]] = &[b"PASV", b"EPSV", b"EPRT", b"STOR", b"STOU", b"APPE", b"MLSD", b"XCWD", b"XPWD"];
/// Further commands (RFC 959, RFC 2228, RFC 2389, RFC 3659, RFC 7151); mail, news and chat have some of them.
const SHARED: &[&[u8]] = &[
    b"USER", b"AUTH", b"FEAT", b"SYST", b"HOST", b"OPTS", b"PORT", b"CWD", b"CDUP", b"PWD", b"MKD", b"XMKD", b"RMD",
    b"XRMD", b"RNFR", b"RNTO", b"NLST", b"MLST", b"SIZE", b"MDTM", b"SITE", b"TYPE", b"MODE", b"STRU", b"ALLO",
    b"REST", b"PBSZ", b"PROT", b"CCC", b"ACCT", b"SMNT", b"REIN",
];

/// Whether the command with which a line begins is FTP's alone; none where it begins with none.
pub fn command_of(line: &[u8]) -> Option<bool> {
    let word = line.split(|b| matches!(b, b' ' | b'\r' | b'\n')).next()?.to_ascii_uppercase();
    if OWN.contains(&&word[..]) { Some(true) } else { SHARED.contains(&&word[..]).then_some(false) }
}

/// What a client's lines tell that begins with a command which others have too, on another port: FTP when a command follows that is its
/// alone; perhaps FTP when it logs in, though not with the four words of a chat (RFC 2812 §3.1.3).
pub fn shared(mut data: &[u8]) -> Probe {
    const PLAIN: &[&[u8]] = &[b"PASS", b"QUIT", b"LIST", b"RETR", b"DELE", b"HELP", b"NOOP", b"STAT"];
    let mut told = Probe::Unsure;
    while let Some((line, taken)) = line(data) {
        if line.get(..5).is_some_and(|l| l.eq_ignore_ascii_case(b"USER ")) && !line.iter().skip(5).any(|b| *b == b' ') {
            told = Probe::Maybe;
        }
        match (command_of(line), command(line)) {
            (Some(true), _) => return Probe::Certain,
            (Some(false), _) => {}
            (None, Some((word, _))) if PLAIN.contains(&&word[..]) => {}
            _ => return Probe::No,
        }
        data = data.get(taken..).unwrap_or_default();
    }
    told
}

/// The first line and how many bytes it takes, without line end and what of Telnet stands before it.
pub fn line(data: &[u8]) -> Option<(&[u8], usize)> {
    let end = data.iter().position(|b| *b == b'\n')?;
    let mut line = data.get(..end)?;
    while let [IAC, _, rest @ ..] = line {
        line = rest;
    }
    Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1))
}

/// Command in capital letters and argument; none where the line begins with something else than letters.
pub fn command(line: &[u8]) -> Option<(Vec<u8>, Option<&[u8]>)> {
    let space = line.iter().position(|b| *b == b' ');
    let (word, arg) = match space {
        Some(at) => (line.get(..at)?, line.get(at + 1..).filter(|a| !a.is_empty())),
        None => (line, None),
    };
    let is_command = (3..=8).contains(&word.len()) && word.iter().all(u8::is_ascii_alphabetic);
    is_command.then(|| (word.to_ascii_uppercase(), arg))
}

/// Code of a reply, whether more lines follow, and the text; none where the line has no code.
pub fn reply(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !matches!(digits, [b'1'..=b'6', b'0'..=b'9', b'0'..=b'9']) {
        return None;
    }
    let code = digits.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0'));
    Some(match rest {
        [b'-', text @ ..] => (code, true, text),
        [b' ', text @ ..] => (code, false, text),
        text => (code, false, text),
    })
}

/// Whether a reply is one that tells its command apart (RFC 959 §5.4, RFC 2428 §3, RFC 3659).
pub fn fits(command: &[u8], code: u16) -> bool {
    match code {
        221 => command == b"QUIT",
        227 => command == b"PASV",
        229 => command == b"EPSV",
        213 => matches!(command, b"SIZE" | b"MDTM" | b"STAT"),
        215 => command == b"SYST",
        234 | 334 => command == b"AUTH",
        257 => matches!(command, b"PWD" | b"XPWD" | b"MKD" | b"XMKD"),
        331 => command == b"USER",
        230 | 332 | 530 => command == b"PASS",
        350 => matches!(command, b"RNFR" | b"REST"),
        125 | 150 => matches!(command, b"RETR" | b"STOR" | b"STOU" | b"APPE" | b"LIST" | b"NLST" | b"MLSD"),
        _ => false,
    }
}

/// Six numbers: four of an address, two of a port (RFC 959 §4.1.2), wherever they begin.
pub fn six_numbers(text: &[u8]) -> Option<(Addr, u16)> {
    let start = text.iter().position(u8::is_ascii_digit)?;
    let mut numbers = [0u8; 6];
    let mut parts = text.get(start..)?.splitn(6, |b| *b == b',');
    for number in &mut numbers {
        let part = parts.next()?.trim_ascii();
        let digits = part.iter().take_while(|b| b.is_ascii_digit()).count();
        *number = std::str::from_utf8(part.get(..digits)?).ok()?.parse().ok()?;
    }
    let [a, b, c, d, high, low] = numbers;
    Some((Addr::v4([a, b, c, d]), u16::from_be_bytes([high, low])))
}

/// Address and port between delimiters (RFC 2428 §2, §3): the reply of `EPSV` has the port only.
pub fn extended(text: &[u8]) -> Option<(Option<Addr>, u16)> {
    let start = text.iter().position(|b| *b == b'(').map_or(0, |at| at + 1);
    let text = std::str::from_utf8(text.get(start..)?).ok()?;
    let mut parts = text.split(text.chars().next()?).skip(2);
    let (addr, port) = (parts.next()?, parts.next()?);
    let addr = addr.parse::<std::net::IpAddr>().ok().map(Addr::from);
    Some((addr, port.parse().ok()?))
}

/// A number before "bytes" in brackets, as servers tell the size of what they are about to send.
pub fn size_told(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let (before, _) = text.split_once(" bytes")?;
    let (_, number) = before.rsplit_once('(')?;
    number.parse().ok()
}
