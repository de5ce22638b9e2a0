//! Filters: reading is total, what is written out is read back alike, and `matches` is what a
//! filter over plain JSON says, event by event.

use std::sync::LazyLock;

use ayni_protocol::{Event, Filter};
use serde_json::Value;

use crate::plain;
use crate::seed::EVENTS;

static PLAIN: LazyLock<Vec<Value>> = LazyLock::new(|| {
    EVENTS.iter().map(|event| serde_json::from_str(event.json()).unwrap()).collect()
});

/// A filter, and after a line feed an event, which need not be signed.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, other) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(filter) = Filter::parse(text) else { return };
    if !filter.impossible {
        let read = Filter::parse(&filter.to_json()).unwrap();
        assert_eq!(in_order(read), in_order(filter.clone()));
    }
    let Ok(plain) = serde_json::from_str::<Value>(text) else { return };
    plain::same_filter(&filter, &plain);
    for (event, plain_event) in EVENTS.iter().zip(&*PLAIN) {
        judge(&filter, event, &plain, plain_event);
    }
    if let (Ok(event), Ok(plain_event)) = (Event::parse(other), serde_json::from_str(other)) {
        judge(&filter, &event, &plain, &plain_event);
    }
}

fn judge(filter: &Filter, event: &Event, plain: &Value, plain_event: &Value) {
    let matches = filter.matches(event);
    assert_eq!(matches, plain::matches(plain, plain_event), "{plain} {plain_event}");
    assert!(!(matches && filter.matches_nothing()), "{plain}");
}

/// A filter keeps its letters in the order of its text, and is written out in that of the alphabet.
fn in_order(mut filter: Filter) -> Filter {
    filter.offset = None;
    filter.tags.sort();
    filter
}
