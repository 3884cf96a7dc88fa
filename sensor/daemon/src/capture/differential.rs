//! The reader against libpcap.
