//! Header lines of a request.

use super::bench::{declined, passed, refused, run};

fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n")
}

const PLAIN: &str = "GET /\nhost: a";

#[tokio::test]
async fn r6_a_folded_line_is_refused() {
    run([
        refused(400, get("x: y\r\n z")),
        refused(400, get("x: y\r\n\tz: w")),
        refused(400, "GET / HTTP/1.1\r\n host: a\r\n\r\n"),
        refused(400, get("x: y\r\n \r\nz: w")),
    ])
    .await;
}

#[tokio::test]
async fn a_request_has_100_header_lines_at_most() {
    let lines = |count: usize| get(&vec!["x: y"; count - 1].join("\r\n"));
    let forwarded = format!("{PLAIN}{}", "\nx: y".repeat(99));
    run([passed(lines(100), &forwarded), refused(431, lines(101))]).await;
}

#[tokio::test]
async fn r7_a_line_is_name_colon_value() {
    for line in [
        "x : y",
        "x\t: y",
        ": y",
        "x",
        "x y: z",
        "x(: y",
        "x\"y: z",
        "x\u{0}: y",
        "x\u{7f}: y",
        "\u{e9}: y",
        "x: a\u{0}b",
        "x: a\rb",
        "x: a\u{7f}b",
        "x: a\u{1}b",
        "x: a\u{8}b",
        "x@y: z",
        "{x}: y",
        "x/y: z",
    ] {
        run([refused(400, get(line))]).await;
    }
    run([
        // A line feed alone ends no line: another reader could see one line where we see two.
        refused(400, get("x: a\ny: b")),
        refused(400, "GET / HTTP/1.1\nhost: a\n\n"),
        refused(400, "GET / HTTP/1.1\r\nhost: a\r\n\n"),
        passed(get("x:y\r\nX-Two: \t a b\t "), "GET /\nhost: a\nx-two: a b\nx: y"),
        passed(get("!#$%&'*+-.^`|~1a: y"), "GET /\n!#$%&'*+-.^`|~1a: y\nhost: a"),
        passed(get("x:"), "GET /\nhost: a\nx: "),
    ])
    .await;
}

#[tokio::test]
async fn r19_hop_by_hop_headers_and_those_that_any_connection_line_names_end_here() {
    run([
        passed(get("connection: keep-alive\r\nkeep-alive: 5\r\nproxy-connection: x\r\nte: gzip"), PLAIN),
        passed(get("connection: x-one\r\nx-one: 1\r\nConnection: X-Two, keep-alive\r\nx-two: 2\r\nx-kept: 3"), "GET /\nhost: a\nx-kept: 3"),
        passed(get("upgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMA"), PLAIN),
        passed(get("proxy-authorization: x\r\nproxy-authenticate: y\r\ntrailer: z"), PLAIN),
        passed(get("connection: x, close\r\nx: 1"), PLAIN).closed(),
        // What routing, framing and accounts rest on can't be taken away.
        passed(
            get("authorization: me\r\nconnection: host, authorization, cookie, x-forwarded-for, content-length\r\ncookie: c=1\r\ncontent-length: 0"),
            "GET /\nauthorization: me\ncontent-length: 0\ncookie: c=1\nhost: a\n\n",
        ),
    ])
    .await;
}

#[tokio::test]
async fn r20_names_that_a_server_could_take_for_others_end_here() {
    run([
        passed(get("x_y: 1\r\ncontent_length: 5\r\nx-chat_identity: root"), PLAIN),
        passed(get("x.chat.identity: root\r\nx.real.ip: 1.2.3.4\r\nx!forwarded!for: 5"), PLAIN),
        passed(get("remote-user: root\r\nx-original-url: /admin\r\nx-client-ip: ::1"), PLAIN),
    ])
    .await;
}

#[tokio::test]
async fn r21_no_client_sets_the_identity() {
    run([
        passed(get("x-chat-identity: root\r\nX-Chat-Identity: root2"), PLAIN),
        passed(get("connection: x-chat-identity\r\nx-chat-identity: root"), PLAIN),
    ])
    .await;
}

#[tokio::test]
async fn r22_where_a_request_came_from_is_said_here() {
    // The proxy's own lines are looked at in `forwarding.rs`; here that no other is left.
    run([passed(
        get("x-real-ip: 1.2.3.4\r\nproxy: http://evil\r\nx-forwarded-host: evil\r\nforwarded: for=evil"),
        PLAIN,
    )])
    .await;
}

#[tokio::test]
async fn r23_loops_end_and_options_goes_so_far() {
    let options = |fields: &str| format!("OPTIONS / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n");
    run([
        declined(508, get("via: 1.1 hybrid-chat")),
        declined(508, get("via: 1.0 other, 1.1 hybrid-chat (x)\r\nvia: 1.1 third")),
        passed(get("via: 1.1 other"), PLAIN),
        passed(options("x: y"), "OPTIONS /\nhost: a\nx: y"),
        passed(options("max-forwards: 3"), "OPTIONS /\nhost: a\nmax-forwards: 2"),
        declined(200, options("max-forwards: 0")),
        declined(400, options("max-forwards: x")),
        passed(get("max-forwards: 0"), "GET /\nhost: a\nmax-forwards: 0"),
    ])
    .await;
}

#[tokio::test]
async fn r26_one_expectation_is_met_here() {
    let post = |expect: &str| {
        format!("POST / HTTP/1.1\r\nhost: a\r\nexpect: {expect}\r\ncontent-length: 2\r\n\r\nhi")
    };
    run([
        passed(post("100-Continue"), "POST /\ncontent-length: 2\nhost: a\n\nhi")
            .answered(&[100, 200]),
        refused(417, post("200-ok")),
        refused(417, post("100-continue, x")),
        passed(get("expect: 100-continue"), PLAIN),
    ])
    .await;
}

#[tokio::test]
async fn r27_only_a_whole_websocket_handshake_is_an_upgrade() {
    let asks = "connection: upgrade\r\nupgrade: websocket";
    run([
        declined(400, format!("POST / HTTP/1.1\r\nhost: a\r\n{asks}\r\n\r\n")),
        declined(400, get(&format!("{asks}\r\ncontent-length: 2")) + "hi"),
        passed(get("upgrade: websocket"), PLAIN),
        passed(get("connection: upgrade"), PLAIN),
        passed(get("connection: upgrade\r\nupgrade: h2c, websocket"), PLAIN),
        passed(get(asks), "GET /\nconnection: upgrade\nhost: a\nupgrade: websocket"),
    ])
    .await;
}
