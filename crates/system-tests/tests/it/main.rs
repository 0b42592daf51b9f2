//! The whole stack, tested from outside.
