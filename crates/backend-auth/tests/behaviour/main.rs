//! backend-auth as its clients see it: a real server on a real socket, cheap password hashes.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod accounts;
mod administration;
mod alike;
mod authenticator;
mod common_passwords;
mod cross_site;
mod devices;
mod every_call;
mod flood;
mod full_disk;
mod host;
mod identity;
mod invites;
mod oidc;
mod oidc_accounts;
mod oidc_answers;
mod pages;
mod passkey_answers;
mod passkeys;
mod program;
mod provider;
mod requests;
mod resets;
mod second_factors;
mod sessions;
mod storage;
mod support;
mod throttling;
mod tokens;
