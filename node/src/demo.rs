//! `ayni demo`: a node on a temporary folder, with a small community that lives.
//!
//! Everything in it is made the way members make it: signed orders, ballots and tickets, sent to a
//! real node by its own commands. Its draws come from a local test beacon, and its votes and
//! raffles close within a minute, so that one can watch them end.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::config::Config;
use crate::console::{interrupted, welcome};
use crate::founding::{self, Plan};
use crate::running::{self, Options};

/// Members, by the name of their key file.
const MEMBERS: [&str; 6] = ["ana", "ben", "carla", "dario", "elena", "felix"];

/// Who pays whom how much for what.
const PAYMENTS: [(&str, &str, &str, &str); 10] = [
    ("ana", "ben", "3.00", "repaired the garden gate"),
    ("ben", "carla", "2.50", "bread for the week"),
    ("carla", "ana", "1.75", "Spanish lesson"),
    ("dario", "elena", "4.00", "looked after the children"),
    ("elena", "felix", "1.50", "a ride to town"),
    ("felix", "ana", "2.25", "jam and apples"),
    ("ana", "dario", "1.00", "sharpened the tools"),
    ("ben", "felix", "0.75", "eggs"),
    ("carla", "dario", "2.00", "help with the harvest"),
    ("elena", "ben", "3.25", "firewood"),
];

/// What members offer and want: name, type, title, price, category.
const LISTINGS: [[&str; 5]; 9] = [
    ["ana", "offer", "Spanish lessons", "1.75", "lessons"],
    ["ana", "want", "Firewood for the winter", "4.00", "garden"],
    ["ben", "offer", "Bread for the week", "2.50", "food"],
    ["ben", "want", "Somebody to practise Spanish with", "2.00", "lessons"],
    ["carla", "offer", "Help with the harvest", "2.00", "garden"],
    ["dario", "offer", "Looking after children", "4.00", "care"],
    ["elena", "offer", "Firewood, dry, by the cart", "3.25", "garden"],
    ["elena", "want", "Bread", "3.00", "food"],
    ["felix", "want", "A ride to town on Saturdays", "", "transport"],
];

const BALLOTS: [(&str, &[&str]); 5] = [
    ("ana", &["well=7", "roof=-5", "oven=3"]),
    ("ben", &["well=2", "roof=-8"]),
    ("carla", &["oven=9", "well=-1"]),
    ("dario", &["well=6", "oven=6"]),
    ("elena", &["roof=8", "oven=4"]),
];

const TICKETS: [(&str, &str); 4] = [("ana", "3"), ("ben", "1"), ("dario", "2"), ("felix", "2")];

const QUESTION: &str = r#"
title = "What shall we do with this spring's working days?"
method = "quadratic"
min = -10
max = 10
quorum = 5000
closes_in_secs = 45

[[option]]
id = "well"
label = "Clean the old well"

[[option]]
id = "roof"
label = "Mend the school roof"

[[option]]
id = "oven"
label = "Build a common oven"
"#;

const RAFFLE: &str = r#"
title = "Spring raffle for the oven"
price = "0.50"
max_per_person = 5
closes_in_secs = 40

[[to]]
who = "oven"
bp = 5000

[[prize]]
text = "Half of the pot"
share = 5000

[[prize]]
text = "A basket from the garden"
"#;

/// Runs the demonstration until it is interrupted; the folder goes with it.
///
/// # Errors
/// Where the node cannot start.
pub async fn run(mut config: Config) -> Result<()> {
    let listener = running::bind(&config)?;
    let folder = std::env::temp_dir().join(format!("ayni-demo-{}", std::process::id()));
    let data = folder.join("data");
    let plan = Plan {
        name: "Valle de las Horas".into(),
        country: Some("PE".into()),
        test_chain: true,
        ..Plan::default()
    };
    founding::found(&data, &plan)?;
    config.raffle.gates = demonstration_gates()?;
    let local_beacon = founding::local_beacon(&data)?;
    let newest_copy = false;
    let options = Options { listener, config, data: data.clone(), local_beacon, newest_copy };
    let node = running::start(options)?;
    welcome(node.address, &data);
    let (lived, url) = (folder.clone(), format!("ws://{}", node.address));
    let life = tokio::task::spawn_blocking(move || live(&lived, &url));
    let failed = node.failed();
    // One listener from here to the end: a signal that comes between two would be heard by neither.
    let mut interrupted = std::pin::pin!(interrupted());
    let ended = tokio::select! {
        () = interrupted.as_mut() => Ok(()),
        () = failed => Ok(()),
        lived = life => {
            match lived? {
                Ok(()) => {
                    eprintln!("The community is alive: look at http://{}/ and watch the vote and the raffle end.\nKeys of its members are in {}. Ctrl-C ends the demonstration.", node.address, folder.display());
                    interrupted.await;
                    Ok(())
                }
                Err(error) => Err(error.context("the demonstration's members could not act")),
            }
        }
    };
    node.stop().await?;
    std::fs::remove_dir_all(&folder)
        .with_context(|| format!("cannot remove {}", folder.display()))?;
    ended
}

/// Raffles are allowed in the demonstration's own country.
fn demonstration_gates() -> Result<ayni_raffle::Gates> {
    let allowed = "[raffle.gates.PE]\nallowed = true\n";
    Ok(Config::parse(allowed, std::iter::empty())?.raffle.gates)
}

/// What the members do, each step by the command a member would type.
fn live(folder: &Path, url: &str) -> Result<()> {
    let ayni = |arguments: &[&str]| typed(folder, url, arguments);
    let key = |name: &str| format!("{name}.key");
    for name in MEMBERS {
        let made = ayni(&["key", "new", &key(name)])?;
        ayni(&["member", "add", text(&made, "npub"), "--name", name])?;
    }
    let oven = ayni(&["key", "new", &key("oven")])?;
    ayni(&["member", "add", text(&oven, "npub"), "--name", "oven", "--type", "cause"])?;
    for (from, to, amount, memo) in PAYMENTS {
        ayni(&["pay", to, amount, "--memo", memo, "--key", &key(from)])?;
    }
    for [name, side, title, price, category] in LISTINGS {
        let (listed, with) = (["listing", "add", title, "--type", side], key(name));
        let priced: &[&str] = if price.is_empty() { &[] } else { &["--price", price] };
        ayni(&[&listed, priced, &["--category", category, "--key", &with]].concat())?;
    }
    for (name, text) in [("question.toml", QUESTION), ("raffle.toml", RAFFLE)] {
        std::fs::write(folder.join(name), text)?;
    }
    let proposal = ayni(&["propose", "question.toml"])?;
    let raffle = ayni(&["raffle", "announce", "raffle.toml"])?;
    for (name, votes) in BALLOTS {
        let (vote, with) = (["vote", text(&proposal, "id")], key(name));
        ayni(&[&vote, votes, &["--key", &with]].concat())?;
    }
    for (name, quantity) in TICKETS {
        ayni(&["raffle", "buy", text(&raffle, "id"), quantity, "--key", &key(name)])?;
    }
    Ok(())
}

/// Runs one command of this same program and gives its JSON answer.
fn typed(folder: &Path, url: &str, arguments: &[&str]) -> Result<serde_json::Value> {
    let output = Command::new(std::env::current_exe()?)
        .args(arguments)
        .args(["--json", "--node", url])
        .current_dir(folder)
        .output()?;
    if !output.status.success() {
        bail!("ayni {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn text<'a>(answer: &'a serde_json::Value, name: &str) -> &'a str {
    answer.get(name).and_then(serde_json::Value::as_str).unwrap_or("")
}
