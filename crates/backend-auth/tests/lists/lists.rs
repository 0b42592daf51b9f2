//! Nothing but the dependencies counts here.
