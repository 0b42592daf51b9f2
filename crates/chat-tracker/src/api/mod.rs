//! The handlers: HTTP in, HTTP out. What a call does is in [`crate::calls`].

pub(crate) mod chat;
pub(crate) mod links;
pub(crate) mod openapi;
pub(crate) mod original;
pub(crate) mod service_calls;
