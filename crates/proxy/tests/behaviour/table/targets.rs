//! What a request asks for, and of whom.

use super::bench::{declined, passed, refused, run};

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n")
}

fn hosted(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\n{fields}\r\n")
}

#[tokio::test]
async fn r13_there_is_one_valid_host() {
    for fields in [
        "",
        "host: a\r\nhost: a\r\n",
        "host: a\r\nHOST: b\r\n",
        "host:\r\n",
        "host: a b\r\n",
        "host: a,b\r\n",
        "host: a/b\r\n",
        "host: a?b\r\n",
        "host: a\\b\r\n",
        "host: u@a\r\n",
        "host: a:b\r\n",
        "host: a:99999\r\n",
        "host: [::1\r\n",
        "host: http://a\r\n",
        "host: a%00b\r\n",
    ] {
        run([declined(400, hosted(fields))]).await;
    }
    run([
        passed(hosted("host: A.b.:80\r\n"), "GET /\nhost: A.b.:80"),
        passed(hosted("host: [::1]:80\r\n"), "GET /\nhost: [::1]:80"),
        passed("GET / HTTP/1.0\r\n\r\n", "GET /\nhost: localhost").closed(),
    ])
    .await;
}

#[tokio::test]
async fn r14_in_absolute_form_the_authority_is_the_host() {
    run([
        passed(get("http://real/x?y"), "GET /x?y\nhost: real"),
        passed(get("HTTP://real:81"), "GET /\nhost: real:81"),
        declined(400, get("http://u@real/")),
        declined(400, get("http://u:p@real/")),
        declined(400, get("ftp://real/")),
        declined(400, "GET http://real/ HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"),
        declined(400, "GET http://real/ HTTP/1.1\r\n\r\n"),
        refused(400, get("http:///x")),
    ])
    .await;
}

#[tokio::test]
async fn r15_other_forms_are_for_other_methods() {
    run([
        declined(400, get("*")),
        declined(400, get("a:80")),
        declined(400, get("a")),
        refused(400, get("?x")),
        declined(405, "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n"),
        declined(405, "TRACE / HTTP/1.1\r\nhost: a\r\n\r\n"),
        refused(400, "GET /  HTTP/1.1\r\nhost: a\r\n\r\n"),
        refused(400, "GET  / HTTP/1.1\r\nhost: a\r\n\r\n"),
        refused(400, "GET / HTTP/2.0\r\nhost: a\r\n\r\n"),
        refused(400, "GET / HTTP/1.2\r\nhost: a\r\n\r\n"),
        refused(400, "GET / http/1.1\r\nhost: a\r\n\r\n"),
        refused(400, "GET /\r\nhost: a\r\n\r\n"),
        refused(400, "G(T / HTTP/1.1\r\nhost: a\r\n\r\n"),
        passed("M-SEARCH /x HTTP/1.1\r\nhost: a\r\n\r\n", "M-SEARCH /x\nhost: a"),
    ])
    .await;
}

#[tokio::test]
async fn r17_a_fragment_is_refused() {
    run([
        refused(400, get("/a#b")),
        refused(400, get("/a?b#")),
        refused(400, get("http://a#@b/")),
        refused(400, get("/public#/../private")),
    ])
    .await;
}

#[tokio::test]
async fn r18_one_path_is_routed_on_and_forwarded() {
    run([
        passed(get("/a/b?c=/../d&e=%2f"), "GET /a/b?c=/../d&e=%2f\nhost: a"),
        passed(get("/%61%2Db/%7e"), "GET /a-b/~\nhost: a"),
        passed(get("/%c3%a9;x=1"), "GET /%C3%A9;x=1\nhost: a"),
    ])
    .await;
    for path in [
        "//",
        "/a//b",
        "/.",
        "/..",
        "/a/./b",
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/%252e%252e/b",
        "/a/..;x/b",
        "/a%2fb",
        "/a%5cb",
        "/a\\b",
        "/a%00",
        "/a%0d%0ab",
        "/a%",
        "/a%zz",
        "/%25252e%25252e/a",
    ] {
        run([declined(400, get(path))]).await;
    }
    // No method and no path has them at all.
    for path in ["/a\u{0}b", "/a\tb", "/a\u{7f}b"] {
        run([refused(400, get(path))]).await;
    }
}
