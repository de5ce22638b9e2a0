//! What a person meets first: the help, the exit codes, and errors that say what to do.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking, as a test does")]

use std::process::{Command, Output};

fn ayni(folder: &std::path::Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ayni"));
    for variable in ["AYNI_KEY", "AYNI_NODE", "AYNI_DATA", "AYNI_CONFIG", "AYNI_PASSWORD"] {
        command.env_remove(variable);
    }
    command.args(arguments).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_fits_a_screen_and_every_command_has_some() {
    let folder = tempfile::tempdir().unwrap();
    let help = ayni(folder.path(), &["--help"]);
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(text.lines().count() <= 45, "{} lines", text.lines().count());
    let commands = text.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let names: Vec<_> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        assert!(ayni(folder.path(), &[name, "--help"]).status.success(), "{name}");
    }
}

#[test]
fn exit_codes_are_what_scripts_expect() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(ayni(folder.path(), &["pay"]).status.code(), Some(2));
    assert_eq!(ayni(folder.path(), &["nonsense"]).status.code(), Some(2));
    assert_eq!(ayni(folder.path(), &["config", "check"]).status.code(), Some(0));
    let nobody = ayni(folder.path(), &["balance", "ana", "--node", "ws://127.0.0.1:1"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(said(&nobody).contains("ayni run"), "{}", said(&nobody));
}

#[test]
fn a_misspelt_configuration_is_refused_with_the_right_word() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ayni.toml"), "[limits]\nfilterz = 1\n").unwrap();
    let refused = ayni(folder.path(), &["config", "check"]);
    assert!(said(&refused).contains("did you mean filters?"), "{}", said(&refused));
}

#[test]
fn a_nodes_keys_are_shown_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    assert!(ayni(folder.path(), &["init"]).status.success());
    let shown = |whose: &str| ayni(folder.path(), &["key", "show", whose]).stdout;
    for whose in ["node", "community"] {
        let file = format!("data/keys/{whose}.key");
        assert!(shown(whose).starts_with(b"npub1"), "{whose}");
        assert_eq!(shown(whose), shown(&file));
    }
    let none = ayni(folder.path(), &["key", "show", "node", "--data", "nowhere"]);
    assert!(said(&none).contains("is --data the node's folder?"), "{}", said(&none));
    let missing = ayni(folder.path(), &["key", "show", "--key", "ana.key"]);
    assert!(said(&missing).contains("there is no key file ana.key"), "{}", said(&missing));
}

#[test]
fn a_sealed_vote_is_not_offered() {
    let folder = tempfile::tempdir().unwrap();
    let question = "title = \"Well?\"\nmethod = \"single\"\nprivacy = \"tlock\"\ncloses_in_secs = 60\n\
                    option = [{ id = \"yes\", label = \"Yes\" }]\n";
    std::fs::write(folder.path().join("question.toml"), question).unwrap();
    let refused = ayni(folder.path(), &["propose", "question.toml"]);
    assert!(said(&refused).contains("are not offered yet"), "{}", said(&refused));
}

#[test]
fn founding_twice_and_bad_plans_are_refused_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = ayni(folder.path(), &["init", "--limit", "20"]);
    assert!(said(&wrong).contains("20.00"), "{}", said(&wrong));
    let wrong = ayni(folder.path(), &["init", "--country", "Portugal"]);
    assert!(said(&wrong).contains("two letters"), "{}", said(&wrong));
    assert!(!folder.path().join("data").exists(), "a bad plan leaves nothing behind");
    assert!(ayni(folder.path(), &["init"]).status.success());
    let key = std::fs::read(folder.path().join("data/keys/community.key")).unwrap();
    let twice = ayni(folder.path(), &["init"]);
    assert!(said(&twice).contains("holds a community already"), "{}", said(&twice));
    assert_eq!(std::fs::read(folder.path().join("data/keys/community.key")).unwrap(), key);
}

#[test]
fn a_backup_holds_the_same_events_and_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    assert!(ayni(folder.path(), &["init"]).status.success());
    assert!(ayni(folder.path(), &["backup", "copy"]).status.success());
    let exported = |data| ayni(folder.path(), &["export", "--data", data]).stdout;
    assert!(!exported("data").is_empty());
    assert_eq!(exported("data"), exported("copy"));
    let again = ayni(folder.path(), &["backup", "copy"]);
    assert!(said(&again).contains("nothing is ever written over"), "{}", said(&again));
}

#[test]
fn keys_are_kept_encrypted_where_a_password_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = Command::new(env!("CARGO_BIN_EXE_ayni"));
    made.args(["key", "new", "ana.key"])
        .env("AYNI_PASSWORD", "reciprocity")
        .current_dir(folder.path());
    let npub = String::from_utf8(made.output().unwrap().stdout).unwrap();
    assert!(npub.starts_with("npub1"), "{npub}");
    let line = std::fs::read_to_string(folder.path().join("ana.key")).unwrap();
    assert!(line.starts_with("ncryptsec1"), "{line}");
    let locked = ayni(folder.path(), &["key", "show", "ana.key"]);
    assert!(said(&locked).contains("AYNI_PASSWORD"), "{}", said(&locked));
    let twice = ayni(folder.path(), &["key", "new", "ana.key"]);
    assert!(said(&twice).contains("never overwritten"), "{}", said(&twice));
}
