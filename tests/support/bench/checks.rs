//! Whether what is measured happened at all: frames, flows, hellos and findings of a scan.

use crate::corpus::{Corpus, storm_name};
use crate::sensor::Json;

/// The output of `scan -o json`, as far as it is checked.
pub struct Scan {
    rows: Vec<Json>,
}

impl Scan {
    /// Reads the output.
    ///
    /// # Errors
    /// When a line is no JSON.
    pub fn read(words: &str) -> Result<Self, String> {
        let rows: Result<Vec<Json>, _> = words.lines().map(serde_json::from_str).collect();
        rows.map(|rows| Scan { rows }).map_err(|e| e.to_string())
    }

    fn total(&self, key: &str) -> u64 {
        let total = self.rows.iter().find(|r| r["type"] == "coverage" && r["segment"].is_null());
        total.and_then(|row| row[key].as_u64()).unwrap_or(0)
    }

    /// How often any finding rests on a server name.
    fn names_reported(&self) -> u64 {
        let findings = self.rows.iter().filter(|r| r["type"] == "finding");
        let evidence = findings.filter_map(|f| f["evidence"].as_array()).flatten();
        evidence.filter(|e| e["field"] == "tls.sni" || e["field"] == "quic.sni").filter_map(|e| e["count"].as_u64()).sum()
    }

    /// Compares what the scan says with what the corpus holds: `frames` by the baseline's count, `units` as it was made.
    ///
    /// # Errors
    /// What did not happen.
    pub fn check(&self, corpus: Corpus, units: u64, frames: u64) -> Result<(), String> {
        let expect = |what: &str, seen: u64, expected: u64| match seen == expected {
            true => Ok(()),
            false => Err(format!("{corpus:?}: {seen} {what}, where there are {expected}")),
        };
        expect("frames", self.total("frames"), frames)?;
        let wechat = (0..units).filter(|u| storm_name(*u).ends_with(".weixin.qq.com")).count() as u64;
        match corpus {
            Corpus::Storm | Corpus::Tunnels | Corpus::Fragments => {
                expect("flows", self.total("flows"), units)?;
                expect("flows with a hello", self.total("flows_dissected"), units)?;
                expect("WeChat names", self.names_reported(), wechat)
            }
            Corpus::Bulk => expect("flows", self.total("flows"), units.min(8)),
            // A few of six million addresses and ports meet again.
            Corpus::Flood if self.total("flows") > frames - frames / 1_000 => Ok(()),
            Corpus::Flood => expect("flows", self.total("flows"), frames),
            Corpus::Mix if self.names_reported() == 0 => Err("the mix: no server name was reported".into()),
            Corpus::Mix | Corpus::MidStream | Corpus::Clients => Ok(()),
        }
    }
}
