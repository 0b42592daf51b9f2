//! What must hold whatever a stranger sends, one module a parser. Each has a `run` that takes any bytes and panics
//! where something doesn't hold. The fuzz targets call it with what libFuzzer makes up, and the tests of the proxy
//! (which include this file) with the corpus that came of that.

pub mod answer;
pub mod config;
pub mod frames;
pub mod guard;
pub mod headers;
pub mod proxy_protocol;
pub mod target;
