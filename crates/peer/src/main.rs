//! The native peer as a program.

fn main() {}
