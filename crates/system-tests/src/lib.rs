//! The real programs together.
