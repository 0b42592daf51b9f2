//! Making an account, its password, signing in.

use backend_auth::config::RegistrationFlag;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{OTHER_PASSWORD, PASSWORD, Visitor, World, flags, folder, start};

#[tokio::test]
async fn registering_signs_in_and_the_first_account_administers() {
    let world = World::new().await;
    let ada = world.visitor();
    assert_eq!(ada.get("/auth/info").await.json()["first_run"], true);
    let answer = ada.register("Ada", PASSWORD).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["status"], "success");
    assert_eq!(answer.json()["username"], "Ada");
    assert_eq!(answer.json()["roles"], json!(["admin"]));
    assert!(!answer.text.contains(&ada.cookie("session")), "the token is in the cookie only");
    assert_eq!(ada.get("/me").await.json()["username"], "Ada");
    assert_eq!(ada.get("/auth/info").await.json()["first_run"], false);
    let bob = world.member("bob").await;
    assert_eq!(bob.get("/me").await.json()["roles"], json!(["member"]));
}

#[tokio::test]
async fn of_many_first_registrations_at_once_exactly_one_administers() {
    let world = World::with(|flags| flags.registration = RegistrationFlag::Closed).await;
    let visitors: Vec<Visitor> = (0..20).map(|_| world.visitor()).collect();
    let names: Vec<String> = (0..20).map(|number| format!("user{number}")).collect();
    let answers = join_all(
        visitors.iter().zip(&names).map(|(visitor, name)| visitor.register(name, PASSWORD)),
    )
    .await;
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(made.len(), 1, "the others find registration closed");
    assert_eq!(made[0].json()["roles"], json!(["admin"]));
    assert!(answers.iter().filter(|a| a.status != 200).all(|a| a.code() == "registration_closed"));
}

#[tokio::test]
async fn one_of_many_gets_a_name_whatever_its_case() {
    let world = World::new().await;
    let visitors: Vec<Visitor> = (0..10).map(|_| world.visitor()).collect();
    let names =
        ["Alice", "alice", "ALICE", "aLICE", "alICE", "aliCE", "alicE", "ALice", "ALIce", "ALICe"];
    let answers = join_all(
        visitors.iter().zip(names).map(|(visitor, name)| visitor.register(name, PASSWORD)),
    )
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(
        answers
            .iter()
            .filter(|a| a.status != 200)
            .all(|a| a.status == 409 && a.code() == "username_taken")
    );
    assert_eq!(world.visitor().login("aLiCe", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_short_password_is_refused() {
    let world = World::new().await;
    let answer = world.visitor().register("alice", "sev3n!!").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "password_too_short"));
    assert!(answer.json()["message"].as_str().unwrap().contains("12"));
}

#[tokio::test]
async fn a_long_passphrase_with_spaces_and_emoji_works() {
    let world = World::new().await;
    let phrase = "mèo 🐈 con uống trà sữa, và 🦀 chơi vĩ cầm lúc hoàng hôn bên bờ hồ";
    assert!(phrase.chars().count() >= 64);
    assert_eq!(world.visitor().register("alice", phrase).await.status, 200);
    assert_eq!(world.visitor().login("alice", phrase).await.status, 200);
    let form = world.visitor();
    let encoded: String = phrase.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let answer = form.post_form("/login", &format!("username=alice&password={encoded}")).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/"));
    assert!(form.is_signed_in().await);
}

#[tokio::test]
async fn a_trailing_space_belongs_to_the_password() {
    let world = World::new().await;
    let with_space = format!("{PASSWORD} ");
    assert_eq!(world.visitor().register("alice", &with_space).await.status, 200);
    assert_eq!(world.visitor().login("alice", PASSWORD).await.status, 401);
    assert_eq!(world.visitor().login("alice", &with_space).await.status, 200);
}

#[tokio::test]
async fn lower_case_letters_alone_are_fine() {
    let world = World::new().await;
    assert_eq!(world.visitor().register("alice", "violinsandtrombonesx").await.status, 200);
}

#[tokio::test]
async fn a_password_is_changed_only_by_who_knows_the_current_one() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    for current in ["", "wrong", OTHER_PASSWORD] {
        let change = json!({"current_password": current, "new_password": OTHER_PASSWORD});
        let answer = alice.post("/password", change).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "wrong_password"));
    }
    let missing = json!({"new_password": OTHER_PASSWORD});
    let null = json!({"current_password": null, "new_password": OTHER_PASSWORD});
    for answer in [alice.post("/password", missing).await, alice.post("/password", null).await] {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "wrong_password"));
        assert!(answer.text.contains("current_password is missing"), "{}", answer.text);
    }
    for form in ["", "&current_password=", "&current_password=wrong"] {
        let form = format!("new_password=nine+trombones+by+dawn{form}");
        assert_eq!(alice.post_form("/password", &form).await.status, 403, "{form}");
    }
    let stranger = json!({"current_password": PASSWORD, "new_password": OTHER_PASSWORD});
    assert_eq!(world.visitor().post("/password", stranger).await.status, 401);
    assert_eq!(world.visitor().login("alice", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_hash_with_old_parameters_is_renewed_at_login() {
    let folder = folder();
    let server = start(flags(folder.path())).await;
    assert_eq!(Visitor::of(&server).register("alice", PASSWORD).await.status, 200);
    server.shutdown().await;
    let mut stronger = flags(folder.path());
    stronger.hash_passes = 3;
    let server = start(stronger).await;
    let stored = || {
        let db = rusqlite::Connection::open(folder.path().join("data/auth.db")).unwrap();
        db.query_row("SELECT password FROM accounts", [], |row| row.get::<_, String>(0)).unwrap()
    };
    assert_eq!(Visitor::of(&server).login("alice", OTHER_PASSWORD).await.status, 401);
    assert!(stored().contains("t=1"), "not for a wrong password");
    assert_eq!(Visitor::of(&server).login("alice", PASSWORD).await.status, 200);
    assert!(stored().contains("t=3"));
    assert_eq!(Visitor::of(&server).login("alice", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_bad_name_is_explained() {
    let world = World::new().await;
    for name in ["", "al ice", "álice", &"a".repeat(65)] {
        let answer = world.visitor().register(name, PASSWORD).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "invalid_username"),
            "{name:?}"
        );
    }
}

#[tokio::test]
async fn forms_work_without_javascript() {
    let world = World::new().await;
    let alice = world.visitor();
    let made = alice
        .post_form(
            "/register",
            "username=alice&password=seven+violins+at+dusk&next=%2Fchat_client.html&invite=",
        )
        .await;
    assert_eq!((made.status.as_u16(), made.header("location")), (303, "/chat_client.html"));
    assert!(alice.is_signed_in().await);
    let failed =
        world.visitor().post_form("/login", "username=alice+%26+co&password=x&next=/%3Fa=b").await;
    assert_eq!(failed.status, 303);
    assert_eq!(
        failed.header("location"),
        "/login?error=wrong_credentials&username=alice%20%26%20co&next=/%3Fa%3Db"
    );
    assert!(failed.cookie_lines().is_empty());
    let page = world.visitor().get(failed.header("location")).await;
    assert!(
        page.text.contains("<p id=\"error\">There is no account with this name and password.</p>")
    );
    let json =
        [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
    let asked = world
        .visitor()
        .send(reqwest::Method::POST, "/login", &json, Some("username=a&password=b".into()))
        .await;
    assert_eq!((asked.status.as_u16(), asked.code().as_str()), (401, "wrong_credentials"));
}

#[tokio::test]
async fn a_page_learns_how_good_a_password_would_be_while_it_is_typed() {
    let world = World::new().await;
    let ask = |password: &'static str| {
        let visitor = world.visitor();
        async move {
            let body = json!({"password": password, "username": "wilhelmina"});
            visitor.post("/auth/password/strength", body).await.json()
        }
    };
    let good = ask(PASSWORD).await;
    assert_eq!((&good["acceptable"], &good["score"]), (&json!(true), &json!(4)), "{good}");
    for (password, code) in [
        ("short", "password_too_short"),
        ("qwertyuiop12", "password_too_common"),
        ("wilhelmina123", "password_too_common"),
    ] {
        let answer = ask(password).await;
        assert_eq!((&answer["acceptable"], &answer["code"]), (&json!(false), &json!(code)));
        assert!(answer["score"].as_u64() < Some(3));
    }
    // Many at once, so that they come faster than more are allowed, however busy the machine is.
    let visitor = world.visitor();
    let mut refused = false;
    for _ in 0..100 {
        let asks =
            (0..100).map(|_| visitor.post("/auth/password/strength", json!({"password": "x"})));
        let answers = futures_util::future::join_all(asks).await;
        refused |= answers.iter().any(|answer| answer.status.as_u16() == 429);
        if refused {
            break;
        }
    }
    assert!(refused, "nobody keeps the server busy with it");
}
