//! The command line: one file per subcommand.

pub mod exit;
pub mod safe;
pub mod terminal;

pub use exit::{Exit, Failure};
pub use terminal::Terminal;
