//! Flows: which packets belong together, and their bytes in order. Must not know dissectors.
