//! The journal, which is the truth on disk, and the index that finds events in it
