//! Trunkline: callers of SIP trunks stand in LiveKit rooms.
//!
//! | module | what | kind |
//! |---|---|---|
//! | [`config`] | the file and the environment, validated | the only reader of either |
//! | [`store`] | trunks and dispatch rules of the file and of the API as one snapshot, records of calls | SQLite, and a thread that writes records |
//! | [`dispatch`] | which trunk and which rule take a call, and as whom it joins which room; what a call out is made with | pure |
//! | [`dns`] | where a carrier is: NAPTR, SRV, addresses | async |
//! | [`call`] | one call from INVITE to its end; [`call::driver`] performs what it decides | pure, and its driver |
//! | [`phone`] | the SIP endpoint of the gateway: events to calls, orders of the API to calls | async |
//! | [`room`] | one participant in one room; [`room::driver`] owns the signal connection | pure, and its driver |
//! | [`plane`] | media threads: sockets, junctions, peer connections | OS threads |
//! | [`prompts`], [`wav`] | what callers hear of the gateway itself | data |
//! | [`handset`] | a test phone on the same SIP stack and plane | async |
//! | [`guest`] | a test participant on the same room session and plane | async |
//! | [`stir`] | whether a caller's number is his: STIR/SHAKEN | pure, and what fetches certificates |
//! | [`spelling`] | LiveKit's JSON in its two spellings | pure |
//! | [`metrics`] | counters for Prometheus | data |
//! | [`api`] | HTTP: LiveKit's SIP API, what it lacks, and the way through to the LiveKit server | async |
//! | [`tls`] | whom we believe over TLS | reads a file |
//! | [`app`] | puts them together: start, drain, stop | async |

pub mod api;
pub mod app;
pub mod call;
pub mod config;
pub mod dispatch;
pub mod dns;
pub mod guest;
pub mod handset;
pub mod metrics;
pub mod phone;
pub mod plane;
pub mod prompts;
pub mod room;
pub mod spelling;
pub mod stir;
pub mod store;
pub mod tls;
pub mod wav;
