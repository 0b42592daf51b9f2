//! Other sites can't make a browser act here.

use serde_json::json;

use crate::support::{PASSWORD, World};

#[tokio::test]
async fn a_cross_site_post_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let alice = world.member("alice").await;
    let foreign: [&[(&str, &str)]; 4] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
    ];
    for headers in foreign {
        for (path, body) in [
            ("/login", json!({"username": "alice", "password": PASSWORD})),
            ("/register", json!({"username": "mallory", "password": PASSWORD})),
            ("/logout", json!({})),
            ("/password", json!({"current_password": PASSWORD, "new_password": "nine trombones"})),
            ("/token", json!({})),
            ("/invites", json!({})),
        ] {
            let answer = alice.post_with(path, body, headers).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (403, "cross_site"),
                "{path} {headers:?}"
            );
            assert!(answer.cookie_lines().is_empty());
        }
    }
    assert!(alice.is_signed_in().await);
    assert_eq!(world.visitor().login("mallory", PASSWORD).await.status, 401);
}

#[tokio::test]
async fn our_own_page_and_clients_that_are_no_browser_are_let_in() {
    let world = World::new().await;
    let own = format!("http://{}", world.server.addr());
    let good: [&[(&str, &str)]; 4] = [
        &[],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("origin", &own)],
    ];
    for (number, headers) in good.into_iter().enumerate() {
        let body = json!({"username": format!("user{number}"), "password": PASSWORD});
        assert_eq!(world.visitor().post_with("/register", body, headers).await.status, 200);
    }
}

#[tokio::test]
async fn the_public_origin_is_ours_whatever_host_the_proxy_asks_for() {
    let world =
        World::with(|flags| flags.public_origin = Some("https://chat.example.org".into())).await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let origin = [("origin", "https://chat.example.org")];
    assert_eq!(world.visitor().post_with("/register", body, &origin).await.status, 200);
}

#[tokio::test]
async fn after_login_nobody_is_sent_to_another_site() {
    let world = World::new().await;
    world.member("alice").await;
    for next in
        ["//evil", "/\\evil", "https://evil", "/%0d%0aSet-Cookie:x=y", "%2F%2Fevil", "/%09/evil"]
    {
        let encoded: String = next.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let form = format!("username=alice&password=seven+violins+at+dusk&next={encoded}");
        let answer = world.visitor().post_form("/login", &form).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/"), "{next}");
        let form = "username=alice&password=seven+violins+at+dusk";
        let answer = world.visitor().post_form(&format!("/login?next={encoded}"), form).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/"), "{next}");
    }
}
