//! What it costs to find a route, from 10 to 10,000 routes and from 1 to 1,000 hosts.
//!
//! `cargo bench -p proxy --bench routing`

#![expect(clippy::unwrap_used, reason = "a bench that can't go on should say where")]

use std::fmt::Write as _;
use std::hint::black_box;

use divan::Bencher;
use proxy::Config;

fn main() {
    divan::main();
}

/// A configuration with so many hosts and so many routes on each.
fn config(hosts: usize, routes: usize) -> Config {
    let mut text = "[upstreams.web]\nservers = [\"127.0.0.1:1\"]\n".to_owned();
    for host in 0..hosts {
        let _ = writeln!(text, "[[hosts]]\nnames = [\"host{host}.test\", \"*.host{host}.test\"]");
        for route in 0..routes {
            let kind = if route.is_multiple_of(2) { "/*" } else { "" };
            let _ = writeln!(
                text,
                "[[hosts.routes]]\npath = \"/service{}/v1/item{route}{kind}\"\nupstream = \"web\"",
                route % 10
            );
        }
    }
    Config::parse(&text, "proxy.conf").unwrap().config
}

/// Requests that are spread over all hosts and routes, so that no look-up finds the last one's traces.
fn requests(hosts: usize, routes: usize) -> Vec<(String, String)> {
    (0..4096_usize)
        .map(|nth| {
            let host = (nth * 7919) % hosts;
            let route = (nth * 104_729) % routes;
            let below = if route.is_multiple_of(2) { "/part/of/it" } else { "" };
            (format!("host{host}.test"), format!("/service{}/v1/item{route}{below}", route % 10))
        })
        .collect()
}

fn bench(bencher: Bencher<'_, '_>, config: &Config, requests: &[(String, String)], found: bool) {
    assert!(requests.iter().all(|(host, path)| config.routes.find(host, path).is_some() == found));
    let mut next = requests.iter().cycle();
    bencher.bench_local(|| {
        let (host, path) = next.next().unwrap();
        black_box(config.routes.find(black_box(host), black_box(path)).is_some())
    });
}

#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn routes_of_one_host(bencher: Bencher<'_, '_>, routes: usize) {
    bench(bencher, &config(1, routes), &requests(1, routes), true);
}

#[divan::bench(args = [1, 10, 100, 1_000])]
fn hosts_of_ten_routes(bencher: Bencher<'_, '_>, hosts: usize) {
    bench(bencher, &config(hosts, 10), &requests(hosts, 10), true);
}

/// By the longest `*.suffix`.
#[divan::bench(args = [1, 10, 100, 1_000])]
fn hosts_by_suffix(bencher: Bencher<'_, '_>, hosts: usize) {
    let mut requests = requests(hosts, 10);
    for (host, _) in &mut requests {
        host.insert_str(0, "a.b.");
    }
    bench(bencher, &config(hosts, 10), &requests, true);
}

/// Paths that no route has.
#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn not_found(bencher: Bencher<'_, '_>, routes: usize) {
    let mut requests = requests(1, routes);
    for (_, path) in &mut requests {
        path.insert(path.len().min(9), 'x');
    }
    bench(bencher, &config(1, routes), &requests, false);
}
