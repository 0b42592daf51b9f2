//! What an authenticator answers, and what is taken for an answer.

use serde_json::{Value, json};

use crate::authenticator::{Authenticator, ORIGIN, decode, encode};
use crate::passkeys::{add, options, owner, show_second, sign_in, world};
use crate::support::{PASSWORD, Visitor, World};

const FINISH: &str = "/login/passkey/finish";
const FINISH_SECOND: &str = "/login/second/passkey/finish";

/// An authenticator that `spoil` changed signs nobody in, is no second factor, and makes no passkey. As it was before, it signs in.
async fn is_refused(world: &World, alice: &mut Authenticator, spoil: impl Fn(&mut Authenticator)) {
    let (origin, uses) = (alice.origin.clone(), alice.uses);
    spoil(alice);
    let (visitor, answer) = sign_in(world, alice).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "unknown_passkey"));
    assert!(!visitor.is_signed_in().await);
    let (visitor, answer) = show_second(world, alice).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "unknown_passkey"));
    assert!(!visitor.is_signed_in().await);
    let (visitor, _) = owner(world, &format!("bob{uses}")).await;
    let mut new = Authenticator::new();
    spoil(&mut new);
    let answer = add(&visitor, &mut new).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_passkey"));
    let listed = visitor.get("/auth/factors").await.json()["passkeys"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    (alice.origin, alice.framed, alice.answers_for, alice.verifies) = (origin, false, None, true);
    assert_eq!(sign_in(world, alice).await.1.status, 200);
}

#[tokio::test]
async fn an_answer_that_was_given_to_another_page_opens_nothing() {
    let world = world().await;
    let (_, mut alice) = owner(&world, "alice").await;
    for origin in
        ["http://localhost.evil.example", "http://localhost:8081", "https://localhost:8080"]
    {
        is_refused(&world, &mut alice, |authenticator| authenticator.origin = origin.to_owned())
            .await;
    }
    is_refused(&world, &mut alice, |authenticator| authenticator.framed = true).await;
}

#[tokio::test]
async fn an_answer_for_another_host_opens_nothing() {
    let world = world().await;
    let (_, mut alice) = owner(&world, "alice").await;
    is_refused(&world, &mut alice, |it| it.answers_for = Some("evil.example")).await;
}

#[tokio::test]
async fn an_answer_whose_owner_was_not_verified_opens_nothing() {
    let world = world().await;
    let (_, mut alice) = owner(&world, "alice").await;
    is_refused(&world, &mut alice, |authenticator| authenticator.verifies = false).await;
}

#[tokio::test]
async fn an_answer_to_another_challenge_opens_nothing() {
    let world = world().await;
    let (_, mut alice) = owner(&world, "alice").await;
    let (asked, other) = (world.visitor(), world.visitor());
    let credential = alice.get(&options(&asked, "/login/passkey").await);
    options(&other, "/login/passkey").await;
    let answer = json!({"credential": credential});
    assert_eq!(other.post(FINISH, answer.clone()).await.code(), "unknown_passkey");
    assert_eq!(asked.post(FINISH, answer).await.status, 200, "it was right for the other");
    let carol = world.member("carol").await;
    let mut new = Authenticator::new();
    let credential = new.create(&options(&carol, "/auth/passkeys/begin").await);
    options(&carol, "/auth/passkeys/begin").await;
    let answer = json!({"name": "key", "credential": credential});
    assert_eq!(carol.post("/auth/passkeys", answer).await.code(), "invalid_passkey");
}

#[tokio::test]
async fn an_answer_counts_once() {
    let world = world().await;
    let (_, mut alice) = owner(&world, "alice").await;
    let visitor = world.visitor();
    let credential = alice.get(&options(&visitor, "/login/passkey").await);
    let answer = json!({"credential": credential});
    assert_eq!(visitor.copy().post(FINISH, answer.clone()).await.status, 200);
    assert_eq!(visitor.post(FINISH, answer.clone()).await.code(), "no_exchange");
    options(&visitor, "/login/passkey").await;
    assert_eq!(visitor.post(FINISH, answer.clone()).await.code(), "unknown_passkey");
    assert_eq!(
        visitor.post(FINISH, answer.clone()).await.code(),
        "no_exchange",
        "refused once, too"
    );
    assert_eq!(world.visitor().post(FINISH, answer).await.code(), "no_exchange");
}

#[tokio::test]
async fn a_counter_that_does_not_go_up_opens_nothing() {
    let world = world().await;
    let (_, mut alice) = owner(&world, "alice").await;
    alice.uses = 9;
    assert_eq!(sign_in(&world, &mut alice).await.1.status, 200, "10");
    for before in [9, 4] {
        // It is counted up with each use.
        alice.uses = before;
        assert_eq!(sign_in(&world, &mut alice).await.1.code(), "unknown_passkey", "{before} + 1");
        alice.uses = before;
        assert_eq!(show_second(&world, &mut alice).await.1.code(), "unknown_passkey");
    }
    alice.uses = 10;
    assert_eq!(show_second(&world, &mut alice).await.1.status, 200, "11");
    let (alice, answer) = sign_in(&world, &mut alice).await;
    assert_eq!(answer.status, 200, "12");
    let log = alice.get("/auth/admin/audit?event=login&result=refused").await.json();
    let refused: Vec<&Value> =
        log["entries"].as_array().unwrap().iter().map(|e| &e["who"]).collect();
    assert_eq!(refused, ["alice"; 4], "{log}");
}

#[tokio::test]
async fn a_passkey_opens_the_account_that_has_it_and_no_other() {
    let world = world().await;
    let (_, alice) = owner(&world, "alice").await;
    let (_, mut bob) = owner(&world, "bob").await;
    assert_eq!(show_second(&world, &mut bob).await.1.code(), "unknown_passkey");
    let own = std::mem::replace(&mut bob.user, alice.user.clone());
    assert_eq!(sign_in(&world, &mut bob).await.1.code(), "unknown_passkey", "says it is alice's");
    bob.user = own;
    assert_eq!(sign_in(&world, &mut bob).await.1.json()["username"], "bob");
    let mut nobody = Authenticator::new();
    nobody.user = alice.user.clone();
    nobody.create(&options(&world.member("carol").await, "/auth/passkeys/begin").await);
    assert_eq!(sign_in(&world, &mut nobody).await.1.code(), "unknown_passkey", "it was never kept");
}

/// What a page sends that encodes the bytes itself, as all did before `toJSON` came.
fn by_hand(credential: &Value) -> Value {
    let mut credential = credential.clone();
    let fields = credential.as_object_mut().unwrap();
    fields.remove("authenticatorAttachment");
    fields.remove("clientExtensionResults");
    let response = fields["response"].as_object_mut().unwrap();
    for added in ["authenticatorData", "publicKey", "publicKeyAlgorithm", "transports"] {
        if response.contains_key("attestationObject") {
            response.remove(added);
        }
    }
    credential
}

#[tokio::test]
async fn a_page_may_send_what_to_json_gives_or_encode_the_bytes_itself() {
    let world = world().await;
    let (alice, mut key) = (world.member("alice").await, Authenticator::new());
    let credential = by_hand(&key.create(&options(&alice, "/auth/passkeys/begin").await));
    let added =
        alice.post("/auth/passkeys", json!({"name": "key", "credential": credential})).await;
    assert_eq!(added.status, 200, "{}", added.text);
    let visitor = world.visitor();
    let credential = by_hand(&key.get(&options(&visitor, "/login/passkey").await));
    let answer = visitor.post(FINISH, json!({"credential": credential})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // After the password the account is known, and authenticators may leave it out.
    for left_out in [true, false] {
        let visitor = world.visitor();
        assert_eq!(visitor.login("alice", PASSWORD).await.code(), "second_factor_needed");
        let mut credential = by_hand(&key.get(&options(&visitor, "/login/second/passkey").await));
        if left_out {
            credential["response"].as_object_mut().unwrap().remove("userHandle");
        } else {
            credential["response"]["userHandle"] = Value::Null;
        }
        let answer = visitor.post(FINISH_SECOND, json!({"credential": credential})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

async fn finish(visitor: &Visitor, credential: &Value) -> (u16, String) {
    let answer = visitor.post(FINISH, json!({"credential": credential})).await;
    (answer.status.as_u16(), answer.code())
}

#[tokio::test]
async fn what_is_no_answer_is_a_field_that_is_wrong() {
    let world = world().await;
    let (_, mut key) = owner(&world, "alice").await;
    let visitor = world.visitor();
    let credential = key.get(&options(&visitor, "/login/passkey").await);
    let without = |path: &str| {
        let mut credential = credential.clone();
        let (parent, field) = path.rsplit_once('/').unwrap();
        credential.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
        credential
    };
    let wrong = (400, "invalid_field".to_owned());
    for nonsense in [json!(null), json!("x"), json!([]), json!({}), json!({"id": "x"})] {
        assert_eq!(finish(&visitor, &nonsense).await, wrong, "{nonsense}");
    }
    for needed in [
        "/id",
        "/response",
        "/response/clientDataJSON",
        "/response/authenticatorData",
        "/response/signature",
        "/response/userHandle",
    ] {
        assert_eq!(finish(&visitor, &without(needed)).await, wrong, "{needed}");
    }
    for (field, value) in
        [("id", "AAAA"), ("id", "not base64url!"), ("rawId", "AAAA"), ("type", "password")]
    {
        let mut credential = credential.clone();
        credential[field] = value.into();
        assert_eq!(finish(&visitor, &credential).await, wrong, "{field} = {value}");
    }
    assert_eq!(finish(&visitor, &credential).await.0, 200, "none of that was an answer");
}

/// Each byte changed, and each beginning.
fn spoilt(bytes: &[u8]) -> Vec<Vec<u8>> {
    let changed = (0..bytes.len()).map(|at| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x11;
        bytes
    });
    changed.chain((0..bytes.len()).map(|end| bytes[..end].to_vec())).collect()
}

#[tokio::test]
async fn a_spoilt_answer_opens_nothing_and_the_server_goes_on() {
    let world = world().await;
    let (_, mut key) = owner(&world, "alice").await;
    let visitor = world.visitor();
    for field in ["authenticatorData", "clientDataJSON", "signature"] {
        let bytes = decode(&key.get(&options(&visitor, "/login/passkey").await)["response"][field]);
        for (at, _) in spoilt(&bytes).iter().enumerate() {
            // One address begins only so many.
            let ip = format!("192.0.2.{}", at % 200);
            let from = [("x-forwarded-for", ip.as_str())];
            let asked = visitor.post_with("/login/passkey", json!({}), &from).await;
            let mut credential = key.get(&asked.json()["options"]);
            let bytes = decode(&credential["response"][field]);
            // Signatures differ in length by a byte or two.
            let Some(bytes) = spoilt(&bytes).into_iter().nth(at) else { continue };
            credential["response"][field] = encode(&bytes).into();
            let (status, code) = finish(&visitor, &credential).await;
            assert!(matches!(status, 400 | 401), "{field}: {status} {code}");
        }
    }
    assert_eq!(sign_in(&world, &mut key).await.1.status, 200);
}

#[tokio::test]
async fn a_spoilt_new_passkey_is_refused_and_the_server_goes_on() {
    let world = World::with(|flags| {
        flags.public_origin = Some(ORIGIN.to_owned());
        flags.passkeys_per_account = 1_000;
    })
    .await;
    let alice = world.member("alice").await;
    let made = Authenticator::new().create(&options(&alice, "/auth/passkeys/begin").await);
    let length = decode(&made["response"]["attestationObject"]).len();
    let mut refused = 0;
    for at in 0..2 * length {
        let asked = options(&alice, "/auth/passkeys/begin").await;
        let mut credential = by_hand(&Authenticator::new().create(&asked));
        let bytes = decode(&credential["response"]["attestationObject"]);
        credential["response"]["attestationObject"] = encode(&spoilt(&bytes)[at]).into();
        let answer =
            alice.post("/auth/passkeys", json!({"name": "key", "credential": credential})).await;
        // Nothing signs it: the counter, the model, and some flags may be any.
        let kept = at < length && answer.status == 200;
        assert!(kept || answer.status == 400, "{at}: {}", answer.text);
        refused += usize::from(!kept);
    }
    assert!(refused > length + length / 2, "{refused} of {}", 2 * length);
}
