//! Real servers that answer everything with `x-echo: METHOD TARGET` and write down what they saw, one JSON object a
//! line.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::io::FdFlags;
use rustix::process::{Pid, Signal};
use serde::Deserialize;
use tempfile::TempDir;

use super::super::support::{Upstream, soon};

/// A server that runs.
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) addr: SocketAddr,
    log: PathBuf,
    /// How much of the log was looked at.
    read: usize,
    dir: TempDir,
    child: Option<Child>,
    _upstream: Option<Upstream>,
    behind: Option<Box<Server>>,
}

/// A request as a server saw it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    body: String,
    /// What it was answered with.
    status: u16,
}

/// A server's command and configuration, written for a listener with this descriptor.
struct Recipe {
    /// Debian package.
    package: &'static str,
    command: &'static str,
    arguments: Vec<String>,
    /// Name and text.
    file: (&'static str, String),
    environment: Option<(&'static str, String)>,
}

impl Drop for Server {
    /// Ends it, and shows what it complained of if the test failed.
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = rustix::process::kill_process(Pid::from_child(child), Signal::TERM);
            let _ = child.wait();
        }
        for file in ["errors", "error.log"] {
            let text = std::fs::read_to_string(self.dir.path().join(file)).unwrap_or_default();
            if std::thread::panicking() && !text.is_empty() {
                eprintln!("{}: {text}", self.name);
            }
        }
    }
}

impl Server {
    pub(super) fn nginx() -> Self {
        Self::start("nginx", |dir, fd, addr| {
            let dir = dir.display();
            let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {dir}/{kind};\n"))
                .concat();
            let text = format!(
                r#"daemon off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log; events {{}}
http {{
  {temp}
  log_format seen escape=json
    '{{"method":"$request_method","target":"$request_uri","body":"$request_body","status":$status}}';
  access_log off;
  server {{
    listen {addr};
    access_log {dir}/log seen;
    client_body_buffer_size 64k;
    location / {{
      proxy_pass http://unix:{dir}/inner:;
      add_header x-echo "$request_method $request_uri";
    }}
  }}
  server {{ listen unix:{dir}/inner; return 200 ok; }}
}}"#
            );
            Recipe {
                package: "nginx",
                command: "nginx",
                arguments: vec!["-p".into(), dir.to_string(), "-c".into(), format!("{dir}/conf")],
                file: ("conf", text),
                environment: Some(("NGINX", format!("{fd};"))),
            }
        })
    }

    /// HAProxy with a strict reader behind it, which writes down what HAProxy makes of a request.
    pub(super) async fn haproxy() -> Self {
        let behind = Self::strict().await;
        let addr = behind.addr;
        let mut server = Self::start("HAProxy", |dir, fd, _| {
            let text = format!(
                r#"defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
listen front
  bind fd@{fd}
  server behind {addr}
"#
            );
            Recipe {
                package: "haproxy",
                command: "haproxy",
                arguments: vec!["-db".into(), "-f".into(), format!("{}/conf", dir.display())],
                file: ("conf", text),
                environment: None,
            }
        });
        server.log.clone_from(&behind.log);
        server.behind = Some(Box::new(behind));
        server
    }

    pub(super) fn gunicorn() -> Self {
        Self::start("gunicorn", |dir, fd, _| {
            let text = r#"
import json

def app(environ, start_response):
    method, target = environ["REQUEST_METHOD"], environ["RAW_URI"]
    body = environ["wsgi.input"].read()
    if len(body) != int(environ.get("CONTENT_LENGTH") or len(body)):
        raise OSError("the body breaks off")
    seen = {"method": method, "target": target, "body": body.decode("latin-1"), "status": 200}
    print(json.dumps(seen), flush=True)
    start_response("200 OK", [("x-echo", f"{method} {target}"), ("content-length", "2")])
    return [b"" if method == "HEAD" else b"ok"]
"#;
            let options = [
                "--chdir",
                &dir.display().to_string(),
                "--bind",
                &format!("fd://{fd}"),
                "--worker-class",
                "gthread",
                "--threads",
                "4",
                "--keep-alive",
                "10",
                "--graceful-timeout",
                "1",
                "seen:app",
            ];
            Recipe {
                package: "gunicorn",
                command: "gunicorn",
                arguments: options.map(ToOwned::to_owned).into(),
                file: ("seen.py", text.into()),
                environment: None,
            }
        })
    }

    pub(super) fn node() -> Self {
        Self::start("node", |dir, fd, _| {
            let text = format!(
                r#"
const server = require("http").createServer((request, response) => {{
  const {{ method, url: target }} = request;
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {{
    const body = Buffer.concat(pieces).toString("latin1");
    require("fs").writeSync(1, JSON.stringify({{ method, target, body, status: 200 }}) + "\n");
    response.setHeader("x-echo", `${{method}} ${{target}}`);
    response.end("ok");
  }});
}});
server.keepAliveTimeout = 10000;
server.listen({{ fd: {fd} }});
"#
            );
            Recipe {
                package: "nodejs",
                command: "node",
                arguments: vec![format!("{}/seen.js", dir.display())],
                file: ("seen.js", text),
                environment: None,
            }
        })
    }

    /// A reader of our own, which takes nothing but what is certain.
    pub(super) async fn strict() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let file = std::sync::Arc::new(File::create(&log).unwrap());
        let upstream = Upstream::scripted(move |mut conn| {
            let file = file.clone();
            async move {
                while let Some(message) = conn.message().await {
                    let (method, target) = (message.method, message.target);
                    let echo = format!("x-echo: {method} {target}");
                    let body = message.body.unwrap_or_default();
                    let seen = serde_json::json!({
                        "method": method, "target": target, "body": body, "status": 200,
                    });
                    std::io::Write::write_all(&mut &*file, format!("{seen}\n").as_bytes()).unwrap();
                    let length = if method == "HEAD" { "" } else { "ok" };
                    conn.send(format!(
                        "HTTP/1.1 200 OK\r\n{echo}\r\ncontent-length: 2\r\n\r\n{length}"
                    ))
                    .await;
                }
            }
        })
        .await;
        let addr = upstream.addr;
        let (read, child) = (0, None);
        Self {
            name: "strict",
            addr,
            log,
            read,
            dir,
            child,
            _upstream: Some(upstream),
            behind: None,
        }
    }

    /// The listener exists before the server does, so there is no port to race for and nothing to wait for.
    fn start(name: &'static str, recipe: impl Fn(&Path, i32, SocketAddr) -> Recipe) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let Recipe { package, command, arguments, file, environment } =
            recipe(dir.path(), listener.as_raw_fd(), addr);
        std::fs::write(dir.path().join(file.0), file.1).unwrap();
        let log = dir.path().join("log");
        let errors = File::create(dir.path().join("errors")).unwrap();
        rustix::io::fcntl_setfd(&listener, FdFlags::empty()).unwrap();
        // Not everybody's PATH has this folder.
        let own = Path::new("/usr/sbin").join(command);
        let child = Command::new(if own.exists() { own } else { command.into() })
            .args(arguments)
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(File::options().create(true).append(true).open(&log).unwrap())
            .stderr(errors)
            .spawn();
        let child = match child {
            Err(error) if error.kind() == ErrorKind::NotFound => panic!(
                "{command} isn't installed: this needs the Debian package {package} (scripts/test installs it)"
            ),
            child => child.unwrap(),
        };
        Self { name, addr, log, read: 0, dir, child: Some(child), _upstream: None, behind: None }
    }

    /// What it answered since the last time, up to the request for this target, which is waited for.
    pub(super) async fn seen_until(&mut self, target: &str) -> Vec<Seen> {
        soon(self.name, async {
            loop {
                let text = std::fs::read_to_string(&self.log).unwrap_or_default();
                let new = &text[self.read..];
                let whole = &new[..new.rfind('\n').map_or(0, |at| at + 1)];
                let mut seen: Vec<Seen> =
                    whole.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
                if let Some(end) = seen.iter().position(|one| one.target == target) {
                    self.read += whole.len();
                    seen.truncate(end);
                    seen.retain(|one| one.status == 200);
                    // gunicorn takes `geT` for GET; where a request ends is not touched by that.
                    seen.iter_mut().for_each(|one| one.method.make_ascii_uppercase());
                    return seen;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
    }
}
