//! The program: a community's relay, books, votes, raffles and page, wired together.
//!
//! Pure and tested without a socket: [`book`] (every part of the economy, folded), [`desk`] (what
//! a node does with an event and with time), [`admission`] (who may write what). Around them:
//! [`writer`] (the one thread that changes anything), [`running`] (the wiring), [`http`] and
//! [`cli`] (the two ways people reach it).

pub mod admission;
pub mod announcement;
pub mod assertions;
pub mod backend;
pub mod bench;
pub mod book;
pub mod brought;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod country;
pub mod day;
pub mod demo;
pub mod desk;
pub mod drand;
pub mod federate;
pub mod fence;
pub mod founding;
pub mod http;
pub mod import;
pub mod information;
pub mod keys;
pub mod local;
pub mod management;
pub mod market;
pub mod membership;
pub mod name;
pub mod peering;
pub mod peers;
pub mod policy;
pub mod proof;
pub mod running;
pub mod search;
pub mod table;
pub mod upkeep;
pub mod verify;
pub mod writer;
