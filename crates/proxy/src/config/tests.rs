use super::*;
use crate::log::Format;
use crate::route::AuthRule;

mod committed;
mod listen;
mod reference;
mod routes;
mod upstreams;

fn parse(text: &str) -> Result<Loaded, ConfigError> {
    Config::parse_with(text, "proxy.conf", &|_| None)
}

/// The lines of the error.
fn errors(text: &str) -> String {
    parse(text).map(|_| ()).expect_err(text).to_string()
}

fn warnings(text: &str) -> Vec<String> {
    parse(text).unwrap().warnings.iter().map(ToString::to_string).collect()
}

const COMMITTED: &str = include_str!("../../../../proxy.conf");

const SMALL: &str = r#"
[upstreams.web]
servers = ["127.0.0.1:9000"]
[[hosts]]
names = ["*"]
routes = [{ path = "/*", upstream = "web" }]
"#;

const WITH_AUTH: &str = r#"
[auth]
upstream = "web"
[upstreams.web]
servers = ["127.0.0.1:9000"]
[[hosts]]
names = ["*"]
[[hosts.routes]]
path = "/*"
upstream = "web"
auth = "none"
[[hosts.routes]]
path = "/chat/*"
upstream = "web"
max_body = "1MiB"
response_timeout = "1s"
"#;

#[test]
fn defaults_are_filled_in() {
    let Loaded { config, warnings } = parse(SMALL).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(config.server.listen, [Listen::plain("0.0.0.0:8080".parse().unwrap())]);
    assert!(config.server.workers >= 1);
    assert_eq!(config.server.header_timeout, Duration::from_secs(10));
    assert_eq!(config.server.access_log, AccessLog::Stdout);
    assert!(config.auth.is_none());
    let web = &config.upstreams[0];
    assert_eq!(&*web.name, "web");
    let at = Place::Net(Endpoint { host: "127.0.0.1".to_owned(), port: 9000 });
    assert_eq!(web.servers, [Member { at, weight: 1, backup: false }]);
    assert_eq!(web.policy, Policy::RoundRobin);
    assert_eq!(web.idle_timeout, Duration::from_secs(4));
    let route = config.routes.find("any", "/x").unwrap();
    assert_eq!((route.auth, route.max_body), (AuthRule::None, None));
    assert_eq!(route.forward().unwrap().response_timeout, None, "as the upstream says");
    assert_eq!(web.response_timeout, Duration::from_secs(60));
}

#[test]
fn with_an_auth_section_a_route_is_protected_unless_it_says_otherwise() {
    let config = parse(WITH_AUTH).unwrap().config;
    let auth = config.auth.as_ref().unwrap();
    assert_eq!((auth.path.as_str(), auth.login_page.as_str()), ("/auth/verify", "/login"));
    assert_eq!(auth.identity_header, "x-chat-identity");
    assert_eq!(auth.cookies, ["session", "__Host-session"]);
    assert_eq!(config.routes.find("h", "/").unwrap().auth, AuthRule::None);
    let chat = config.routes.find("h", "/chat/ws").unwrap();
    assert_eq!((chat.auth, chat.max_body), (AuthRule::Required, Some(1 << 20)));
    assert_eq!(chat.forward().unwrap().response_timeout, Some(Duration::from_secs(1)));
}

#[test]
fn a_misspelt_key_is_refused_with_the_nearest_one() {
    assert_eq!(
        errors("[server]\n  lisen = [\"0.0.0.0:80\"]\n"),
        "proxy.conf:2:3: key `server.lisen`: unknown key; did you mean `listen`?"
    );
    let text = SMALL.replace("servers", "server");
    assert_eq!(
        errors(&text),
        "proxy.conf:3:1: key `upstreams.web.server`: unknown key; did you mean `servers`?"
    );
    let text = errors("[server]\nfrobnicate = 1\n");
    assert!(text.contains("the keys here are listen, workers"), "{text}");
    assert!(errors("[sever]\n").contains("did you mean `server`?"));
}

#[test]
fn a_wrong_type_a_missing_key_and_bad_toml_are_located() {
    for (text, place, wants) in [
        ("[server]\nlisten = 5\n", "2:10: key `server.listen`", "expected a sequence"),
        (
            "[upstreams.web]\npolicy = \"round_robin\"\n",
            "1:1: key `upstreams.web`",
            "`servers` is missing",
        ),
        (
            "[server]\nheader_timeout = 5\n",
            "2:18: key `server.header_timeout`",
            "expected a string",
        ),
        ("[server\n", "1:8", "["),
        ("[server]\nlisten = [\"a\"", "2:", "["),
        ("a = 1\na = 2\n", "2:1", "duplicate key"),
    ] {
        let error = errors(text);
        assert!(error.starts_with(&format!("proxy.conf:{place}")), "{error}");
        assert!(error.contains(wants) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file() {
    let error = errors(
        r#"[server]
listen = ["localhost:8080", "0.0.0.0:80", "0.0.0.0:80"]
workers = 0
header_timeout = "5 minutes"
[upstreams.web]
servers = ["http://web:80"]
policy = "random"
[[hosts]]
names = ["*", "a:80"]
[[hosts.routes]]
path = "chat"
upstream = "wbe"
auth = "required"
[[hosts.routes]]
path = "/a"
upstream = "web"
[[hosts.routes]]
path = "/a"
upstream = "web"
"#,
    );
    let wants = [
        "2:11: key `server.listen[0]`: \"localhost:8080\" is not an address to listen on",
        "2:43: key `server.listen[2]`: \"0.0.0.0:80\" is there twice; remove one",
        "3:11: key `server.workers`: 0 is out of range; the range is 1 to 1024",
        "4:18: key `server.header_timeout`: \"5 minutes\" is not a duration",
        "6:12: key `upstreams.web.servers`: \"http://web:80\" is not a server",
        "7:10: key `upstreams.web.policy`: there is no policy \"random\"; the policies are \"round_robin\", \"least_connections\"",
        "9:15: key `hosts.names[1]`: \"a:80\" has a port; leave the port out: it is ignored",
        "11:8: key `hosts.routes[0].path`: the path \"chat\" does not start with /",
        "12:12: key `hosts.routes[0].upstream`: there is no upstream \"wbe\"; did you mean \"web\"?",
        "13:8: key `hosts.routes[0].auth`: \"required\" needs an [auth] section and there is none",
        "18:8: key `hosts.routes[2].path`: the path \"/a\" has a route already, in line 15; remove one of the two",
    ];
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), wants.len(), "{error}");
    for (line, want) in lines.iter().zip(wants) {
        assert!(line.starts_with(&format!("proxy.conf:{want}")), "{line}\n{want}");
    }
}

#[test]
fn a_complaint_is_one_line_whatever_is_in_the_file() {
    let text = "[server]\nlisten = [\"a\\nb\\u001b[2J\\u202e\"]\n[upstreams.\"x\\u0000\"]\nservers = [\"\"]\n";
    let error = errors(&format!("{text}{SMALL}"));
    let [listen, servers] = error.lines().collect::<Vec<_>>()[..] else { panic!("{error}") };
    assert!(listen.contains(r#""a\u{a}b\u{1b}[2J\u{202e}" is not an address"#), "{listen}");
    assert!(servers.contains(r"key `upstreams.x\u{0}.servers`"), "{servers}");
}

#[test]
fn a_host_can_be_named_once() {
    let text = format!(
        "{SMALL}[[hosts]]\nnames = [\"*\"]\n[[hosts.routes]]\npath = \"/\"\nupstream = \"web\"\n"
    );
    assert!(errors(&text).contains("the host \"*\" is named twice"));
}

#[test]
fn an_empty_file_serves_nothing_and_says_so() {
    assert!(errors("").starts_with("proxy.conf:1:1: there is no route"));
}

#[test]
fn suspicious_settings_are_warnings() {
    let unused = format!("[upstreams.spare]\nservers = [\"a:1\"]\n{SMALL}");
    assert_eq!(
        warnings(&unused),
        [
            "proxy.conf:1:12: key `upstreams.spare`: no route uses this upstream; remove it, or add a route to it"
        ]
    );
    let closed = WITH_AUTH.replace("auth = \"none\"", "");
    assert!(warnings(&closed)[0].contains("the login page /login itself needs a session"));
    let open = WITH_AUTH.replace("max_body", "auth = \"none\"\nmax_body");
    assert!(warnings(&open)[0].contains("no route asks for a session"));
    let empty = format!("{SMALL}[[hosts]]\nnames = [\"a\"]\n");
    assert!(warnings(&empty)[0].contains("this host has no route"));
}

#[test]
fn trusted_proxies_are_networks() {
    let text = format!("[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n{SMALL}");
    let server = parse(&text).unwrap().config.server;
    for (address, trusted) in
        [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("::1", true), ("11.0.0.1", false)]
    {
        assert_eq!(server.trusts(address.parse().unwrap()), trusted, "{address}");
    }
    assert!(errors("[server]\ntrusted_proxies = [\"proxy\"]").contains("not a network"));
}

#[test]
fn variables_of_the_environment_are_put_in() {
    let text = SMALL.replace("127.0.0.1:9000", "${WEB}");
    assert!(
        errors(&text)
            .contains("key `upstreams.web.servers`: the environment variable WEB is not set")
    );
    let environment = |name: &str| (name == "WEB").then(|| "[::1]:7".to_owned());
    let config = Config::parse_with(&text, "f", &environment).unwrap().config;
    let at = Place::Net(Endpoint { host: "::1".to_owned(), port: 7 });
    assert_eq!(config.upstreams[0].servers, [Member { at, weight: 1, backup: false }]);
}

#[test]
fn a_file_that_is_not_there_is_one_line() {
    let error = Config::load(Path::new("/nowhere/proxy.conf")).map(|_| ()).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/proxy.conf: ") && error.contains("--config"), "{error}");
}

#[test]
fn trace_context_and_the_format_of_the_log_are_read() {
    let config = parse(SMALL).unwrap().config;
    assert_eq!((config.tracing, config.server.access_log_format), (None, None));
    let config = parse(&format!("[server]\naccess_log_format = \"combined\"\n[tracing]\n{SMALL}"))
        .unwrap()
        .config;
    assert_eq!(config.server.access_log_format, Some(Format::Combined));
    assert_eq!(config.tracing, Some(Tracing { sample: 1 << 32, from_clients: true, export: None }));
    let export = "export = \"http://otel:4318/v1/traces\"\nservice = \"door\"";
    let text = format!("[tracing]\nsample = \"25%\"\nfrom_clients = false\n{export}\n{SMALL}");
    let url = "http://otel:4318/v1/traces".parse().unwrap();
    let export = Some(Export { url, service: "door".to_owned() });
    let config = parse(&text).unwrap().config;
    assert_eq!(config.tracing, Some(Tracing { sample: 1 << 30, from_clients: false, export }));
    for bad in ["https://otel/", "otel:4318", "http://", "http://a@b/"] {
        let error = errors(&format!("[tracing]\nexport = \"{bad}\"\n{SMALL}"));
        assert!(error.contains("2:10: key `tracing.export`"), "{error}");
    }
    let error = errors("[server]\naccess_log_format = \"xml\"\n[tracing]\nsample = \"2\"\n");
    assert!(error.contains("2:21: key `server.access_log_format`: there is no format"), "{error}");
    assert!(error.contains("4:10: key `tracing.sample`: \"2\" is not a share"), "{error}");
}
