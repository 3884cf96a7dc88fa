//! The running sensor in a network of kernel namespaces. Each test is skipped, and says so, where namespaces are not permitted.

mod lived;
mod recorded;
