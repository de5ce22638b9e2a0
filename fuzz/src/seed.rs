//! Signed events that every target knows, so that bytes can name one instead of forging it.

use std::sync::LazyLock;

use ayni_protocol::{Draft, Keys, Kind, VerifiedEvent, kind};

/// The clock of the targets.
pub const NOW: u64 = 1_000;

/// The keys of a tiny cast.
pub fn keys(person: u8) -> Keys {
    Keys::from_secret([person; 32]).unwrap()
}

/// Sixteen events: notes, a profile, addressable ones, gift wraps, tags of every odd shape.
pub static EVENTS: LazyLock<Vec<VerifiedEvent>> = LazyLock::new(|| {
    let party = keys(11).public().to_string();
    let drafts = [
        Draft::new(kind::NOTE).content("plain"),
        Draft::new(kind::NOTE).content("\u{1}\u{7f}\"\\\n\r\t\u{8}\u{c}é😀").tag(["t", "é\u{1}"]),
        Draft::new(kind::NOTE).tag([""; 0]).tag(["t"]).tag(["t", "a", "b"]).tag(["T", "a"]),
        Draft::new(kind::NOTE).tag(["e", &"ab".repeat(32), "", "reply"]).tag(["", "t"]),
        Draft::new(Kind(0)).content("{\"name\":\"ana\"}"),
        Draft::new(Kind(0)).content("{\"name\":\"ben\"}"),
        Draft::new(Kind(30_402)).tag(["d", "x"]).tag(["title", "pan"]),
        Draft::new(Kind(30_402)).tag(["d", "y"]).tag(["tt", "a"]),
        Draft::new(kind::GIFT_WRAP).tag(["p", &party]),
        Draft::new(kind::GIFT_WRAP).tag(["p", "nobody"]).tag(["p", &party]),
        Draft::new(Kind(20_001)).content("gone"),
        Draft::new(kind::NOTE).tag(["-"]).content("mine"),
        Draft::new(kind::NOTE).tag(["expiration", "1010"]),
        Draft::new(kind::NOTE).tag(["expiration", "5"]),
        Draft::new(Kind(65_535)).tag(["p", &party]),
        Draft::new(Kind(7)).content("+").tag(["p", &party, "wss://x"]),
    ];
    let signed = drafts.into_iter().zip(0_u8..).map(|(draft, number)| {
        draft.sign(&keys(1 + number % 3), NOW - u64::from(number % 5), [0; 32])
    });
    signed.collect()
});
