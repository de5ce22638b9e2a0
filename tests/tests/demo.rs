//! `ayni demo`: a community that lives from the first minute, and leaves nothing behind.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ayni_tests::{Folder, wait_for};
use serde_json::Value;

fn get(address: &str, path: &str) -> Value {
    let mut answer = ureq::get(format!("{address}api/v1/{path}")).call().unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

#[test]
fn a_community_lives_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let mut demo = folder
        .command(&["demo", "--listen", "127.0.0.1:0"])
        .env("AYNI_NODE__LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut address, mut keys) = (String::new(), PathBuf::new());
    for line in BufReader::new(demo.stderr.take().unwrap()).lines().map_while(Result::ok) {
        if let Some(page) = line.trim().strip_prefix("Page") {
            address = page.trim().to_owned();
        }
        if let Some((_, rest)) = line.split_once("Keys of its members are in ") {
            keys = rest.split(". Ctrl-C").next().unwrap().into();
            break;
        }
    }
    assert!(keys.join("ana.key").is_file(), "{} holds the members' keys", keys.display());
    let community = get(&address, "communities")[0].clone();
    let members =
        get(&address, &format!("communities/{}/members", community["id"].as_str().unwrap()));
    assert!(members.as_array().unwrap().len() >= 7, "{members}");
    let proposal = get(&address, "proposals")[0].clone();
    assert_eq!(proposal["spoiled"].as_array().map(Vec::len), Some(0), "{proposal}");
    assert_eq!(get(&address, "raffles")[0]["units"], 8);
    let asked = Command::new("kill").arg(demo.id().to_string()).status().unwrap();
    assert!(asked.success());
    let status = wait_for("the demonstration to end", || demo.try_wait().unwrap());
    assert!(status.success(), "{status}");
    assert!(!keys.exists(), "the folder goes with the demonstration");
}
