//! The clear part of the MMTLS handshake: ClientHello, ServerHello and the one clear alert, every byte checked.
//!
//! Layouts from Citizen Lab's MMTLS report (2024) and its captures (2023: 27 of 27 hellos); the older version f103 from the
//! report alone. A hello is one only if each length, marker and suite is right; there is no partial credit.

use super::record::{CLEAR_ALERT_BYTES, Version};

/// Body length of a hello with a resumption ticket only.
pub(crate) const RESUME_BYTES: u16 = 161;
/// Body length of a hello with key shares and a refresh ticket.
pub(crate) const REFRESH_BYTES: u16 = 366;
/// Body length of a hello with key shares only.
pub(crate) const NEW_BYTES: u16 = 221;
/// Body length of a ServerHello that chose ECDHE.
pub(crate) const SERVER_ECDHE_BYTES: u16 = 137;
/// Body length of a ServerHello that chose the ticket.
pub(crate) const SERVER_PSK_BYTES: u16 = 46;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// An uncompressed P-256 point: `04`, x, y (SEC 1 section 2.3.3).
const POINT_BYTES: u16 = 65;
/// One key share behind its length: key index, point length, point.
const KEY_SHARE_BYTES: u32 = 71;
const IV_BYTES: u16 = 12;
/// Key versions count up slowly from 1; 3 to 6 are in use.
const KEY_VERSION_MAX: u32 = 0xff;
/// Tickets live 7 or 30 days; more than a year is no lifetime.
const LIFETIME_SECS_MAX: u32 = 366 * 86_400;

/// A cipher suite; no third is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// `c02b` ECDHE_ECDSA with AES-128-GCM.
    Ecdhe,
    /// `00a8` PSK with AES-128-GCM.
    Psk,
}

impl Suite {
    fn of(code: u16) -> Option<Self> {
        match code {
            0xc02b => Some(Suite::Ecdhe),
            0x00a8 => Some(Suite::Psk),
            _ => None,
        }
    }

    /// Its code in lower-case hexadecimal.
    pub(crate) const fn name(self) -> &'static [u8] {
        match self {
            Suite::Ecdhe => b"c02b",
            Suite::Psk => b"00a8",
        }
    }
}

/// What a ClientHello is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HelloKind {
    /// A ticket: the session goes on.
    Resume,
    /// New keys, and a ticket that proves who asks.
    Refresh,
    /// New keys and no ticket: a fresh installation, or its data were cleared.
    NewInstallation,
}

impl HelloKind {
    /// The word in `mmtls.kind`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            HelloKind::Resume => "resume",
            HelloKind::Refresh => "refresh",
            HelloKind::NewInstallation => "new-installation",
        }
    }

    /// Body length of the record that carries it.
    const fn record_bytes(self) -> u16 {
        match self {
            HelloKind::Resume => RESUME_BYTES,
            HelloKind::Refresh => REFRESH_BYTES,
            HelloKind::NewInstallation => NEW_BYTES,
        }
    }

    /// Whether `suite` was offered.
    pub(crate) fn offers(self, suite: Suite) -> bool {
        match suite {
            Suite::Ecdhe => self != HelloKind::Resume,
            Suite::Psk => self != HelloKind::NewInstallation,
        }
    }
}

/// A valid ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientHello<'a> {
    /// What it is for.
    pub(crate) kind: HelloKind,
    /// The suites in wire order; the second may be missing.
    pub(crate) suites: (Suite, Option<Suite>),
    /// The client's clock, seconds since the epoch.
    pub(crate) time: u32,
    /// The ticket: distinct for each installation, personal.
    pub(crate) ticket: Option<&'a [u8]>,
}

/// Whether a record body of this length may be a ClientHello.
pub(crate) const fn is_client_length(body: u16) -> bool {
    matches!(body, RESUME_BYTES | REFRESH_BYTES | NEW_BYTES)
}

/// Whether a record body of this length may be a ServerHello.
pub(crate) const fn is_server_length(body: u16) -> bool {
    matches!(body, SERVER_ECDHE_BYTES | SERVER_PSK_BYTES)
}

/// Reads a record body as a ClientHello; `None` if anything in it is not as it must be.
pub(crate) fn client_hello(version: Version, body: &[u8]) -> Option<ClientHello<'_>> {
    let mut r = message(CLIENT_HELLO, version, body)?;
    let suites = match r.u8()? {
        1 => (Suite::of(r.u16()?)?, None),
        2 => (Suite::of(r.u16()?)?, Some(Suite::of(r.u16()?)?)),
        _ => return None,
    };
    let kind = match suites {
        (Suite::Psk, None) => HelloKind::Resume,
        (Suite::Ecdhe, None) => HelloKind::NewInstallation,
        (first, Some(second)) if first != second => HelloKind::Refresh,
        _ => return None,
    };
    r.take(32)?;
    let time = r.u32()?;
    let mut ext = r.section()?;
    r.end()?;
    let (mut ticket, mut shares) = (None, false);
    for _ in 0..ext.u8()? {
        let mut one = ext.section()?;
        match one.u16()? {
            0x000f if ticket.is_none() => ticket = Some(psk(&mut one)?),
            0x0010 if !shares => shares = key_shares(&mut one)?,
            _ => return None,
        }
        one.end()?;
    }
    ext.end()?;
    let fits = ticket.is_some() == kind.offers(Suite::Psk)
        && shares == kind.offers(Suite::Ecdhe)
        && usize::from(kind.record_bytes()) == body.len()
        && ticket.is_none_or(|t| (kind == HelloKind::Resume) == (t.index == 1));
    fits.then_some(ClientHello { kind, suites, time, ticket: ticket.map(|t| t.bytes) })
}

/// Reads a record body as a ServerHello; `None` if anything in it is not as it must be.
pub(crate) fn server_hello(version: Version, body: &[u8]) -> Option<Suite> {
    let mut r = message(SERVER_HELLO, version, body)?;
    let suite = Suite::of(r.u16()?)?;
    r.take(32)?;
    let mut ext = r.section()?;
    r.end()?;
    match suite {
        Suite::Psk => must_be(ext.u8()?, 0)?,
        Suite::Ecdhe => {
            must_be(ext.u8()?, 2)?;
            server_key(&mut ext)?;
        }
    }
    ext.end()?;
    Some(suite)
}

/// Reads a record body as the clear alert `00000003 | code u16 | level u8`; its code (115: unknown PSK identity).
pub(crate) fn clear_alert(body: &[u8]) -> Option<u16> {
    if body.len() != usize::from(CLEAR_ALERT_BYTES) {
        return None;
    }
    let mut r = Reader(body);
    must_be(r.u32()?, 3)?;
    let code = r.u16()?;
    // The level: 1 warning, 2 fatal (RFC 8446 section 6, after which the format is modelled).
    (code != 0 && matches!(r.u8()?, 1 | 2)).then_some(code)
}

/// The common head of both hellos: section length, message, version in little-endian order.
fn message(kind: u8, version: Version, body: &[u8]) -> Option<Reader<'_>> {
    let mut outer = Reader(body);
    let mut r = outer.section()?;
    outer.end()?;
    must_be(r.u8()?, kind)?;
    must_be(r.u8()?, version.low())?;
    must_be(r.u8()?, 0xf1)?;
    Some(r)
}

#[derive(Clone, Copy)]
struct Ticket<'a> {
    index: u8,
    bytes: &'a [u8],
}

/// The PSK extension behind its type: flag 01, then one ticket.
fn psk<'a>(r: &mut Reader<'a>) -> Option<Ticket<'a>> {
    must_be(r.u8()?, 1)?;
    let mut t = r.section()?;
    let index = t.u8()?;
    let length = match index {
        1 => 72,
        2 => 105,
        _ => return None,
    };
    if !(1..=LIFETIME_SECS_MAX).contains(&t.u32()?) {
        return None;
    }
    must_be(t.u16()?, 0)?; // no MAC key
    t.u32()?; // key version
    must_be(t.u16()?, IV_BYTES)?;
    t.take(usize::from(IV_BYTES))?;
    must_be(t.u16()?, length)?;
    let bytes = t.take(usize::from(length))?;
    t.end()?;
    Some(Ticket { index, bytes })
}

/// The key shares behind their type: two points, then `00000000 02` and the two versions of the verification keys.
fn key_shares(r: &mut Reader<'_>) -> Option<bool> {
    must_be(r.u8()?, 2)?;
    for _ in 0..2 {
        must_be(r.u32()?, KEY_SHARE_BYTES)?;
        point(r)?;
    }
    must_be(r.u32()?, 0)?;
    must_be(r.u8()?, 2)?;
    let (first, second) = (r.u32()?, r.u32()?);
    (first > 0 && first < second && second <= KEY_VERSION_MAX).then_some(true)
}

/// The server's two extensions: its key share, and the version of its verification key.
fn server_key(ext: &mut Reader<'_>) -> Option<()> {
    let mut share = ext.section()?;
    must_be(share.u16()?, 0x0011)?;
    point(&mut share)?;
    share.end()?;
    let mut key = ext.section()?;
    must_be(key.u16()?, 0x0013)?;
    key_version(&mut key)?;
    key_version(&mut key)?; // was 3 where it was seen
    key.end()
}

/// A key version and an uncompressed P-256 point.
fn point(r: &mut Reader<'_>) -> Option<()> {
    key_version(r)?;
    must_be(r.u16()?, POINT_BYTES)?;
    let point = r.take(usize::from(POINT_BYTES))?;
    must_be(*point.first()?, 4)
}

fn key_version(r: &mut Reader<'_>) -> Option<()> {
    (1..=KEY_VERSION_MAX).contains(&r.u32()?).then_some(())
}

fn must_be<T: PartialEq>(value: T, want: T) -> Option<()> {
    (value == want).then_some(())
}

/// Bytes that are taken from the front, big endian.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// What follows a 32-bit length.
    fn section(&mut self) -> Option<Reader<'a>> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?).map(Reader)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
