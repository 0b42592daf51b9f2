//! The web client's files.

use reqwest::Method;

use crate::support::{Answer, World};

fn assert_protected(answer: &Answer) {
    let csp = answer.header("content-security-policy");
    for part in
        ["default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"]
    {
        assert!(csp.contains(part), "{csp}");
    }
    assert!(!csp.contains("unsafe"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("referrer-policy"), "same-origin");
    assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
    assert!(answer.header("permissions-policy").contains("camera=()"));
}

#[tokio::test]
async fn the_chat_page_needs_a_session_and_the_doors_do_not() {
    let world = World::new().await;
    let stranger = world.visitor();
    for path in ["/", "/index.html"] {
        let answer = stranger.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/login"), "{path}");
        assert_protected(&answer);
    }
    let deep = stranger.get("/?channel=general").await;
    assert_eq!(deep.header("location"), "/login?next=%2F%3Fchannel%3Dgeneral");
    for (path, title) in [
        ("/login", "login"),
        ("/register", "register"),
        ("/reset", "reset"),
        ("/login/", "login"),
        ("/login.html", "login"),
    ] {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text.contains(title), "{path}");
        assert_protected(&answer);
    }
    let alice = world.member("alice").await;
    let page = alice.get("/").await;
    assert_eq!((page.status.as_u16(), page.text.contains("chat")), (200, true));
    assert_eq!(page.header("cache-control"), "private, no-cache");
}

#[tokio::test]
async fn the_pages_beside_the_chat_need_a_session_and_the_login_leads_back_to_them() {
    let world = World::new().await;
    let stranger = world.visitor();
    for (path, next) in [
        ("/account", "/login?next=%2Faccount"),
        ("/admin", "/login?next=%2Fadmin"),
        ("/admin.html", "/login?next=%2Fadmin%2Ehtml"),
    ] {
        let answer = stranger.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, next), "{path}");
        assert_protected(&answer);
    }
    let alice = world.member("alice").await;
    // A form without a script is sent to the address of its page.
    for page in ["/login?next=%2Faccount", "/login.html?next=%2Faccount"] {
        let form = "username=alice&password=seven+violins+at+dusk&next=";
        let answer = world.visitor().post_form(page, form).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/account"));
        let refused = world.visitor().post_form(page, "username=alice&password=x").await;
        assert!(refused.header("location").ends_with("&username=alice&next=/account"));
    }
    for (path, title) in [("/account", "account"), ("/account/", "account"), ("/admin", "admin")] {
        let page = alice.get(path).await;
        assert_eq!((page.status.as_u16(), page.text.contains(title)), (200, true), "{path}");
        assert_eq!(page.header("cache-control"), "private, no-cache");
    }
}

#[tokio::test]
async fn the_links_between_the_doors_keep_the_way_and_lead_to_no_other_site() {
    let world = World::new().await;
    let visitor = world.visitor();
    let doors = [
        ("/login", "/register"),
        ("/login.html", "/register"),
        ("/register", "/login"),
        ("/login/code", "/login"),
        ("/login/name", "/login"),
    ];
    for (door, other) in doors {
        let page = visitor.get(&format!("{door}?next=%2F%3Fchannel%3Da%26b%22%3E")).await;
        let link = format!("<a href=\"{other}?next=%2F%3Fchannel%3Da%26b%22%3E\">");
        assert!(page.status == 200 && page.text.contains(&link), "{door}: {}", page.text);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_protected(&page);
        // It is of this visit; the page without a way is a file, asked for anew by its ETag.
        assert_eq!((page.header("cache-control"), page.header("etag")), ("no-store", ""));
        let plain = visitor.get(door).await;
        let link = format!("<a href=\"{other}\">");
        assert!(plain.text.contains(&link), "{door}: {}", plain.text);
        let tag = [("if-none-match", plain.header("etag"))];
        assert_eq!(visitor.get_with(door, &tag).await.status, 304, "{door}");
        for elsewhere in ["//evil", "%2F%5Cevil", "https://evil", "/a&next=/b", "%22%3E"] {
            let page = visitor.get(&format!("{door}?next={elsewhere}")).await;
            assert_eq!(page.text, plain.text, "{door} {elsewhere}");
        }
    }
    // Such a link's page sends its form to its own address, and there it goes on.
    let form = "username=alice&password=seven+violins+at+dusk&next=";
    let answer = visitor.post_form("/register?next=%2F%3Fchannel%3Da%26b", form).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/?channel=a&b"));
}

#[tokio::test]
async fn files_have_types_and_are_asked_for_anew_by_their_etag() {
    let world = World::new().await;
    let visitor = world.visitor();
    for (path, content_type) in [
        ("/js/app.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/app.webmanifest", "application/manifest+json"),
        ("/login.html", "text/html; charset=utf-8"),
    ] {
        let answer = visitor.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, content_type));
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert_protected(&answer);
        let etag = answer.header("etag");
        assert!(etag.starts_with('"') && etag.ends_with('"'), "strong: {etag}");
        for tag in [etag, &format!("W/{etag}"), &format!("\"x\", {etag}"), "*"] {
            let again = visitor.get_with(path, &[("if-none-match", tag)]).await;
            assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{tag}");
            assert_eq!(again.header("etag"), etag);
        }
        assert_eq!(visitor.get_with(path, &[("if-none-match", "\"x\"")]).await.status, 200);
    }
}

#[tokio::test]
async fn a_changed_file_has_another_etag_at_once() {
    let world = World::new().await;
    let visitor = world.visitor();
    let before = visitor.get("/style.css").await;
    std::fs::write(world.folder.path().join("www/style.css"), "body { color: red }\n").unwrap();
    let after = visitor.get_with("/style.css", &[("if-none-match", before.header("etag"))]).await;
    assert_eq!((after.status.as_u16(), after.text.as_str()), (200, "body { color: red }\n"));
}

#[tokio::test]
async fn a_range_is_a_part() {
    let world = World::new().await;
    let visitor = world.visitor();
    let whole = visitor.get("/digits.txt").await;
    assert_eq!(whole.header("accept-ranges"), "bytes");
    for (range, part, content_range) in [
        ("bytes=0-2", "012", "bytes 0-2/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=5-99", "56789", "bytes 5-9/10"),
    ] {
        let answer = visitor.get_with("/digits.txt", &[("range", range)]).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (206, part));
        assert_eq!(answer.header("content-range"), content_range);
        assert_eq!(answer.header("content-length"), part.len().to_string());
    }
    let beyond = visitor.get_with("/digits.txt", &[("range", "bytes=10-")]).await;
    assert_eq!((beyond.status.as_u16(), beyond.header("content-range")), (416, "bytes */10"));
    let current = [("range", "bytes=0-2"), ("if-range", whole.header("etag"))];
    assert_eq!(visitor.get_with("/digits.txt", &current).await.status, 206);
    let old = [("range", "bytes=0-2"), ("if-range", "\"old\"")];
    assert_eq!(visitor.get_with("/digits.txt", &old).await.text, "0123456789");
}

#[tokio::test]
async fn large_files_are_streamed_with_the_same_rules() {
    let world = World::new().await;
    let content = "0123456789abcdef".repeat(200_000);
    std::fs::write(world.folder.path().join("www/large.txt"), &content).unwrap();
    let visitor = world.visitor();
    let whole = visitor.get("/large.txt").await;
    assert!(whole.text == content);
    let part = visitor.get_with("/large.txt", &[("range", "bytes=1600000-1600015")]).await;
    assert_eq!((part.status.as_u16(), part.text.as_str()), (206, "0123456789abcdef"));
    let again = visitor.get_with("/large.txt", &[("if-none-match", whole.header("etag"))]).await;
    assert_eq!(again.status, 304);
}

#[tokio::test]
async fn head_tells_what_get_would() {
    let world = World::new().await;
    let visitor = world.visitor();
    for path in ["/digits.txt", "/login"] {
        let get = visitor.get(path).await;
        let head = visitor.send(Method::HEAD, path, &[], None).await;
        assert_eq!((head.status, head.text.as_str()), (get.status, ""));
        for name in ["content-length", "content-type", "etag"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn nothing_outside_of_the_folder_is_ever_served() {
    let world = World::new().await;
    let www = world.folder.path().join("www");
    std::os::unix::fs::symlink(world.folder.path().join("outside.txt"), www.join("link.txt"))
        .unwrap();
    std::os::unix::fs::symlink("/etc", www.join("etc")).unwrap();
    for path in [
        "/../outside.txt",
        "/%2e%2e/outside.txt",
        "/%2E%2E%2Foutside.txt",
        "/..%2foutside.txt",
        "/js/../../outside.txt",
        "/%252e%252e/outside.txt",
        "//outside.txt",
        "/..%5coutside.txt",
        "/link.txt",
        "/etc/passwd",
        "/.hidden",
        "/%2ehidden",
        "/js/",
        "/js",
        "/digits.txt/",
        "/digits.txt%00",
        "/etc/passwd%00.html",
        "/;/../outside.txt",
    ] {
        let answer = raw(world.server.addr(), path).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        assert!(!answer.contains("secret") && !answer.contains("root:"), "{path}");
    }
}

/// A request whose path no client library tidied up.
async fn raw(addr: std::net::SocketAddr, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn no_disguise_of_the_chat_page_opens_without_a_session() {
    let world = World::new().await;
    for path in [
        "//",
        "/./",
        "/%2e/",
        "/index.html/",
        "/js/../index.html",
        "/js/%2e%2e/index.html",
        "/INDEX.HTML",
        "/index.html;x",
        "/%69ndex.html",
        "/index%2ehtml",
        "/?/login",
        "/index.html?x=/login.html",
        "/index.html%20",
    ] {
        let answer = raw(world.server.addr(), path).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        assert!(!answer.contains("<title>chat"), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_page_for_people_and_json_for_programs() {
    let world = World::new().await;
    let person = world.visitor().get_with("/nothing", &[("accept", "text/html,*/*")]).await;
    assert_eq!(person.status, 404);
    assert!(person.header("content-type").starts_with("text/html"));
    assert_protected(&person);
    let program = world.visitor().get("/nothing").await;
    assert_eq!((program.status.as_u16(), program.code().as_str()), (404, "not_found"));
}

#[tokio::test]
async fn a_page_takes_get_and_head_only() {
    let world = World::new().await;
    for (path, allow) in [("/style.css", "GET, HEAD"), ("/", "GET, HEAD"), ("/me", "GET,HEAD")] {
        let answer = world.visitor().send(Method::PUT, path, &[], None).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (405, "method_not_allowed"));
        assert_eq!(answer.header("allow").replace(' ', ""), allow.replace(' ', ""), "{path}");
    }
    let login = world.visitor().send(Method::DELETE, "/login", &[], None).await;
    for method in ["GET", "HEAD", "POST"] {
        assert!(login.header("allow").contains(method));
        assert!(login.json()["message"].as_str().unwrap().contains(method));
    }
}

#[tokio::test]
async fn with_an_https_origin_plain_http_pages_are_sent_there() {
    let world =
        World::with(|flags| flags.public_origin = Some("https://chat.example.org".into())).await;
    let plain = [("x-forwarded-proto", "http")];
    let answer = world.visitor().get_with("/login?next=%2F", &plain).await;
    assert_eq!(answer.status, 308);
    assert_eq!(answer.header("location"), "https://chat.example.org/login?next=%2F");
    assert_eq!(
        world.visitor().get_with("/login", &[("x-forwarded-proto", "https")]).await.status,
        200
    );
    assert_eq!(
        world.visitor().get_with("/auth/info", &plain).await.status,
        200,
        "calls aren't redirected"
    );
    assert_eq!(world.visitor().get("/health").await.status, 200);
    // Whoever isn't a trusted neighbour can't cause it.
    let strict = World::with(|flags| {
        flags.public_origin = Some("https://chat.example.org".into());
        flags.trusted_proxies = String::new();
    })
    .await;
    assert_eq!(strict.visitor().get_with("/login", &plain).await.status, 200);
}

#[tokio::test]
async fn members_learn_the_address_to_open_and_strangers_do_not() {
    let world = World::new().await;
    assert_eq!(world.visitor().get("/auth/addresses").await.status, 401);
    let text = |text: &str| serde_json::json!({ "text": text });
    assert_eq!(world.visitor().post("/auth/qr", text("a")).await.status, 401);
    let alice = world.member("alice").await;
    let answer = alice.get_with("/auth/addresses", &[("host", "192.168.1.5:8080")]).await;
    assert_eq!(answer.json()["addresses"], serde_json::json!(["http://192.168.1.5:8080"]));
    let code = alice.post("/auth/qr", text("http://192.168.1.5:8080")).await.json();
    let svg = code["svg"].as_str().unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("http://192.168.1.5:8080"), "{svg}");
    for bad in [String::new(), "a".repeat(513)] {
        assert_eq!(alice.post("/auth/qr", text(&bad)).await.code(), "invalid_field");
    }
    assert_eq!(alice.post("/auth/qr", serde_json::json!({})).await.status, 400);
}

#[tokio::test]
async fn the_api_describes_itself() {
    let world = World::new().await;
    let document = world.visitor().get("/auth/openapi.json").await.json();
    for path in [
        "/register",
        "/login",
        "/logout",
        "/me",
        "/password",
        "/token",
        "/invites",
        "/auth/verify",
        "/auth/info",
    ] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    assert!(document["components"]["schemas"]["Register"].is_object());
}
