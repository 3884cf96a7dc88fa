//! The records of a capture file that lie in memory, taken one after the other without asking the file again: what is asked for every
//! frame of a large capture is asked once for each chunk of it.

use ringfence_core::decode::Frame;
use ringfence_core::time::Timestamp;

use super::pcap::{Pcap, RECORD_BYTES_MAX, RECORD_HEADER};

/// Frames that lie in memory. Ends before a record that is not whole, or claims what none has: the file says what that is.
#[derive(Debug, Default)]
pub struct Records<'w>(Option<Ahead<'w>>);

#[derive(Debug)]
struct Ahead<'w> {
    bytes: &'w [u8],
    /// Where they begin: moves on with what is taken.
    start: &'w mut usize,
    /// The latest frame so far.
    latest: &'w mut Timestamp,
    pcap: Pcap,
}

impl<'w> Records<'w> {
    /// The records in `bytes`, which begin at `start`.
    pub(super) fn new(bytes: &'w [u8], start: &'w mut usize, latest: &'w mut Timestamp, pcap: Pcap) -> Self {
        Records(Some(Ahead { bytes, start, latest, pcap }))
    }
}

impl<'w> Iterator for Records<'w> {
    type Item = Frame<'w>;

    #[inline(always)]
    fn next(&mut self) -> Option<Frame<'w>> {
        let ahead = self.0.as_mut()?;
        let (header, rest) = ahead.bytes.split_first_chunk::<RECORD_HEADER>()?;
        let head = ahead.pcap.head(header);
        if head.caplen > RECORD_BYTES_MAX {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(head.caplen as usize)?;
        ahead.bytes = rest;
        *ahead.start += RECORD_HEADER + bytes.len();
        *ahead.latest = head.ts.max(*ahead.latest);
        Some(ahead.pcap.frame(&head, bytes))
    }
}
