"""The front doors that are compared, set up alike: same upstream, workers, added headers, keep-alive, access log to a file."""

from dataclasses import dataclass, field
from pathlib import Path

from programs import Program, free_port, write

NAMES = ("nginx", "haproxy", "caddy", "proxy")


@dataclass
class Setup:
    """What a row asks of a front door."""

    folder: Path
    upstream: int
    workers: int
    files: int
    #: Client connections at most.
    connections: int
    binary: Path | None = None
    #: Path prefixes that have a route of their own, before the one for everything.
    paths: list = field(default_factory=list)
    #: Host names that have a site of their own; every host when empty.
    hosts: list = field(default_factory=list)
    #: Certificate and key: the door speaks TLS, HTTP/1.1 and HTTP/2.
    tls: tuple | None = None
    #: The port of a service that decides about each request.
    auth: int | None = None


class Unable(Exception):
    """This door has no such thing by itself."""


def start(name, setup):
    folder = setup.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command, environment = DOORS[name](setup, folder, port)
    return Program(name, command, folder, port, environment)


# ---------------------------------------------------------------- nginx

NGINX_COMMON = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
worker_processes {workers};
worker_rlimit_nofile {files};
events {{ worker_connections {sockets}; multi_accept on; }}
"""

NGINX_HTTP = """
http {{
  log_format line '$time_iso8601 $remote_addr $request_method $host $uri $status $body_bytes_sent $request_time $upstream_response_time $request_id';
  access_log {folder}/access.log line buffer=64k flush=1s;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  http2_max_requests 1000000000;
  http2_max_concurrent_streams 128;
  client_max_body_size 0;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server_names_hash_max_size 8192;
  server_names_hash_bucket_size 128;
  # Its default ends at 1.2, where a session that is taken up again costs no key agreement.
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:tls:10m;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream web {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 1000000000; }}
  proxy_http_version 1.1;
  proxy_buffering off;
  proxy_request_buffering off;
  proxy_read_timeout 1h;
  proxy_set_header Host $http_host;
  proxy_set_header Connection $connection_upgrade;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header Forwarded 'for=$remote_addr;host="$http_host";proto=$scheme';
  proxy_set_header Via '1.1 nginx';
  proxy_set_header X-Request-Id $request_id;
{identity}{sites}
}}
"""


def nginx(setup, folder, port):
    locations = "".join(f"    location {path}/ {{ proxy_pass http://web; }}\n" for path in setup.paths)
    auth = ""
    if setup.auth:
        locations += "    location = /_auth { internal; proxy_pass http://auth/verify; proxy_pass_request_body off; }\n"
        auth = "auth_request /_auth; auth_request_set $identity $upstream_http_x_identity;"
    tls = f"ssl_certificate {setup.tls[0]}; ssl_certificate_key {setup.tls[1]};" if setup.tls else ""
    listen = f"127.0.0.1:{port}{' ssl http2' if setup.tls else ''}"
    sites = [
        f"  server {{ listen {listen}{' backlog=4096 reuseport' if index == 0 else ''}; {f'server_name {host};' if host else ''} {tls}\n{locations}"
        f"    location / {{ {auth} proxy_pass http://web; }}\n  }}\n"
        for index, host in enumerate(setup.hosts or [None])]
    if setup.auth:
        sites.append(f"  upstream auth {{ server 127.0.0.1:{setup.auth}; keepalive 1024; keepalive_requests 1000000000; }}\n")
    text = NGINX_COMMON + NGINX_HTTP
    text = text.format(
        folder=folder, workers=setup.workers, files=setup.files, sockets=2 * setup.connections, upstream=setup.upstream, sites="".join(sites),
        identity="  proxy_set_header X-Identity $identity;\n" if setup.auth else "")
    return ["nginx", "-p", folder, "-c", write(folder, "nginx.conf", text)], None


# ---------------------------------------------------------------- HAProxy

HAPROXY = """
global
  nbthread {workers}
  maxconn {most}
  log stdout format raw local0
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  log global
  option httplog
  option http-keep-alive
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend front
  bind 127.0.0.1:{port} backlog 4096{tls}
  unique-id-format %{{+X}}o%ci%cp%Ts%rt
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto {scheme}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header Forwarded for=%[src];host=\\"%[req.hdr(host)]\\";proto={scheme}
  http-request set-header Via 1.1\\ haproxy
{choices}  default_backend web
backend web
  http-reuse always
  server one 127.0.0.1:{upstream} pool-max-conn -1
"""


def haproxy(setup, folder, port):
    if setup.auth:
        raise Unable("asks nobody without a Lua program")
    tls = ""
    if setup.tls:
        both = write(folder, "both.pem", Path(setup.tls[0]).read_text() + Path(setup.tls[1]).read_text())
        tls = f" ssl crt {both} alpn h2,http/1.1"
    choices = ""
    if setup.paths:
        table = write(folder, "paths.map", "".join(f"{path}/ web\n" for path in setup.paths))
        choices += f"  use_backend %[path,map_beg({table},web)]\n"
    if setup.hosts:
        table = write(folder, "hosts.map", "".join(f"{host} web\n" for host in setup.hosts))
        choices += f"  use_backend %[req.hdr(host),field(1,:),lower,map_str({table},web)]\n"
    text = HAPROXY.format(
        workers=setup.workers,
        # HAProxy stops reusing connections when it has used a part of its descriptors: give it all.
        most=(setup.files - 200) // 2, port=port, tls=tls, scheme="https" if tls else "http", choices=choices, upstream=setup.upstream)
    return ["haproxy", "-db", "-q", "-f", write(folder, "haproxy.cfg", text)], None


# ---------------------------------------------------------------- Caddy

CADDY = """
{{
  admin off
  auto_https off
  storage file_system {folder}/storage
  log default {{
    output stderr
    level ERROR
  }}
}}
(web) {{
  reverse_proxy 127.0.0.1:{upstream} {{
    header_up X-Request-Id {{http.request.uuid}}
    header_up Via "1.1 caddy"
    header_up Forwarded "for={{remote_host}};host={{hostport}};proto={{scheme}}"
    flush_interval -1
    transport http {{
      keepalive 1h
      keepalive_idle_conns 4096
      keepalive_idle_conns_per_host 4096
    }}
  }}
}}
{sites}
"""


def caddy(setup, folder, port):
    scheme = "https" if setup.tls else "http"
    tls = f"  tls {setup.tls[0]} {setup.tls[1]}\n" if setup.tls else ""
    routes = "".join(f"  handle {path}/* {{\n    import web\n  }}\n" for path in setup.paths)
    auth = ""
    if setup.auth:
        auth = f"  forward_auth 127.0.0.1:{setup.auth} {{\n    uri /verify\n    copy_headers X-Identity\n  }}\n"
    sites = ", ".join(f"{scheme}://{host}:{port}" for host in setup.hosts or [""])
    site = (
        f"{sites} {{\n  bind 127.0.0.1\n{tls}  log {{\n    output file {folder}/access.log\n    format json\n  }}\n{auth}{routes}"
        f"  handle {{\n    import web\n  }}\n}}\n")
    text = CADDY.format(folder=folder, upstream=setup.upstream, sites=site)
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", write(folder, "Caddyfile", text)]
    return command, {"GOMAXPROCS": str(setup.workers), "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}


# ---------------------------------------------------------------- this proxy

PROXY = """
[server]
listen = [{listen}]
workers = {workers}
access_log = "{folder}/access.log"
{tables}
[upstreams.web]
servers = ["127.0.0.1:{upstream}"]
max_connections = {connections}
"""


def proxy(setup, folder, port):
    listen, tables = f'"127.0.0.1:{port}"', ""
    if setup.tls:
        listen = f'{{ address = "127.0.0.1:{port}", tls = "certificates" }}'
        tables = f'[[tls.certificates]]\ncert = "{setup.tls[0]}"\nkey = "{setup.tls[1]}"\n'
    if setup.auth:
        tables += (
            f'[auth]\nupstream = "auth"\npath = "/verify"\ncache = "0s"\nidentity_header = "x-identity"\n'
            f'[upstreams.auth]\nservers = ["127.0.0.1:{setup.auth}"]\n')
    text = PROXY.format(
        listen=listen, workers=setup.workers, folder=folder, tables=tables, upstream=setup.upstream,
        # Each worker has its share, and the kernel may give all clients to one.
        connections=setup.workers * setup.connections)
    routes = "".join(f'[[hosts.routes]]\npath = "{path}/*"\nupstream = "web"\n' for path in setup.paths)
    for host in setup.hosts or ["*"]:
        text += f'[[hosts]]\nnames = ["{host}"]\n{routes}[[hosts.routes]]\npath = "/*"\nupstream = "web"\n'
    return [setup.binary, "--config", write(folder, "proxy.conf", text)], None


DOORS = {"nginx": nginx, "haproxy": haproxy, "caddy": caddy, "proxy": proxy}
