//! Captures built byte by byte, for the tests of this folder.
