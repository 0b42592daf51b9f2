//! OpenID Connect: answers of the provider that are not as they have to be. None of them opens anything.

use serde_json::{Value, json};

use crate::provider::{Mood, Provider, Sign, assert_leads, go, link, nobody, pass, sign_in, there};
use crate::support::{Answer, Visitor, World};

/// Somebody with an account, who signs in by the provider, and what the audit log says of the last try.
struct Owner {
    provider: Provider,
    world: World,
    admin: Visitor,
}

impl Owner {
    async fn new() -> Self {
        let provider = Provider::start().await;
        let world = provider.world().await;
        let admin = world.visitor();
        assert_leads(&sign_in(&admin).await, "/");
        Self { provider, world, admin }
    }

    /// A token whose claims are changed is refused, for this reason.
    async fn refuses(&self, why: &str, change: impl Fn(&mut Value) + Send + 'static) {
        self.provider.desk().claims = Some(Box::new(change));
        self.is_refused(why).await;
    }

    async fn is_refused(&self, why: &str) {
        let visitor = self.world.visitor();
        assert_leads(&sign_in(&visitor).await, "/login?error=oidc_failed");
        assert!(!visitor.is_signed_in().await);
        self.was_refused(why).await;
    }

    async fn was_refused(&self, why: &str) {
        let entry = self.last().await;
        assert_eq!(entry["result"], "refused", "{entry}");
        let detail = entry["detail"].as_str().unwrap();
        assert!(detail.starts_with("openid connect: ") && detail.contains(why), "{detail}");
    }

    /// The latest entry about a login. Entries are written in batches, so that it may take a moment.
    async fn last(&self) -> Value {
        let path = "/auth/admin/audit?event=login&result=refused";
        for _ in 0..1000 {
            let entries = self.admin.get(path).await.json()["entries"].clone();
            if entries[0].is_object() {
                return entries[0].clone();
            }
        }
        panic!("nothing was noted");
    }
}

fn refused(answer: &Answer, code: &str) {
    assert_leads(answer, &format!("/login?error={code}"));
    assert!(!answer.cookie_lines().iter().any(|line| line.starts_with("session=")));
}

#[tokio::test]
async fn a_token_with_another_nonce_opens_nothing() {
    let owner = Owner::new().await;
    owner.refuses("another sign-in", |claims| claims["nonce"] = json!("another")).await;
}

#[tokio::test]
async fn a_token_without_a_nonce_opens_nothing() {
    let owner = Owner::new().await;
    let forget = |claims: &mut Value| drop(claims.as_object_mut().unwrap().remove("nonce"));
    owner.refuses("another sign-in", forget).await;
}

#[tokio::test]
async fn a_token_for_another_client_opens_nothing() {
    let owner = Owner::new().await;
    owner.refuses("for another client", |claims| claims["aud"] = json!("another")).await;
}

#[tokio::test]
async fn a_token_of_another_issuer_opens_nothing() {
    let owner = Owner::new().await;
    let change = |claims: &mut Value| {
        claims["iss"] = json!(format!("{}/", claims["iss"].as_str().unwrap()));
    };
    owner.refuses("of another issuer", change).await;
}

#[tokio::test]
async fn a_token_that_another_client_asked_for_opens_nothing() {
    let owner = Owner::new().await;
    owner.refuses("given to another client", |claims| claims["azp"] = json!("another")).await;
}

#[tokio::test]
async fn a_token_for_several_that_names_no_party_opens_nothing() {
    let owner = Owner::new().await;
    let several = |claims: &mut Value| claims["aud"] = json!(["hybrid-chat", "another"]);
    owner.refuses("given to another client", several).await;
}

#[tokio::test]
async fn a_token_that_is_over_opens_nothing() {
    let owner = Owner::new().await;
    let over = |claims: &mut Value| claims["exp"] = json!(claims["iat"].as_i64().unwrap() - 61);
    owner.refuses("expired", over).await;
}

#[tokio::test]
async fn a_token_of_the_future_opens_nothing() {
    let owner = Owner::new().await;
    let later = |claims: &mut Value| claims["iat"] = json!(claims["iat"].as_i64().unwrap() + 600);
    owner.refuses("in the future", later).await;
}

#[tokio::test]
async fn a_token_that_was_made_before_the_sign_in_opens_nothing() {
    let owner = Owner::new().await;
    let earlier = |claims: &mut Value| claims["iat"] = json!(claims["iat"].as_i64().unwrap() - 600);
    owner.refuses("before this sign-in", earlier).await;
}

#[tokio::test]
async fn a_token_that_is_not_signed_opens_nothing() {
    let owner = Owner::new().await;
    owner.provider.desk().sign = Sign::Nothing;
    owner.is_refused("not signed with an algorithm").await;
}

#[tokio::test]
async fn a_token_whose_secret_is_the_public_key_opens_nothing() {
    let owner = Owner::new().await;
    owner.provider.desk().sign = Sign::PublicKeyAsSecret;
    owner.is_refused("not signed with an algorithm").await;
}

#[tokio::test]
async fn a_token_of_somebody_else_s_key_opens_nothing() {
    let owner = Owner::new().await;
    owner.provider.desk().sign = Sign::AnotherKey;
    owner.is_refused("signature is wrong").await;
}

#[tokio::test]
async fn a_new_key_is_fetched_when_it_is_met_and_invented_ones_are_not_asked_for_again_and_again() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    assert_leads(&sign_in(&world.visitor()).await, "/");
    assert_leads(&sign_in(&world.visitor()).await, "/");
    assert_eq!(provider.asked("/keys"), 1, "the keys are kept");
    provider.desk().rotate();
    assert_leads(&sign_in(&world.visitor()).await, "/");
    assert_eq!(provider.asked("/keys"), 2);
    // Another server, that pauses.
    let patient = provider
        .world_with(|flags| flags.oidc.oidc_pause = std::time::Duration::from_secs(3600))
        .await;
    assert_leads(&sign_in(&patient.visitor()).await, "/");
    assert_eq!(provider.asked("/keys"), 3);
    provider.desk().rotate();
    for _ in 0..5 {
        refused(&sign_in(&patient.visitor()).await, "oidc_failed");
    }
    assert_eq!(provider.asked("/keys"), 3, "not within the pause");
}

#[tokio::test]
async fn a_state_counts_once() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let visitor = world.visitor();
    let page = go(&visitor, "/auth/oidc/login").await;
    let again = visitor.copy();
    let back = there(&page).await;
    assert_leads(&visitor.get(&back).await, "/");
    refused(&again.get(&back).await, "oidc_expired");
    let other = there(&page).await;
    refused(&again.get(&other).await, "oidc_expired");
    assert_eq!(provider.asked("/token"), 1, "nothing was exchanged for it");
    assert!(!again.is_signed_in().await);
}

#[tokio::test]
async fn a_state_of_another_browser_opens_nothing_and_its_owner_goes_on() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let (attacker, victim) = (world.visitor(), world.visitor());
    let back = there(&go(&attacker, "/auth/oidc/login").await).await;
    refused(&victim.get(&back).await, "oidc_expired");
    go(&victim, "/auth/oidc/login").await;
    refused(&victim.get(&back).await, "oidc_expired");
    assert!(!victim.is_signed_in().await);
    assert_eq!(provider.asked("/token"), 0);
    assert_leads(&attacker.get(&back).await, "/");
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_opens_nothing() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let visitor = world.visitor();
    for query in ["", "?code=x", "?state=x&code=y", "?error=access_denied", "?state=a&state=b"] {
        refused(&visitor.get(&format!("/auth/oidc/callback{query}")).await, "oidc_expired");
    }
    assert_eq!(provider.asked("/token"), 0);
}

#[tokio::test]
async fn a_code_of_another_sign_in_is_refused_by_its_verifier() {
    let owner = Owner::new().await;
    let (attacker, victim) = (owner.world.visitor(), owner.world.visitor());
    let stolen = there(&go(&attacker, "/auth/oidc/login").await).await;
    let stolen = stolen.split("code=").nth(1).unwrap().to_owned();
    let own = there(&go(&victim, "/auth/oidc/login").await).await;
    let injected = format!("{}code={stolen}", own.split("code=").next().unwrap());
    refused(&victim.get(&injected).await, "oidc_failed");
    owner.was_refused("400 invalid_grant").await;
    assert!(!victim.is_signed_in().await);
}

#[tokio::test]
async fn a_code_is_exchanged_once() {
    let owner = Owner::new().await;
    let (first, second) = (owner.world.visitor(), owner.world.visitor());
    let back = there(&go(&first, "/auth/oidc/login").await).await;
    assert_leads(&first.get(&back).await, "/");
    let used = back.split("code=").nth(1).unwrap();
    let own = there(&go(&second, "/auth/oidc/login").await).await;
    let replayed = format!("{}code={used}", own.split("code=").next().unwrap());
    refused(&second.get(&replayed).await, "oidc_failed");
    owner.was_refused("400 invalid_grant").await;
}

#[tokio::test]
async fn a_server_that_the_provider_does_not_know_lets_nobody_in() {
    let owner = Owner::new().await;
    owner.provider.desk().secret = Some("another secret");
    owner.is_refused("--oidc-client-id").await;
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_not_exchanged() {
    let owner = Owner::new().await;
    let exchanged = owner.provider.asked("/token");
    owner.provider.desk().names = Some("https://attacker.example".to_owned());
    owner.is_refused("the answer is of another issuer").await;
    assert_eq!(owner.provider.asked("/token"), exchanged);
}

#[tokio::test]
async fn a_provider_that_names_itself_in_answers_has_to_do_so_in_each() {
    let provider = Provider::start().await;
    provider.desk().about = json!({"authorization_response_iss_parameter_supported": true});
    let world = provider.world().await;
    refused(&sign_in(&world.visitor()).await, "oidc_failed");
    assert_eq!(provider.asked("/token"), 0);
    let issuer = provider.issuer.clone();
    provider.desk().names = Some(issuer);
    assert_leads(&sign_in(&world.visitor()).await, "/");
}

#[tokio::test]
async fn what_the_provider_says_instead_of_a_code_is_told_kindly() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    for (said, told) in [
        ("access_denied", "oidc_denied"),
        ("temporarily_unavailable", "oidc_unavailable"),
        ("interaction_required", "oidc_failed"),
        ("<script>alert(1)</script>", "oidc_failed"),
    ] {
        provider.desk().denies = Some(said);
        let visitor = world.visitor();
        let answer = pass(&visitor, "/auth/oidc/login?next=%2F%3Fchannel%3Dx").await;
        assert_leads(&answer, &format!("/login?error={told}&next=/%3Fchannel%3Dx"));
        let page = visitor.get(answer.header("location")).await;
        assert!(page.text.contains("<p id=\"error\">The provider"), "{}", page.text);
    }
    provider.desk().denies = None;
    assert_leads(&sign_in(&world.visitor()).await, "/");
}

#[tokio::test]
async fn a_provider_that_is_down_stops_nobody_else_and_is_asked_again() {
    let provider = Provider::start().await;
    provider.desk().mood = Mood::Down;
    let world = provider.world().await;
    world.member("bob").await;
    let visitor = world.visitor();
    assert_leads(&visitor.get("/auth/oidc/login").await, "/login?error=oidc_unavailable");
    assert_eq!(visitor.login("bob", crate::support::PASSWORD).await.status, 200);
    assert_eq!(visitor.post("/auth/oidc/link", json!({})).await.code(), "oidc_unavailable");
    provider.desk().mood = Mood::Well;
    assert_leads(&sign_in(&world.visitor()).await, "/");
    provider.desk().mood = Mood::Down;
    provider.desk().moody = "/token";
    refused(&sign_in(&world.visitor()).await, "oidc_unavailable");
    assert_eq!(provider.asked("/.well-known/openid-configuration"), 3, "what it said is kept");
}

#[tokio::test]
async fn nobody_at_the_provider_s_address_is_an_answer_too() {
    let provider = Provider::start().await;
    let nobody = nobody().await;
    let change = |flags: &mut backend_auth::Flags| {
        flags.oidc.oidc_issuer = Some(format!("http://{nobody}"));
    };
    let world = provider.world_with(change).await;
    let answer = world.visitor().get("/auth/oidc/login?next=%2Fx").await;
    assert_leads(&answer, "/login?error=oidc_unavailable&next=/x");
    assert_eq!(answer.header("retry-after"), "10");
}

#[tokio::test]
async fn a_provider_that_never_answers_is_given_up() {
    let provider = Provider::start().await;
    provider.desk().mood = Mood::Silent;
    let short = std::time::Duration::from_millis(100);
    let world = provider.world_with(|flags| flags.oidc.oidc_timeout = short).await;
    let visitor = world.visitor();
    assert_leads(&visitor.get("/auth/oidc/login").await, "/login?error=oidc_unavailable");
}

#[tokio::test]
async fn whoever_goes_away_while_the_provider_is_asked_makes_nobody_wait() {
    let provider = Provider::start().await;
    let pause = std::time::Duration::from_secs(3600);
    let world = provider.world_with(|flags| flags.oidc.oidc_pause = pause).await;
    provider.desk().mood = Mood::Silent;
    let discovery = "/.well-known/openid-configuration";
    let visitor = world.visitor();
    let gone = async {
        while provider.asked(discovery) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = visitor.get("/auth/oidc/login") => panic!("{answer:?}"),
        () = gone => {}
    }
    drop(visitor);
    provider.desk().mood = Mood::Well;
    assert_leads(&sign_in(&world.visitor()).await, "/");
    assert_eq!(provider.asked(discovery), 2);
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    provider.desk().mood = Mood::Verbose;
    for path in ["/token", "/keys"] {
        provider.desk().moody = path;
        refused(&sign_in(&world.visitor()).await, "oidc_unavailable");
    }
    provider.desk().moody = "/.well-known/openid-configuration";
    let other = provider.world().await;
    let answer = other.visitor().get("/auth/oidc/login").await;
    assert_leads(&answer, "/login?error=oidc_unavailable");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    provider.desk().mood = Mood::Elsewhere;
    provider.desk().moody = "/token";
    refused(&sign_in(&world.visitor()).await, "oidc_failed");
    assert_eq!(provider.asked("/token"), 1, "code, verifier and secret went nowhere else");
}

#[tokio::test]
async fn a_provider_that_calls_itself_otherwise_is_not_believed() {
    let provider = Provider::start().await;
    for about in [
        json!({"issuer": "https://attacker.example"}),
        json!({"issuer": null}),
        json!({"token_endpoint": "http://attacker.example/token"}),
        json!({"jwks_uri": "file:///etc/passwd"}),
        json!({"authorization_endpoint": "javascript:alert(1)"}),
    ] {
        provider.desk().about = about.clone();
        let world = provider.world().await;
        let answer = world.visitor().get("/auth/oidc/login").await;
        assert_leads(&answer, "/login?error=oidc_unavailable");
        world.server.shutdown().await;
    }
}

#[tokio::test]
async fn guessing_codes_is_slowed_down_like_guessing_passwords() {
    let provider = Provider::start().await;
    let world = provider.world_with(|flags| flags.login_burst = 3).await;
    let visitor = world.visitor();
    for _ in 0..3 {
        let own = there(&go(&visitor, "/auth/oidc/login").await).await;
        let guessed = format!("{}code=guessed", own.split("code=").next().unwrap());
        refused(&visitor.get(&guessed).await, "oidc_failed");
    }
    let exchanged = provider.asked("/token");
    let answer = sign_in(&visitor).await;
    refused(&answer, "too_many_requests");
    assert_ne!(answer.header("retry-after"), "");
    assert_eq!(provider.asked("/token"), exchanged, "the provider isn't bothered");
}

#[tokio::test]
async fn what_goes_wrong_while_signed_in_is_told_on_the_account_s_page() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let bob = world.member("bob").await;
    provider.desk().denies = Some("access_denied");
    assert_leads(&link(&bob).await, "/account?error=oidc_denied");
    assert_eq!(bob.get("/auth/factors").await.json()["linked"], json!([]));
    assert!(bob.is_signed_in().await);
}

#[tokio::test]
async fn what_another_site_makes_a_browser_fetch_is_held_against_nobody() {
    let provider = Provider::start().await;
    let world = provider.world_with(|flags| flags.login_burst = 3).await;
    world.member("bob").await;
    let (visitor, pretender) = (world.visitor(), world.visitor());
    for number in 0..20 {
        let image = [("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "image")];
        let path = format!("/auth/oidc/callback?state={number}");
        refused(&visitor.get_with(&path, &image).await, "oidc_expired");
        pretender.set_cookie("oidc", &"a".repeat(43));
        refused(&pretender.get(&path).await, "oidc_expired");
    }
    assert_eq!(visitor.login("bob", crate::support::PASSWORD).await.status, 200);
    assert_leads(&sign_in(&world.visitor()).await, "/");
    let database = world.database();
    world.server.shutdown().await;
    let rows: i64 = rusqlite::Connection::open(database)
        .unwrap()
        .query_row("SELECT count(*) FROM audit WHERE result <> 'success'", [], |row| row.get(0))
        .unwrap();
    assert!((1..=2).contains(&rows), "one a minute, of those who had a cookie: {rows}");
}

#[tokio::test]
async fn on_a_known_device_the_provider_lets_in_when_others_stopped_the_address() {
    let provider = Provider::start().await;
    let world = provider.world_with(|flags| flags.login_burst = 3).await;
    let ada = world.visitor();
    assert_leads(&sign_in(&ada).await, "/");
    for number in 0..3 {
        let stranger = world.visitor();
        assert_eq!(stranger.login(&format!("user{number}"), "x").await.status, 401);
    }
    refused(&sign_in(&world.visitor()).await, "too_many_requests");
    let again = world.visitor();
    again.set_cookie("device", &ada.cookie("device"));
    assert_leads(&sign_in(&again).await, "/");
}

#[tokio::test]
async fn guessing_codes_is_slowed_down_on_a_known_device_too() {
    let provider = Provider::start().await;
    let world = provider.world_with(|flags| flags.login_free_tries = 1).await;
    let ada = world.visitor();
    assert_leads(&sign_in(&ada).await, "/");
    // Each wait is twice as long as the one before.
    for _ in 0..20 {
        let own = there(&go(&ada, "/auth/oidc/login").await).await;
        let guessed = format!("{}code=guessed", own.split("code=").next().unwrap());
        let answer = ada.get(&guessed).await;
        if answer.header("location").contains("too_many_requests") {
            return;
        }
        refused(&answer, "oidc_failed");
    }
    panic!("codes are guessed freely");
}

#[tokio::test]
async fn one_address_begins_only_so_many_sign_ins() {
    let provider = Provider::start().await;
    let world = provider.world().await;
    let (early, crowd) = (world.visitor(), world.visitor());
    let back = there(&go(&early, "/auth/oidc/login").await).await;
    let from = [("x-forwarded-for", "192.0.2.1")];
    let mut stopped = None;
    for _ in 0..100 {
        let wave = (0..50).map(|_| crowd.get_with("/auth/oidc/login?next=%2Fx", &from));
        let answers = futures_util::future::join_all(wave).await;
        let told = |answer: &Answer| answer.header("location").contains("too_many_requests");
        stopped = answers.into_iter().find(told);
        if stopped.is_some() {
            break;
        }
    }
    let stopped = stopped.expect("an address begins as many as it likes");
    assert_leads(&stopped, "/login?error=too_many_requests&next=/x");
    assert_ne!(stopped.header("retry-after"), "");
    assert_leads(&sign_in(&world.visitor()).await, "/");
    assert_leads(&early.get(&back).await, "/");
}

#[tokio::test]
async fn a_token_of_someone_who_signs_in_tomorrow_opens_nothing() {
    let owner = Owner::new().await;
    let tomorrow =
        |claims: &mut Value| claims["auth_time"] = json!(claims["iat"].as_i64().unwrap() + 86_400);
    owner.refuses("a sign-in in the future", tomorrow).await;
}
