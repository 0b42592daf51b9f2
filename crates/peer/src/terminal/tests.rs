//! The interface without a terminal: what is shown after what happened, and what it asks for.

mod channels;
mod files;
mod harmless;
mod keys;
mod looks;
mod support;
mod talks;
