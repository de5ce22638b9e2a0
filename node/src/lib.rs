//! The program's library half.
