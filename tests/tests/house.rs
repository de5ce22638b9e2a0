//! The house keeps its own rules: which room may name which, what a pure crate must not touch,
//! how long a function may be, that every law is cited by a test and every limit tried by one, that the page about the
//! architecture tells the truth, and what may be depended on.
//!
//! Each rule is a small pure function over text, with its own tests that it can fail; this file
//! only hands it the tree. What a rule finds is listed in full, so that one run tells everything.
//!
//! Deliberately absent: advisories. They need a network; `cargo deny check advisories` has them.

#[cfg(test)]
mod house {
    mod arrows;
    mod dependencies;
    mod laws;
    mod limits;
    mod page;
    mod purity;
    mod reasons;
    mod size;
    mod source;

    /// Fails with every finding on its own line.
    fn nothing_found(rule: &str, mut findings: Vec<String>) {
        findings.sort();
        findings.dedup();
        assert!(findings.is_empty(), "{rule}:\n  {}\n", findings.join("\n  "));
    }
}
