//! Agents over simulated hosts, in process and over the nodes' own channel.

mod adopting;
mod copying;
mod counting;
mod layers;
mod lifecycle;
mod mirroring;
mod moving;
mod networks;
mod remote;
mod stalling;
mod watching;
mod world;
