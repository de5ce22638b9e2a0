//! The claims of this crate, by name. Each has a property test that cites it.

use ayni_protocol::laws::Law;

/// What was promised is there.
pub const ACKNOWLEDGED_MEANS_DURABLE: Law = Law {
    name: "AcknowledgedMeansDurable",
    sentence: "An event that append returned is there after a crash at any later call to the disk",
    why: "or an OK would be a guess, and a payment could vanish after it was shown as made",
};

/// What was not promised is whole or absent.
pub const UNKNOWN_MAY_BE_EITHER: Law = Law {
    name: "UnknownMayBeEither",
    sentence: "An event whose append failed is afterwards wholly there or wholly absent",
    why: "or half an event could be read, or the events before it be lost with it",
};

/// Once is as good as often.
pub const REPEAT_IS_NOTHING: Law = Law {
    name: "RepeatIsNothing",
    sentence: "Appending what is there changes nothing, not even the order of acceptance",
    why: "or every reconnecting client and peer would grow the disk",
};

/// The journal is the truth.
pub const INDEX_IS_DISPOSABLE: Law = Law {
    name: "IndexIsDisposable",
    sentence: "A store answers alike whether its index was kept, snapshot or built from the journal",
    why: "or deleting a cache could change what a community sees",
};

/// Being quick changes no answer.
pub const AS_THE_REFERENCE: Law = Law {
    name: "AsTheReference",
    sentence: "The store on disk answers everything as the plain one in memory, in the same order",
    why: "or an index could hide events, show deleted ones, or order them wrongly",
};

/// Giving the disk back changes no answer.
pub const COMPACTION_CHANGES_NOTHING: Law = Law {
    name: "CompactionChangesNothing",
    sentence: "After a compaction the store answers as before, and after a restart too",
    why: "or keeping the disk small would cost events, or bring deleted ones back",
};

/// Every law of this crate.
pub const ALL: &[Law] = &[
    ACKNOWLEDGED_MEANS_DURABLE,
    UNKNOWN_MAY_BE_EITHER,
    REPEAT_IS_NOTHING,
    INDEX_IS_DISPOSABLE,
    AS_THE_REFERENCE,
    COMPACTION_CHANGES_NOTHING,
];
