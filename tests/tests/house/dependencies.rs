//! What may be depended on: the part of `cargo deny` that needs neither a network nor the tool.
//!
//! The lists are those of `deny.toml`; `make test` runs the tool itself where it is installed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::nothing_found;
use super::source::root;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Whether one of the choices of an SPDX expression is allowed. `A/B` is old for `A OR B`.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = expression.split_whitespace().peekable();
    let answer = any_of(&mut words, allowed);
    answer && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut answer = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        answer |= all_of(words, allowed);
    }
    answer
}

fn all_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut answer = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        answer &= one(words, allowed);
    }
    answer
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let Some(first) = words.next() else { return false };
    if first == "(" {
        let answer = any_of(words, allowed);
        return words.next() == Some(")") && answer;
    }
    if words.next_if_eq(&"WITH").is_some() {
        let exception = words.next().unwrap_or_default();
        return allowed.contains(&format!("{first} WITH {exception}"));
    }
    allowed.contains(first)
}

/// Packages whose licence, source or name `deny.toml` does not allow.
fn refused(packages: &[Value], deny: &toml::Value) -> Vec<String> {
    let allowed: BTreeSet<String> = strings(&deny["licenses"]["allow"]).into_iter().collect();
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        *versions.entry(name).or_default() += 1;
        let licence = package["license"].as_str().unwrap_or("no licence");
        if !permits(licence, &allowed) {
            findings.push(format!("{name}: {licence}"));
        }
        if package["source"].as_str().is_some_and(|source| source != CRATES_IO) {
            findings.push(format!("{name}: comes from {}", package["source"]));
        }
    }
    for ban in deny["bans"]["deny"].as_array().into_iter().flatten() {
        let name = ban["crate"].as_str().unwrap_or_default();
        let twice_only = ban.get("deny-multiple-versions").is_some();
        if versions.get(name).is_some_and(|count| !twice_only || *count > 1) {
            findings.push(format!("{name} is banned: {}", ban["reason"]));
        }
    }
    findings
}

fn strings(list: &toml::Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|s| s.as_str().map(str::to_owned)).collect()
}

/// Third-party entries of `[workspace.dependencies]` without an exact version.
fn unpinned(manifest: &toml::Value) -> Vec<String> {
    let dependencies = manifest["workspace"]["dependencies"].as_table().into_iter().flatten();
    let third_party = dependencies.filter(|(_, entry)| entry.get("path").is_none());
    third_party
        .filter(|(_, entry)| {
            let version = entry.as_str().or_else(|| entry.get("version")?.as_str());
            !version.is_some_and(|version| version.starts_with('='))
        })
        .map(|(name, _)| format!("{name} is not pinned"))
        .collect()
}

fn read_toml(name: &str) -> toml::Value {
    toml::from_str(&fs::read_to_string(root().join(name)).unwrap()).unwrap()
}

/// Every package that is built on this machine.
fn packages() -> Vec<Value> {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", host])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let Value::Array(packages) = metadata["packages"].take() else { panic!("no packages") };
    packages
}

#[test]
fn dependencies_are_allowed() {
    nothing_found("licences, sources and bans", refused(&packages(), &read_toml("deny.toml")));
}

#[test]
fn dependencies_are_pinned() {
    nothing_found("exact versions in one place", unpinned(&read_toml("Cargo.toml")));
}

#[test]
fn licence_expressions_are_read() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];
    let allowed: BTreeSet<String> = allowed.into_iter().map(str::to_owned).collect();
    for good in ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(MIT OR X) AND ISC"] {
        assert!(permits(good, &allowed), "{good}");
    }
    assert!(permits("X OR Apache-2.0 WITH LLVM-exception", &allowed));
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "", "(MIT", "no licence", "X WITH Y", "MIT )"] {
        assert!(!permits(bad, &allowed), "{bad}");
    }
}

#[test]
fn what_is_refused_is_found() {
    let deny: toml::Value = toml::from_str(
        "[licenses]\nallow = ['MIT']\n[bans]\ndeny = [{ crate = 'openssl-sys', reason = 'C' }, \
         { crate = 'rustls', deny-multiple-versions = true, reason = 'one' }]\n",
    )
    .unwrap();
    let package = |name: &str, license: &str, source: &str| {
        let mut package = Value::Null;
        package["name"] = name.into();
        package["license"] = license.into();
        package["source"] = source.into();
        package
    };
    let packages = [
        package("a", "GPL-3.0", CRATES_IO),
        package("b", "MIT", "git+https://example.org/b"),
        package("openssl-sys", "MIT", CRATES_IO),
        package("rustls", "MIT", CRATES_IO),
    ];
    let found = refused(&packages, &deny);
    assert_eq!(found.len(), 3, "{found:?}");
    let twice = [packages[3].clone(), packages[3].clone()];
    assert_eq!(refused(&twice, &deny), ["rustls is banned: \"one\""]);
}

#[test]
fn a_loose_version_is_found() {
    let manifest = "[workspace.dependencies]\na = '1'\nb = '=1.2.3'\n\
                    c = { version = '2' }\nd = { path = 'd' }\n";
    let found = unpinned(&toml::from_str(manifest).unwrap());
    assert_eq!(found, ["a is not pinned", "c is not pinned"]);
}
