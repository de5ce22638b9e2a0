//! Arrows run only downward, and siblings never name each other.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::nothing_found;
use super::source::{Source, root, sources, words};

/// A room of the house.
pub struct Room {
    /// Its folder; its crate is `ayni-` and this.
    pub name: &'static str,
    /// `pure`, `I/O`, `shell` or `tests`.
    pub kind: &'static str,
    /// The rooms it may name.
    pub may_name: &'static [&'static str],
}

const PART: &[&str] = &["protocol", "witness"];
/// Stands for every room below.
const EVERY_LOWER: &str = "*";
/// Every room, lowest first. `docs/ARCHITECTURE.md` shows the same table, and a test compares them.
pub const ROOMS: &[Room] = &[
    Room { name: "protocol", kind: "pure", may_name: &[] },
    Room { name: "witness", kind: "pure", may_name: &["protocol"] },
    Room { name: "lets", kind: "pure", may_name: PART },
    Room { name: "governance", kind: "pure", may_name: PART },
    Room { name: "raffle", kind: "pure", may_name: PART },
    Room { name: "market", kind: "pure", may_name: &["protocol"] },
    Room { name: "federation", kind: "pure", may_name: &["protocol"] },
    Room { name: "store", kind: "I/O", may_name: &["protocol"] },
    Room { name: "search", kind: "I/O", may_name: &["protocol"] },
    Room { name: "relay", kind: "shell", may_name: &["protocol"] },
    Room { name: "node", kind: "shell", may_name: &[EVERY_LOWER] },
    Room { name: "tests", kind: "tests", may_name: &[EVERY_LOWER] },
];

impl Room {
    /// Whether it may name another room.
    fn may_name(&self, other: &str) -> bool {
        let lower = ROOMS.iter().take_while(|room| room.name != self.name);
        let every = self.may_name.contains(&EVERY_LOWER);
        self.may_name.contains(&other) || every && lower.into_iter().any(|it| it.name == other)
    }
}

/// The names of the rooms, or of those of one kind.
pub fn rooms(kind: Option<&str>) -> Vec<&'static str> {
    ROOMS.iter().filter(|r| kind.is_none_or(|k| k == r.kind)).map(|r| r.name).collect()
}

/// What a room is for, and what its manifest names, by room.
pub fn manifests() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read_manifests(&serde_json::from_slice(&output.stdout).unwrap())
}

fn read_manifests(metadata: &Value) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let named = package["dependencies"].as_array().unwrap().iter();
            let named = named.filter_map(|dependency| room_of(dependency["name"].as_str()?));
            let room = room_of(package["name"].as_str().unwrap()).unwrap();
            let purpose = package["description"].as_str().unwrap_or_default().to_owned();
            (room, (purpose, named.collect()))
        })
        .collect()
}

fn room_of(package: &str) -> Option<String> {
    package.strip_prefix("ayni-").map(str::to_owned)
}

/// Rooms whose manifest names what they may not, development dependencies included.
fn wrong_manifests(rooms: &BTreeMap<String, (String, BTreeSet<String>)>) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, (_, named)) in rooms {
        match ROOMS.iter().find(|room| room.name == name) {
            None => findings.push(format!("{name}: a room the house does not know")),
            Some(room) => findings.extend(
                named
                    .iter()
                    .filter(|other| !room.may_name(other))
                    .map(|other| format!("{name}/Cargo.toml names {other}")),
            ),
        }
    }
    findings
}

/// Sources that name a room they may not, whatever the manifest says.
fn wrong_names(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let Some(room) = ROOMS.iter().find(|room| room.name == source.room) else { continue };
        for (line, word) in words(&source.code) {
            let Some(other) = word.strip_prefix("ayni_") else { continue };
            let known = ROOMS.iter().any(|room| room.name == other);
            if known && other != room.name && !room.may_name(other) {
                findings.push(format!("{}:{line} names {word}", source.path));
            }
        }
    }
    findings
}

#[test]
fn arrows_run_only_downward() {
    let manifests = manifests();
    assert_eq!(manifests.len(), ROOMS.len(), "every room of the table is a crate: {manifests:?}");
    nothing_found("arrows run only downward", wrong_manifests(&manifests));
    nothing_found("siblings never name each other", wrong_names(&sources(&rooms(None))));
}

#[test]
fn the_table_itself_has_no_arrow_upward() {
    for (height, room) in ROOMS.iter().enumerate() {
        let below: Vec<_> = ROOMS[..height].iter().map(|room| room.name).collect();
        let lower = |other: &&str| *other == EVERY_LOWER || below.contains(other);
        assert!(room.may_name.iter().all(lower), "{}", room.name);
    }
}

#[test]
fn an_arrow_upward_is_found() {
    let metadata = serde_json::json!({"packages": [
        {"name": "ayni-lets", "description": "", "dependencies": [
            {"name": "ayni-raffle"}, {"name": "serde"}]},
        {"name": "ayni-relay", "description": "", "dependencies": [{"name": "ayni-store"}]},
        {"name": "ayni-cellar", "description": "", "dependencies": []},
    ]});
    let found = wrong_manifests(&read_manifests(&metadata)).join("; ");
    assert_eq!(
        found,
        "cellar: a room the house does not know; lets/Cargo.toml names raffle; \
         relay/Cargo.toml names store"
    );
}

#[test]
fn a_sibling_named_in_a_source_is_found() {
    let text =
        "// ayni_raffle in a comment is talk\nuse ayni_witness::Fact;\nuse ayni_raffle::Draw;\n";
    let source = super::source::split("lets", "lets/src/lib.rs".into(), text);
    assert_eq!(wrong_names(&[source]), ["lets/src/lib.rs:3 names ayni_raffle"]);
}
