use std::time::Duration;

use super::*;

fn limiter(by: RateBy, requests: u32, burst: u32, clients: usize) -> Limiter {
    let config = Config::parse(
        "[[hosts]]\nnames = [\"a\"]\nroutes = [{ path = \"/\", respond = { status = 200 } }]",
        "proxy.conf",
    );
    let config = config.unwrap().config;
    let pace = Pace::new(requests, Duration::from_secs(60), burst);
    Limiter::new("a", config.routes.iter().next().unwrap(), &RateLimit { pace, by, clients })
}

fn address(text: &str) -> Who<'static> {
    Who::Address(text.parse().unwrap())
}

#[test]
fn each_client_is_counted_by_itself_and_an_ipv6_network_is_one() {
    let limiter = limiter(RateBy::Client, 60, 2, 100);
    let now = limiter.started;
    let clients = ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8:0:1::1", "fe80::1"];
    for client in clients {
        for _ in 0..2 {
            assert_eq!(limiter.admit(address(client), now), Ok(()), "{client}");
        }
        assert_eq!(limiter.admit(address(client), now), Err(1), "{client}");
    }
    assert_eq!(limiter.admit(address("2001:db8::ffff:1"), now), Err(1), "of the same network");
    assert_eq!(limiter.len(), clients.len());
}

#[test]
fn the_wait_is_told_in_whole_seconds_rounded_up() {
    let limiter = limiter(RateBy::Route, 24, 1, 1);
    let now = limiter.started;
    assert_eq!(limiter.admit(Who::Everyone, now), Ok(()));
    // 2.5 seconds for each.
    for (after, outcome) in
        [(0, Err(3)), (499, Err(3)), (500, Err(2)), (2_499, Err(1)), (2_500, Ok(()))]
    {
        let at = now + Duration::from_millis(after);
        assert_eq!(limiter.admit(Who::Everyone, at), outcome, "after {after} ms");
    }
}

#[test]
fn a_table_never_grows_beyond_its_bound() {
    for clients in [1, 7, 16, 100] {
        let limiter = limiter(RateBy::Client, 1, 1, clients);
        for client in 0..10_000_u32 {
            let _ = limiter.admit(Who::Value(&client.to_le_bytes()), limiter.started);
        }
        assert!(limiter.len() <= clients, "{} of {clients}", limiter.len());
        assert!(limiter.len() >= clients / 2, "{} of {clients}", limiter.len());
    }
}

#[test]
fn the_one_who_was_away_for_longest_is_forgotten_first() {
    let limiter = limiter(RateBy::Client, 1, 1, 1);
    let now = limiter.started;
    assert!(limiter.admit(address("10.0.0.1"), now).is_ok());
    assert!(limiter.admit(address("10.0.0.1"), now).is_err());
    assert!(limiter.admit(address("10.0.0.2"), now).is_ok());
    assert!(limiter.admit(address("10.0.0.1"), now).is_ok(), "made room for another");
}

#[test]
fn who_has_nothing_left_to_be_remembered_goes() {
    let limiter = limiter(RateBy::Client, 60, 1, 100_000);
    for client in 0..1000_u32 {
        let _ = limiter.admit(Who::Value(&client.to_le_bytes()), limiter.started);
    }
    assert_eq!(limiter.len(), 1000);
    let later = limiter.started + Duration::from_secs(2);
    for client in 1000..2000_u32 {
        let _ = limiter.admit(Who::Value(&client.to_le_bytes()), later);
    }
    assert!(limiter.len() < 1100, "{}", limiter.len());
}
