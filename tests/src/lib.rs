//! Shared helpers of the end-to-end and simulation tests.
