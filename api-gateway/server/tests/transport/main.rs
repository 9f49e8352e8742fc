//! The transport over real sockets: what clients of every kind meet, and that they do not disturb one another.

mod abuse;
mod client;
mod endpoints;
mod fixture;
mod protocol;
mod transfers;
