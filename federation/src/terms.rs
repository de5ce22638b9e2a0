//! A limit on everything between us and a peer, in this one file, each with its reason.

use ayni_protocol::Filter;

use crate::{Millis, scope};

/// On what terms we deal with a peer. All of it can be configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Which events the two nodes are to have in common.
    pub scope: Filter,
    /// Bytes of one negentropy message before hex. Others take half of 128 KiB and a little less.
    pub frame_bytes: u64,
    /// Bytes of one message of the peer. strfry answers with up to 1 MB of hex.
    pub message_bytes: usize,
    /// Ids asked for in one REQ. Fifty of the largest events are 3.3 MB, below what relays buffer.
    pub batch_ids: usize,
    /// REQs for ids open at the same time, so that a round trip is not spent on every batch.
    pub batches_in_flight: usize,
    /// Events handed out and not yet answered, at most.
    pub admitting_max: usize,
    /// Events sent and not yet answered with OK, at most.
    pub uploads_in_flight: usize,
    /// Ids that one reconciliation may add to each direction. The next one goes on from there.
    pub pass_ids_max: usize,
    /// Events of one page where the peer does not know NIP-77. Most relays give no more.
    pub page_events: usize,
    /// Ids remembered of what the peer is known to have, and of what either side refused.
    pub remembered_ids: usize,
    /// What was never asked for, until the peer is taken for a liar. Honest races cost a few.
    pub strikes_max: u32,
    /// Events with a wrong id or signature until then. A relay that verifies sends none.
    pub forgeries_max: u32,
    /// Events promised in reconciliation and not given until then, if they outweigh those given.
    pub withheld_max: usize,
    /// Live events refused at our door until then, if they outweigh those stored.
    pub refusals_max: usize,
    /// Challenges of one connection that are signed (NIP-42).
    pub challenges_max: u32,
    /// How long an answer may take.
    pub answer_ms: Millis,
    /// How long the first answer to NEG-OPEN may take before the peer is taken not to know NIP-77.
    pub negentropy_ms: Millis,
    /// First wait before something refused for now is tried again; doubled each time.
    pub retry_ms: Millis,
    /// From one reconciliation to the next while connected.
    pub resync_ms: Millis,
    /// The same where it is done page by page, which sends every event again.
    pub resync_paging_ms: Millis,
    /// Silence after which the peer is pinged; after twice that it is given up.
    pub silence_ms: Millis,
    /// First wait before connecting again; doubled each time. Short, as most peers just restart.
    pub backoff_first_ms: Millis,
    /// Longest wait before connecting again.
    pub backoff_max_ms: Millis,
    /// First wait after a lie; four times as long each time.
    pub lie_first_ms: Millis,
    /// Longest wait after a lie.
    pub lie_max_ms: Millis,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            scope: scope::economy(),
            frame_bytes: 60_000,
            message_bytes: 2 << 20,
            batch_ids: 50,
            batches_in_flight: 4,
            admitting_max: 1_000,
            uploads_in_flight: 64,
            pass_ids_max: 200_000,
            page_events: 500,
            remembered_ids: 16_384,
            strikes_max: 100,
            forgeries_max: 3,
            withheld_max: 1_000,
            refusals_max: 1_000,
            challenges_max: 16,
            answer_ms: 30_000,
            negentropy_ms: 10_000,
            retry_ms: 5_000,
            resync_ms: 600_000,
            resync_paging_ms: 3_600_000,
            silence_ms: 45_000,
            backoff_first_ms: 250,
            backoff_max_ms: 60_000,
            lie_first_ms: 60_000,
            lie_max_ms: 3_600_000,
        }
    }
}
