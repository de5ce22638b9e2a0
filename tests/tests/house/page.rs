//! `docs/ARCHITECTURE.md` and the tree agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::arrows::{ROOMS, manifests};
use super::nothing_found;
use super::source::root;

/// Rows of the page's table of rooms that are missing, unknown, or say something else.
///
/// A row reads: room, kind, the rooms it may name, and the `description` of its manifest.
fn disagreements(
    page: &str,
    manifests: &BTreeMap<String, (String, BTreeSet<String>)>,
) -> Vec<String> {
    let mut findings = Vec::new();
    let rows: Vec<String> = page.lines().filter(|line| line.starts_with("| `")).map(tidy).collect();
    for room in ROOMS {
        let names = match room.may_name {
            [] => "nothing".to_owned(),
            [.., _] if room.name == "node" => "every room below".to_owned(),
            [.., _] if room.name == "tests" => "every room".to_owned(),
            some => some.join(", "),
        };
        let purpose = manifests.get(room.name).map(|(purpose, _)| purpose.as_str());
        let purpose = purpose.unwrap_or("no such crate");
        let row = format!("| `{}/` | {} | {names} | {purpose} |", room.name, room.kind);
        if !rows.contains(&row) {
            findings.push(format!("docs/ARCHITECTURE.md lacks the row: {row}"));
        }
    }
    for row in rows.iter().filter(|row| row.matches('|').count() == 5) {
        let name = row.trim_start_matches("| `").split('/').next().unwrap_or_default();
        if !manifests.contains_key(name) {
            findings.push(format!("docs/ARCHITECTURE.md names a room that is not there: {row}"));
        }
    }
    findings
}

/// One blank between words, so that a table may be lined up.
fn tidy(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Relative links that lead nowhere from the folder of the page.
fn dead_links(page: &str, folder: &Path) -> Vec<String> {
    let links = page.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let links = links.filter(|link| !link.is_empty() && !link.contains("://"));
    let dead = links.filter(|link| !folder.join(link).exists());
    dead.map(|link| format!("dead link: {link}")).collect()
}

/// Source files that the page names in backticks and the tree does not have.
fn missing_files(page: &str) -> Vec<String> {
    let quoted = page.split('`').skip(1).step_by(2);
    let files = quoted.filter(|text| text.ends_with(".rs") && text.contains('/'));
    let missing = files.filter(|file| !root().join(file).is_file());
    missing.map(|file| format!("docs/ARCHITECTURE.md names {file}, which is not there")).collect()
}

#[test]
fn the_page_and_the_tree_agree() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    nothing_found("docs/ARCHITECTURE.md names what is there", missing_files(&page));
    nothing_found("docs/ARCHITECTURE.md tells the truth", disagreements(&page, &manifests()));
}

#[test]
fn links_of_the_docs_lead_somewhere() {
    let mut findings = Vec::new();
    let pages = [
        "docs/ARCHITECTURE.md",
        "docs/PROTOCOL.md",
        "docs/INTERFACES.md",
        "docs/relay.md",
        "README.md",
    ];
    for name in pages.into_iter().chain([
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/take-part.md",
        "docs/market.md",
        "docs/reciprocity.md",
        "docs/import.md",
        "docs/steward.md",
        "web/README.md",
    ]) {
        let path = root().join(name);
        let page = fs::read_to_string(&path).unwrap();
        let dead = dead_links(&page, path.parent().unwrap());
        findings.extend(dead.into_iter().map(|link| format!("{name}: {link}")));
    }
    nothing_found("links of the docs lead somewhere", findings);
}

#[test]
fn a_page_that_lies_is_found() {
    let manifests = manifests();
    let lies = disagreements("| `cellar/` | pure | nothing | Wine |\n", &manifests);
    assert_eq!(lies.len(), ROOMS.len() + 1, "{lies:?}");
    assert_eq!(missing_files("`protocol/src/lib.rs` and `cellar/src/wine.rs`, `x.rs`").len(), 1);
    let page = "[a](src) [b](nowhere.md#x) [c](https://x)";
    assert_eq!(dead_links(page, &root().join("protocol")), ["dead link: nowhere.md"]);
}
