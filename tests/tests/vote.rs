//! Walk 3 of the README: a quadratic vote with open ballots, from the question to the result.

use ayni_protocol::{Draft, kind};
use ayni_tests::{Village, wait_for};

const QUESTION: &str = r#"
title = "What first?"
method = "quadratic"
min = -10
max = 10
quorum = 2000
closes_in_secs = 9

[[option]]
id = "well"
label = "New well"

[[option]]
id = "roof"
label = "School roof"
"#;

#[test]
fn a_vote_is_cast_counted_and_certified() {
    let village = Village::with_members(&["ana", "ben", "carla"]);
    village.folder.write("question.toml", QUESTION);
    let proposed = village.json(&["propose", "question.toml"]);
    let id = proposed["id"].as_str().unwrap();
    let _ = village.ayni(&["vote", id, "well=7", "roof=-7", "--key", "ana.key"]);
    let _ = village.ayni(&["vote", id, "well=3", "roof=3", "--key", "ben.key"]);
    // 10² + 1² is more than 100 credits: refused here; where it comes all the same, accepted, boxed,
    // spoiled.
    for (votes, says) in [
        (["well=10", "roof=1"], "costs 101 of your 100 credits"),
        (["well=11", "roof=0"], "from -10 to 10 votes"),
        (["wel=1", "roof=0"], "there is no option wel"),
    ] {
        let said = village.refusal(&["vote", id, votes[0], votes[1], "--key", "carla.key"]);
        assert!(said.contains(says) && said.contains("Nothing was sent"), "{said}");
    }
    let carla = village.folder.home.path().join("carla.key");
    let community = village.node.get("/api/v1/communities")[0]["id"].as_str().unwrap().to_owned();
    let ballot = Draft::new(kind::BALLOT)
        .tag(["h", &community])
        .tag(["e", id, "", "proposal"])
        .tag(["v", "well", "10"])
        .tag(["v", "roof", "1"])
        .sign(
            &ayni_node::keys::secret(carla.to_str().unwrap()).unwrap(),
            std::time::UNIX_EPOCH.elapsed().unwrap().as_secs(),
            [0; 32],
        );
    village.folder.write("ballot.jsonl", ballot.json());
    let _ = village.ayni(&["import", "ballot.jsonl"]);
    let tally = wait_for("the tally to be certified", || {
        let tally = village.json(&["tally", id]);
        let state = tally["state"].as_str().unwrap_or_default().to_owned();
        ["certified", "executed"].contains(&state.as_str()).then_some(tally)
    });
    assert_eq!(tally["provisional"], false);
    assert_eq!(tally["turnout"], 2);
    assert_eq!(tally["eligible"], 3);
    assert_eq!(tally["outcome"], serde_json::json!(["well"]));
    let scores: Vec<_> =
        tally["options"].as_array().unwrap().iter().map(|o| o["score"].as_i64().unwrap()).collect();
    assert_eq!(scores, [10, -4]);
    let spoiled = &tally["spoiled"].as_array().unwrap()[0];
    assert!(spoiled["reason"].as_str().unwrap().contains("credits"), "{spoiled}");
    let said = village.ayni(&["tally", id]);
    assert!(said.contains("spoiled: the ballot of carla: "), "{said}");
    let late = village.refusal(&["vote", id, "well=1", "roof=0", "--key", "carla.key"]);
    assert!(late.contains("closed"), "{late}");
    let stored = village
        .node
        .text("/api/v1/export?filter=%7B%22kinds%22%3A%5B4718%5D%7D", "application/jsonl");
    assert_eq!(stored.lines().count(), 1, "one canonical tally is published");
}

#[test]
fn a_stranger_cannot_vote() {
    let village = Village::with_members(&["ana"]);
    village.folder.write("question.toml", QUESTION);
    let proposed = village.json(&["propose", "question.toml"]);
    let id = proposed["id"].as_str().unwrap();
    let _ = village.ayni(&["key", "new", "stranger.key"]);
    let said = village.refusal(&["vote", id, "well=1", "--key", "stranger.key"]);
    assert!(said.contains("restricted:"), "{said}");
}
