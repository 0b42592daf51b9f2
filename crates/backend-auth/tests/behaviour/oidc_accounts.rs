//! OpenID Connect: whose account it opens, who gets one, and how it is linked.

use backend_auth::config::RegistrationFlag;
use backend_auth::oidc::settings::RegisterFlag;
use serde_json::{Value, json};

use crate::authenticator::Authenticator;
use crate::passkeys;
use crate::provider::{Provider, assert_leads, go, link, pass, sign_in, there};
use crate::second_factors::enrol;
use crate::support::{OTHER_PASSWORD, PASSWORD, Visitor, World};

async fn linked(visitor: &Visitor) -> Value {
    visitor.get("/auth/factors").await.json()["linked"].clone()
}

async fn name_of(visitor: &Visitor) -> Value {
    visitor.get("/me").await.json()["username"].clone()
}

/// Makes the session of someone old enough to be asked again.
async fn age(world: &mut World, visitor: Visitor) -> Visitor {
    world.age_sign_ins(6 * 60).await;
    world.again(&visitor)
}

#[tokio::test]
async fn nobody_is_found_by_a_name() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    world.member("ada").await;
    let visitor = world.visitor();
    let claims = |claims: &mut Value| {
        claims["email"] = json!("ada@example.org");
        claims["email_verified"] = json!(true);
    };
    provider.desk().claims = Some(Box::new(claims));
    assert_leads(&sign_in(&visitor).await, "/login/name?username=ada");
    assert!(!visitor.is_signed_in().await, "the account of that name is somebody else's");
}

#[tokio::test]
async fn whose_name_is_taken_or_none_chooses_one() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    world.member("ada").await;
    let visitor = world.visitor();
    let answer = pass(&visitor, "/auth/oidc/login?next=%2F%3Fchannel%3Dx").await;
    assert_leads(&answer, "/login/name?username=ada&next=/%3Fchannel%3Dx");
    assert_eq!(visitor.get("/login/name").await.status, 200);
    let pending = visitor.copy();
    for (name, code) in
        [("ADA", "username_taken"), ("a b", "invalid_username"), ("", "invalid_username")]
    {
        let answer = visitor.post("/login/name", json!({"username": name})).await;
        assert_eq!(answer.code(), code);
    }
    let answer = visitor.post_form("/login/name", "username=Ada").await;
    assert_leads(&answer, "/login/name?error=username_taken&username=Ada&next=/%3Fchannel%3Dx");
    let answer = visitor.post_form("/login/name", "username=countess").await;
    assert_leads(&answer, "/?channel=x");
    assert_eq!(name_of(&visitor).await, "countess");
    assert_eq!(visitor.cookie("newcomer"), "");
    let answer = pending.post("/login/name", json!({"username": "second"})).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "sign_in_again"));
    for (number, name) in
        [json!(7), json!(""), json!("Ada Lovelace"), json!("ő")].into_iter().enumerate()
    {
        provider.is_visited_by(&format!("nameless-{number}"), "");
        provider.desk().username = name;
        let answer = sign_in(&world.visitor()).await;
        assert!(answer.header("location").starts_with("/login/name"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_name_is_chosen_only_by_who_was_at_the_provider() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let answer = world.visitor().post_form("/login/name", "username=mallory").await;
    assert_leads(&answer, "/login?error=sign_in_again");
    let half = world.visitor();
    half.set_cookie("newcomer", &"a".repeat(43));
    let answer = half.post("/login/name", json!({"username": "mallory"})).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "sign_in_again"));
    let cross = [("sec-fetch-site", "cross-site")];
    let answer = half.post_with("/login/name", json!({"username": "mallory"}), &cross).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "cross_site"));
}

#[tokio::test]
async fn one_person_gets_one_account_also_in_two_windows() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    world.member("ada").await;
    let (one, other) = (world.visitor(), world.visitor());
    for visitor in [&one, &other] {
        assert_leads(&sign_in(visitor).await, "/login/name?username=ada");
    }
    assert_eq!(one.post("/login/name", json!({"username": "first"})).await.status, 200);
    let answer = other.post("/login/name", json!({"username": "second"})).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "identity_taken"));
    assert!(!other.is_signed_in().await);
    assert_eq!(world.visitor().register("second", PASSWORD).await.status, 200, "nobody has it");
}

#[tokio::test]
async fn strangers_get_accounts_as_registration_says_or_as_was_said() {
    use RegistrationFlag::{Closed, Invite, Open};
    let provider = Provider::start().await;
    for (registration, register, gets_in) in [
        (Open, None, true),
        (Invite, None, false),
        (Closed, None, false),
        (Closed, Some(RegisterFlag::Yes), true),
        (Open, Some(RegisterFlag::No), false),
    ] {
        let change = |flags: &mut backend_auth::Flags| {
            flags.registration = registration;
            flags.oidc.oidc_register = register;
        };
        let world = provider.world_with(change).await;
        world.member("first").await;
        let visitor = world.visitor();
        let to = if gets_in { "/" } else { "/login?error=oidc_no_account" };
        assert_leads(&sign_in(&visitor).await, to);
        assert_eq!(visitor.is_signed_in().await, gets_in, "{registration:?} {register:?}");
        let told = visitor.get("/auth/info").await.json()["oidc"]["register"].clone();
        assert_eq!(told, gets_in);
        world.server.shutdown().await;
    }
}

#[tokio::test]
async fn the_first_account_administers_unless_the_provider_s_people_get_none() {
    let provider = Provider::start().await;
    let closed = provider.world_with(|flags| flags.registration = RegistrationFlag::Closed).await;
    let visitor = closed.visitor();
    assert_leads(&sign_in(&visitor).await, "/");
    assert_eq!(visitor.get("/me").await.json()["roles"], json!(["admin"]));
    provider.is_visited_by("another", "bob");
    assert_leads(&sign_in(&closed.visitor()).await, "/login?error=oidc_no_account");
    let never =
        provider.world_with(|flags| flags.oidc.oidc_register = Some(RegisterFlag::No)).await;
    assert_leads(&sign_in(&never.visitor()).await, "/login?error=oidc_no_account");
}

#[tokio::test]
async fn a_choice_of_name_is_refused_once_nobody_gets_an_account_any_more() {
    let provider = Provider::start().await;
    let change = |flags: &mut backend_auth::Flags| flags.registration = RegistrationFlag::Closed;
    let world = provider.world_with(change).await;
    provider.desk().username = json!("not a name");
    let visitor = world.visitor();
    assert_leads(&sign_in(&visitor).await, "/login/name?username=not%20a%20name");
    world.member("first").await;
    let answer = visitor.post("/login/name", json!({"username": "late"})).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "oidc_no_account"));
}

#[tokio::test]
async fn a_disabled_account_is_refused() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let admin = world.member("root").await;
    let ada = world.visitor();
    assert_leads(&sign_in(&ada).await, "/");
    let id = ada.get("/me").await.json()["user_id"].clone();
    let page = go(&ada, "/auth/oidc/login").await;
    let about = json!({"user_id": id});
    assert_eq!(admin.post("/auth/admin/users/disable", about.clone()).await.status, 200);
    assert!(!ada.is_signed_in().await);
    assert_leads(&ada.get(&there(&page).await).await, "/login?error=oidc_no_account");
    assert_leads(&sign_in(&world.visitor()).await, "/login?error=oidc_no_account");
    assert_eq!(admin.post("/auth/admin/users/enable", about).await.status, 200);
    assert_leads(&sign_in(&world.visitor()).await, "/");
}

#[tokio::test]
async fn a_second_factor_is_still_asked_for() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let ada = world.visitor();
    assert_leads(&sign_in(&ada).await, "/");
    let (app, codes) = enrol(&ada).await;
    let visitor = world.visitor();
    let answer = pass(&visitor, "/auth/oidc/login?next=%2Fx").await;
    assert_leads(&answer, "/login/code?factors=totp%20recovery_code&next=/x");
    assert!(!visitor.is_signed_in().await);
    let entered = visitor.post_form("/login/code", &format!("code={}", app.code(1))).await;
    assert_leads(&entered, "/x");
    assert!(visitor.is_signed_in().await);
    let half = world.visitor();
    sign_in(&half).await;
    let id = linked(&ada).await[0]["id"].clone();
    let set = json!({"new_password": PASSWORD});
    assert_eq!(ada.post("/password", set).await.status, 200);
    assert_eq!(ada.post("/auth/oidc/unlink", json!({"id": id})).await.status, 200);
    let code = json!({"code": codes[0]});
    assert_eq!(half.post("/login/code", code).await.code(), "sign_in_again", "it was unlinked");
}

#[tokio::test]
async fn an_account_without_a_password_is_told_apart_from_others_by_nothing() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    world.member("bob").await;
    assert_leads(&sign_in(&world.visitor()).await, "/");
    let visitor = world.visitor();
    let mut answers = Vec::new();
    for (name, password) in
        [("ada", ""), ("ada", PASSWORD), ("bob", OTHER_PASSWORD), ("nobody", PASSWORD)]
    {
        let answer = visitor.login(name, password).await;
        answers.push((answer.status, answer.text));
    }
    assert_eq!(answers[0].0, 401);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn an_account_without_a_password_sets_one_after_a_recent_sign_in() {
    let provider = Provider::start().await;
    let mut world = provider.world().await;
    let ada = world.visitor();
    assert_leads(&sign_in(&ada).await, "/");
    assert_eq!(ada.get("/auth/factors").await.json()["password"], false);
    let set = |new: &str| json!({"new_password": new});
    let ada = age(&mut world, ada).await;
    let answer = ada.post("/password", set(PASSWORD)).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "reauth_required"));
    let guessed = json!({"current_password": PASSWORD, "new_password": OTHER_PASSWORD});
    assert_eq!(ada.post("/password", guessed).await.code(), "wrong_password");
    assert_leads(&pass(&ada, "/auth/oidc/login?again=true").await, "/account");
    assert_eq!(ada.post("/password", set("short")).await.code(), "password_too_short");
    assert_eq!(ada.post("/password", set(PASSWORD)).await.status, 200);
    assert_eq!(world.visitor().login("ada", PASSWORD).await.status, 200);
    assert_eq!(ada.get("/auth/factors").await.json()["password"], true);
    let answer = ada.post("/password", set(OTHER_PASSWORD)).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "wrong_password"));
}

#[tokio::test]
async fn what_asks_for_a_recent_sign_in_takes_one_at_the_provider() {
    let provider = Provider::start().await;
    let mut world = provider.world().await;
    let ada = world.visitor();
    assert_leads(&sign_in(&ada).await, "/");
    let ada = age(&mut world, ada).await;
    assert_eq!(ada.post("/auth/totp", json!({})).await.code(), "reauth_required");
    let before = ada.copy();
    let answer = pass(&ada, "/auth/oidc/login?again=true&next=%2Fadmin").await;
    assert_leads(&answer, "/admin");
    {
        let desk = provider.desk();
        let asked = desk.visits.last().unwrap();
        assert_eq!((asked["prompt"].as_str(), asked["max_age"].as_str()), ("login", "0"));
    }
    assert!(!before.is_signed_in().await, "the session has a new token");
    assert_eq!(ada.post("/auth/totp", json!({})).await.status, 200);
}

#[tokio::test]
async fn a_provider_that_does_not_ask_again_shows_nothing() {
    let provider = Provider::start().await;
    let mut world = provider.world().await;
    let ada = world.visitor();
    assert_leads(&sign_in(&ada).await, "/");
    let ada = age(&mut world, ada).await;
    let long_ago = |claims: &mut Value| {
        claims["auth_time"] = json!(claims["iat"].as_i64().unwrap() - 3600);
    };
    let untold = |claims: &mut Value| drop(claims.as_object_mut().unwrap().remove("auth_time"));
    provider.desk().claims = Some(Box::new(long_ago));
    let again = "/auth/oidc/login?again=true";
    assert_leads(&pass(&ada, again).await, "/account?error=oidc_not_fresh");
    provider.desk().claims = Some(Box::new(untold));
    assert_leads(&pass(&ada, again).await, "/account?error=oidc_not_fresh");
    assert_eq!(ada.post("/auth/totp", json!({})).await.code(), "reauth_required");
    // Nor does an ordinary sign-in count as recent then: whoever sits before an unlocked screen gets through it.
    let visitor = world.visitor();
    assert_leads(&sign_in(&visitor).await, "/");
    assert_eq!(visitor.post("/auth/totp", json!({})).await.code(), "reauth_required");
    provider.desk().claims = None;
    provider.is_visited_by("another", "bob");
    assert_leads(&pass(&ada, again).await, "/account?error=oidc_other_person");
    assert_eq!(ada.post("/auth/totp", json!({})).await.code(), "reauth_required");
    let stranger = world.visitor().get(again).await;
    assert_leads(&stranger, "/login?error=unauthenticated");
}

#[tokio::test]
async fn an_account_is_linked_after_a_recent_sign_in_and_then_opened_by_both() {
    let provider = Provider::start().await;
    let mut world = provider.world().await;
    let bob = world.member("bob").await;
    let phone = world.visitor();
    phone.login("bob", PASSWORD).await;
    let bob = age(&mut world, bob).await;
    assert_eq!(bob.post("/auth/oidc/link", json!({})).await.code(), "reauth_required");
    assert_eq!(bob.post("/auth/reauth", json!({"password": PASSWORD})).await.status, 200);
    let before = bob.copy();
    assert_leads(&link(&bob).await, "/account");
    assert!(bob.is_signed_in().await && !before.is_signed_in().await);
    assert!(world.again(&phone).is_signed_in().await, "nothing got weaker for others");
    assert_eq!(linked(&bob).await[0]["name"], "ada");
    let visitor = world.visitor();
    assert_leads(&sign_in(&visitor).await, "/");
    assert_eq!(name_of(&visitor).await, "bob");
    assert_eq!(world.visitor().login("bob", PASSWORD).await.status, 200);
    assert_leads(&link(&bob).await, "/account?error=identity_exists");
    provider.is_visited_by("another", "someone");
    assert_leads(&link(&bob).await, "/account?error=identity_exists");
}

#[tokio::test]
async fn an_identity_belongs_to_one_account() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    assert_leads(&sign_in(&world.visitor()).await, "/");
    let bob = world.member("bob").await;
    assert_leads(&link(&bob).await, "/account?error=identity_taken");
    assert_eq!(linked(&bob).await, json!([]));
}

#[tokio::test]
async fn a_link_is_made_in_the_account_that_asked_for_it() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let browser = world.member("bob").await;
    let begun = browser.post("/auth/oidc/link", json!({})).await.json();
    let page = begun["location"].as_str().unwrap();
    assert_eq!(browser.register("carol", PASSWORD).await.status, 200, "in the same browser");
    let answer = browser.get(&there(page).await).await;
    assert_leads(&answer, "/account?error=unauthenticated");
    assert_eq!(linked(&browser).await, json!([]));
    let begun = browser.post("/auth/oidc/link", json!({})).await.json();
    let page = begun["location"].as_str().unwrap().to_owned();
    browser.post("/logout", json!({})).await;
    assert_leads(&browser.get(&there(&page).await).await, "/account?error=unauthenticated");
    let cross = [("sec-fetch-site", "cross-site")];
    let answer = world.member("dave").await.post_with("/auth/oidc/link", json!({}), &cross).await;
    assert_eq!(answer.code(), "cross_site");
}

#[tokio::test]
async fn an_account_is_unlinked_when_another_way_in_is_left() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let ada = world.visitor();
    assert_leads(&sign_in(&ada).await, "/");
    let id = json!({"id": linked(&ada).await[0]["id"]});
    let answer = ada.post("/auth/oidc/unlink", id.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "last_way_in"));
    assert_eq!(ada.post("/auth/oidc/unlink", json!({"id": "x"})).await.code(), "unknown_link");
    assert_eq!(ada.post("/password", json!({"new_password": PASSWORD})).await.status, 200);
    let phone = world.visitor();
    assert_leads(&sign_in(&phone).await, "/");
    let bob = world.member("bob").await;
    assert_eq!(bob.post("/auth/oidc/unlink", id.clone()).await.code(), "unknown_link");
    assert_eq!(ada.post("/auth/oidc/unlink", id).await.status, 200);
    assert!(ada.is_signed_in().await && !phone.is_signed_in().await);
    provider.desk().username = json!("newcomer");
    let visitor = world.visitor();
    assert_leads(&sign_in(&visitor).await, "/");
    assert_eq!(name_of(&visitor).await, "newcomer", "the person is new here");
}

#[tokio::test]
async fn with_a_passkey_the_link_may_go_and_then_the_passkey_may_not() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let (ada, mut authenticator) = (world.visitor(), Authenticator::new());
    assert_leads(&sign_in(&ada).await, "/");
    let added = passkeys::add(&ada, &mut authenticator).await;
    assert_eq!(added.status, 200, "{}", added.text);
    let id = json!({"id": linked(&ada).await[0]["id"]});
    assert_eq!(ada.post("/auth/oidc/unlink", id).await.status, 200);
    let passkey = ada.get("/auth/factors").await.json()["passkeys"][0]["id"].clone();
    let passkey = json!({"id": passkey});
    let answer = ada.post("/auth/passkeys/remove", passkey.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "last_way_in"));
    let (visitor, answer) = passkeys::sign_in(&world, &mut authenticator).await;
    assert_eq!(answer.status, 200);
    assert_eq!(visitor.post("/password", json!({"new_password": PASSWORD})).await.status, 200);
    assert_eq!(visitor.post("/auth/passkeys/remove", passkey).await.status, 200);
}

#[tokio::test]
async fn an_administrator_sees_links_and_takes_them_away() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let admin = world.member("root").await;
    let ada = world.visitor();
    assert_leads(&sign_in(&ada).await, "/");
    let users = admin.get("/auth/admin/users").await.json()["users"].clone();
    let told: Vec<_> = users.as_array().unwrap().iter().map(|user| &user["linked"]).collect();
    assert_eq!(told, [&json!(true), &json!(false)]);
    let about = json!({"user_id": users[0]["user_id"]});
    assert_eq!(ada.post("/auth/admin/users/unlink", about.clone()).await.code(), "not_an_admin");
    let answer = admin.post("/auth/admin/users/unlink", about.clone()).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["ended_sessions"]), (200, &json!(1)));
    assert!(!ada.is_signed_in().await);
    assert_leads(&sign_in(&world.visitor()).await, "/login/name?username=ada");
    let reset = admin.post("/auth/admin/users/reset-link", about).await;
    assert_eq!(reset.status, 200, "its owner chooses a password then: {}", reset.text);
}

#[tokio::test]
async fn the_only_administrator_keeps_a_way_in() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let (ada, mut authenticator) = (world.visitor(), Authenticator::new());
    assert_leads(&sign_in(&ada).await, "/");
    let about = json!({"user_id": ada.get("/me").await.json()["user_id"]});
    let answer = ada.post("/auth/admin/users/unlink", about.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "last_admin"));
    assert_eq!(passkeys::add(&ada, &mut authenticator).await.status, 200);
    assert_eq!(ada.post("/auth/admin/users/unlink", about.clone()).await.status, 200);
    let (ada, answer) = passkeys::sign_in(&world, &mut authenticator).await;
    assert_eq!(answer.status, 200);
    let answer = ada.post("/auth/admin/users/remove-factors", about.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "last_admin"));
    assert_eq!(ada.post("/password", json!({"new_password": PASSWORD})).await.status, 200);
    assert_eq!(ada.post("/auth/admin/users/remove-factors", about).await.status, 200);
}

#[tokio::test]
async fn links_are_in_the_database_and_go_with_the_account() {
    let provider = Provider::start().await;
    let mut world = provider.world().await;
    let admin = world.member("root").await;
    assert_leads(&sign_in(&world.visitor()).await, "/");
    world.change_database(|_| ()).await;
    let ada = world.visitor();
    assert_leads(&sign_in(&ada).await, "/");
    assert_eq!(name_of(&ada).await, "ada", "after a restart too");
    let admin = world.again(&admin);
    let about = json!({"user_id": ada.get("/me").await.json()["user_id"]});
    assert_eq!(admin.post("/auth/admin/users/delete", about).await.status, 200);
    let answer = sign_in(&world.visitor()).await;
    assert_leads(&answer, "/login/name?username=ada");
}

#[tokio::test]
async fn another_provider_s_people_are_others() {
    let (one, other) = (Provider::start().await, Provider::start().await);
    let world = one.world().await;
    let ada = world.visitor();
    assert_leads(&sign_in(&ada).await, "/");
    let db = rusqlite::Connection::open(world.database()).unwrap();
    db.execute("UPDATE linked SET issuer = ?", [&other.issuer]).unwrap();
    assert_eq!(linked(&ada).await[0]["current"], false);
    let visitor = world.visitor();
    assert_leads(&sign_in(&visitor).await, "/login/name?username=ada");
    let answer = visitor.post("/login/name", json!({"username": "namesake"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn an_administrator_who_can_not_get_in_does_not_stand_for_one_who_can() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let (root, ada) = (world.member("root").await, world.visitor());
    let root_id = root.get("/me").await.json()["user_id"].clone();
    assert_leads(&sign_in(&ada).await, "/");
    let ada_id = ada.get("/me").await.json()["user_id"].clone();
    let promote = json!({"user_id": ada_id, "role": "admin"});
    assert_eq!(root.post("/auth/admin/users/role", promote).await.status, 200);
    let unlink = json!({"user_id": ada_id});
    assert_eq!(root.post("/auth/admin/users/unlink", unlink).await.status, 200);
    let demote = json!({"user_id": root_id, "role": "member"});
    for call in ["role", "disable", "delete"] {
        let answer = root.post(&format!("/auth/admin/users/{call}"), demote.clone()).await;
        let told = (answer.status.as_u16(), answer.code());
        assert_eq!(told, (409, "last_admin".to_owned()), "{call}");
    }
    assert!(root.is_signed_in().await);
}

#[tokio::test]
async fn a_reset_link_takes_the_account_from_whoever_linked_it_with_themselves() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let (root, carol) = (world.member("root").await, world.member("carol").await);
    // Someone who found her browser open.
    assert_leads(&link(&carol).await, "/account");
    assert_leads(&sign_in(&world.visitor()).await, "/");
    let about = json!({"user_id": carol.get("/me").await.json()["user_id"]});
    let made = root.post("/auth/admin/users/reset-link", about).await.json();
    let reset = json!({"code": made["code"], "new_password": OTHER_PASSWORD});
    assert_eq!(world.visitor().post("/reset", reset).await.status, 200);
    let thief = world.visitor();
    sign_in(&thief).await;
    assert_ne!(name_of(&thief).await, "carol");
    let owner = world.visitor();
    assert_eq!(owner.login("carol", OTHER_PASSWORD).await.status, 200);
    assert_eq!(linked(&owner).await, json!([]));
}

#[tokio::test]
async fn a_second_factor_does_not_make_an_old_sign_in_recent() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let ada = world.visitor();
    assert_leads(&sign_in(&ada).await, "/");
    let (_, codes) = enrol(&ada).await;
    let hours_ago = |claims: &mut Value| {
        claims["auth_time"] = json!(claims["iat"].as_i64().unwrap() - 2 * 3600);
    };
    for (code, change) in [(0, true), (1, false)] {
        provider.desk().claims = if change { Some(Box::new(hours_ago)) } else { None };
        let visitor = world.visitor();
        sign_in(&visitor).await;
        let entered = visitor.post("/login/code", json!({"code": codes[code]})).await;
        assert_eq!(entered.status, 200, "{}", entered.text);
        let answer = visitor.post("/auth/recovery-codes", json!({})).await;
        let told = if change { "reauth_required" } else { "" };
        assert_eq!(answer.code(), told, "{}", answer.text);
    }
}
