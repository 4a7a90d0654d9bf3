//! What several test programs share.
#![allow(dead_code, unsafe_code, reason = "each program uses a part; through_c calls the C interface")]

pub mod boxes;
pub mod jpeg;
pub mod layouts;
pub mod light;
pub mod packing;
pub mod through_c;
pub mod tools;
