//! Identity: which device stands behind an address at a time. Must never know frames, flows or dissectors.
