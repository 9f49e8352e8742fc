//! The rules of networks: each refusal with its code and parameters, and what the rows are afterwards.

mod cards;
mod guests;
mod links;
mod management;
mod pool;
