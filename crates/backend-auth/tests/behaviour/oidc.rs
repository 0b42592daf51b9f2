//! OpenID Connect: how someone gets to the provider and back.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::provider::{CLIENT, Provider, SECRET, assert_leads, go, pass, sign_in, there};
use crate::support::World;

fn claims(answer: &crate::support::Answer) -> Value {
    let claims = answer.header("x-chat-identity").split('.').nth(1).unwrap().to_owned();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn someone_whom_the_provider_knows_gets_an_account_and_the_same_one_later() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let first = world.visitor();
    assert_leads(&sign_in(&first).await, "/");
    let me = first.get("/me").await.json();
    assert_eq!((&me["username"], &me["roles"]), (&json!("ada"), &json!(["admin"])));
    assert_eq!(first.cookie("oidc"), "", "the sign-in is over");
    let identity = claims(&first.get("/auth/verify").await);
    assert_eq!(identity["amr"], json!(["oidc"]));
    // Whatever the provider calls the person by then.
    provider.desk().username = json!("countess");
    let later = world.visitor();
    assert_leads(&sign_in(&later).await, "/");
    assert_eq!(later.get("/me").await.json(), me);
    let log = later.get("/auth/admin/audit?result=success").await.json();
    let told = |n: usize| (log["entries"][n]["event"].clone(), log["entries"][n]["detail"].clone());
    assert_eq!(told(0), (json!("login"), json!("openid connect")));
    assert_eq!(told(1), (json!("register"), json!("openid connect")));
    let linked = later.get("/auth/factors").await.json()["linked"][0].clone();
    assert_eq!((&linked["name"], &linked["current"]), (&json!("ada"), &json!(true)));
    assert!(linked["last_used"].is_string() && linked["issuer"] == provider.issuer.as_str());
}

#[tokio::test]
async fn the_provider_is_asked_with_state_nonce_and_a_challenge_and_the_exact_address() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let visitor = world.visitor();
    let answer = visitor.get("/auth/oidc/login").await;
    let cookies = answer.cookie_lines();
    assert_eq!(cookies.len(), 1);
    assert!(cookies[0].starts_with("oidc="), "{cookies:?}");
    assert!(cookies[0].ends_with("; HttpOnly; SameSite=Lax; Path=/; Max-Age=600"), "{cookies:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_leads(&visitor.get(&there(answer.header("location")).await).await, "/");
    sign_in(&visitor).await;
    let desk = provider.desk();
    let [asked, later] = desk.visits.as_slice() else { panic!("{:?}", desk.visits) };
    assert_eq!(asked["redirect_uri"], "http://localhost:8080/auth/oidc/callback");
    assert_eq!(asked["scope"], "openid profile");
    assert!(!asked.contains_key("prompt") && !asked.contains_key("max_age"));
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(asked[name].len(), 43, "256 bits");
        assert_ne!(asked[name], later[name], "{name} is another each time");
    }
    let exchange = &desk.exchanges[0];
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(exchange["code_verifier"].as_bytes()));
    assert_eq!(challenge, asked["code_challenge"]);
    assert!(exchange["authorization"].starts_with("Basic "));
    assert!(!exchange.contains_key("client_secret"));
}

#[tokio::test]
async fn with_https_the_cookie_is_bound_to_this_host() {
    let provider = Provider::start().await;
    let world = provider
        .world_with(|flags| flags.public_origin = Some("https://chat.example.org".to_owned()))
        .await;
    let answer = world.visitor().get("/auth/oidc/login").await;
    let cookie = answer.cookie_lines()[0].to_owned();
    assert!(cookie.starts_with("__Host-oidc=") && cookie.contains("; Secure; Path=/"), "{cookie}");
    let page = answer.header("location");
    assert!(
        page.contains("redirect_uri=https%3A%2F%2Fchat.example.org%2Fauth%2Foidc%2Fcallback&"),
        "{page}"
    );
}

#[tokio::test]
async fn a_provider_over_https_is_believed_by_its_certificate() {
    let (provider, certificate) = Provider::start_secure().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), certificate).unwrap();
    let world =
        provider.world_with(|flags| flags.oidc.oidc_ca_file = Some(file.path().to_owned())).await;
    let visitor = world.visitor();
    let page = go(&visitor, "/auth/oidc/login").await;
    assert!(page.starts_with("https://localhost:"), "{page}");
    assert_leads(&visitor.get(&provider.let_in(&page)).await, "/");
    assert_eq!((provider.asked("/token"), provider.asked("/keys")), (1, 1));
    // One that nobody vouches for is not believed, nor is what it says of itself.
    let (stranger, _) = Provider::start_secure().await;
    let world =
        stranger.world_with(|flags| flags.oidc.oidc_ca_file = Some(file.path().to_owned())).await;
    let answer = world.visitor().get("/auth/oidc/login").await;
    assert_leads(&answer, "/login?error=oidc_unavailable");
    assert_eq!(stranger.asked("/.well-known/openid-configuration"), 0);
}

#[tokio::test]
async fn the_secret_goes_the_way_that_the_provider_takes() {
    let provider = Provider::start().await;
    let supported = "token_endpoint_auth_methods_supported";
    provider.desk().about = json!({supported: ["client_secret_post"]});
    let world = provider.world().await;
    assert_leads(&sign_in(&world.visitor()).await, "/");
    let form = provider.desk().exchanges[0].clone();
    assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), (CLIENT, SECRET));
    assert!(!form.contains_key("authorization"));
}

#[tokio::test]
async fn a_public_client_has_no_secret() {
    let provider = Provider::start().await;
    provider.desk().secret = None;
    let world = provider.world_with(|flags| flags.oidc.oidc_client_secret = None).await;
    assert_leads(&sign_in(&world.visitor()).await, "/");
    let form = provider.desk().exchanges[0].clone();
    assert!(!form.contains_key("client_secret") && !form.contains_key("authorization"));
}

#[tokio::test]
async fn the_way_back_is_kept_and_leads_to_no_other_site() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    for (next, to) in [
        ("%2F%3Fchannel%3Dgeneral%23last", "/?channel=general#last"),
        ("%2F%2Fevil.example", "/"),
        ("https%3A%2F%2Fevil.example", "/"),
        ("%2F%5Cevil.example", "/"),
        ("%2F%250d%250aSet-Cookie%3Ax", "/"),
    ] {
        let answer = pass(&world.visitor(), &format!("/auth/oidc/login?next={next}")).await;
        assert_leads(&answer, to);
    }
}

#[tokio::test]
async fn a_sign_in_replaces_the_session_that_was_there_and_marks_the_device() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let visitor = world.member("bob").await;
    let before = visitor.copy();
    assert_leads(&sign_in(&visitor).await, "/");
    assert!(!before.is_signed_in().await && visitor.is_signed_in().await);
    assert_ne!(visitor.cookie("session"), before.cookie("session"));
    assert_ne!(visitor.cookie("device"), "");
    let planted = world.visitor();
    planted.set_cookie("session", &"a".repeat(43));
    assert_leads(&sign_in(&planted).await, "/");
    assert_ne!(planted.cookie("session"), "a".repeat(43));
}

#[tokio::test]
async fn staying_signed_in_is_asked_for_in_the_link() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let remembered = world.visitor();
    let answer = pass(&remembered, "/auth/oidc/login?remember=true").await;
    let lines = answer.cookie_lines();
    let session = lines.iter().find(|line| line.starts_with("session=")).unwrap();
    assert!(session.contains("Max-Age=7776000"), "{session}");
    let answer = sign_in(&world.visitor()).await;
    let lines = answer.cookie_lines();
    let session = lines.iter().find(|line| line.starts_with("session=")).unwrap();
    assert!(!session.contains("Max-Age"), "{session}");
}

#[tokio::test]
async fn several_sign_ins_at_once_ask_the_provider_about_itself_once() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let visitors: Vec<_> = (0..8).map(|_| world.visitor()).collect();
    let pages = visitors.iter().map(|visitor| go(visitor, "/auth/oidc/login"));
    futures_util::future::join_all(pages).await;
    assert_eq!(provider.asked("/.well-known/openid-configuration"), 1);
}

#[tokio::test]
async fn without_a_provider_there_is_no_way_to_one() {
    let world = World::new().await;
    let visitor = world.member("alice").await;
    for path in ["/auth/oidc/login", "/auth/oidc/callback?state=a&code=b"] {
        let answer = visitor.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "no_provider"));
    }
    let answer = visitor.post("/auth/oidc/link", json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "no_provider"));
    assert!(visitor.get("/auth/info").await.json()["oidc"].is_null());
    assert!(!visitor.get("/login").await.text.contains("oidc-link"));
}

#[tokio::test]
async fn the_pages_have_a_plain_link_to_the_provider() {
    let provider = Provider::start().await;
    let world =
        provider.world_with(|flags| flags.oidc.oidc_name = Some("R&D <staff>".to_owned())).await;
    let visitor = world.visitor();
    let info = visitor.get("/auth/info").await.json();
    assert_eq!(info["oidc"], json!({"name": "R&D <staff>", "register": true}));
    let link = "<a id=\"oidc-link\" class=\"button big\" href=\"/auth/oidc/login?next=%2Fx\" data-name=\"R&amp;D &lt;staff&gt;\">Sign in with R&amp;D &lt;staff&gt;</a>";
    for page in ["/login", "/register"] {
        let answer = visitor.get(&format!("{page}?next=/x&error=oidc_expired")).await;
        assert!(answer.text.contains(link), "{}", answer.text);
        assert_eq!(answer.header("cache-control"), "no-store");
        let answer = visitor.get(&format!("{page}?next=//evil")).await;
        assert!(answer.text.contains("href=\"/auth/oidc/login\" "), "{}", answer.text);
    }
    let closed = provider
        .world_with(|flags| {
            flags.oidc.oidc_register = Some(backend_auth::oidc::settings::RegisterFlag::No)
        })
        .await;
    assert!(closed.visitor().get("/login").await.text.contains("oidc-link"));
    assert!(!closed.visitor().get("/register").await.text.contains("oidc-link"));
}
