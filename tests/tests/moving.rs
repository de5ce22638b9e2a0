//! Moving house: a dump of another relay goes into a stopped node, and into one that runs, and comes
//! out again as it went in.

use std::process::Stdio;

use ayni_protocol::{Draft, Keys, Kind};
use ayni_tests::Folder;

const EVENTS: u64 = 3_000;

/// One event of many authors and kinds.
fn event(number: u64) -> String {
    let author = u8::try_from(1 + number % 7).unwrap();
    let kind = [1, 7, 1111, 30_023][usize::try_from(number % 4).unwrap()];
    let draft = Draft::new(Kind(kind)).tag(["d", &number.to_string()]).tag(["t", "mudanza"]);
    let keys = Keys::from_secret([author; 32]).unwrap();
    let draft = draft.content(format!("número {number}\n\"é\""));
    draft.sign(&keys, 1_700_000_000 + number, [0; 32]).json().to_owned()
}

/// What `strfry export` prints: one event a line.
fn dump() -> Vec<String> {
    (0..EVENTS).map(event).collect()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().filter(|line| line.contains("mudanza")).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_dump_goes_in_and_comes_out_whether_the_node_runs_or_not() {
    let dump = dump();
    let mut expected: Vec<_> = dump.iter().map(String::as_str).collect();
    expected.sort_unstable();

    // Into a stopped node, with three lines that are none.
    let stopped = Folder::new();
    let forged = event(EVENTS).replace("número", "numero");
    let text = format!("{}\n{forged}\nnot json\n{{\"id\":1}}\n", dump.join("\n"));
    stopped.write("dump.jsonl", &text);
    let output = stopped.output(&["import", "dump.jsonl", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((said["stored"].as_u64(), said["refused"].as_u64()), (Some(EVENTS), Some(3)));
    assert_eq!(said["reasons"][0]["line"], EVENTS + 1, "{said}");
    assert_eq!(sorted(&stopped.ayni(&["export"])), expected);

    // Out of that one and into one that runs, through a pipe.
    let running = Folder::new();
    let node = running.start(&[]);
    let mut export = stopped.command(&["export"]).stdout(Stdio::piped()).spawn().unwrap();
    let import = running
        .command(&["import", "-", "--json"])
        .stdin(export.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(export.wait().unwrap().success());
    let said: serde_json::Value = serde_json::from_slice(&import.stdout).unwrap();
    assert_eq!(said["stored"], EVENTS, "{said}");
    assert_eq!(sorted(&running.ayni(&["export"])), expected, "through the node");
    let some = running.ayni(&["export", "--filter", "{\"kinds\":[7],\"since\":1700002000}"]);
    assert_eq!(some.lines().count(), 250);
    // Again: nothing is stored twice.
    running.write("dump.jsonl", &dump.join("\n"));
    let said = running.json(&["import", "dump.jsonl"]);
    assert_eq!((said["known"].as_u64(), said["stored"].as_u64()), (Some(EVENTS), Some(0)));
    node.stop();
    assert_eq!(sorted(&running.ayni(&["export"])), expected, "and without it");
}

#[test]
fn a_folder_that_is_no_node_is_named_and_not_made_one() {
    let folder = Folder::new();
    for command in [&["export"][..], &["compact"], &["peer", "list"]] {
        let said = folder.refusal(&[command, &["--data", "typo"]].concat());
        assert!(said.contains("typo is no node's folder"), "{command:?} said: {said}");
    }
    assert!(!folder.data().with_file_name("typo").exists(), "nothing is made");
    // Peers may be named before the first start.
    let _ = folder.ayni(&["peer", "add", "ws://127.0.0.1:9", "--data", "second"]);
    assert!(folder.ayni(&["peer", "list", "--data", "second"]).starts_with("ws://127.0.0.1:9"));
}
