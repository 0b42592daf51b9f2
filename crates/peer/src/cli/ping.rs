//! `peer ping`.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::args::PingArgs;
use super::client::Client;
use super::exit::{Exit, Failed};
use super::output::Output;
use super::setup::{Interrupts, Setup};

/// The pause between two looks for a link; its event comes sooner as a rule.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Measures the round trip over the direct links with a peer.
///
/// # Errors
/// [`Failed`], when there is no link in time among others.
pub async fn run(setup: Setup, ping: PingArgs) -> Result<Exit, Failed> {
    let mut interrupts = Interrupts::new()?;
    let mut client = Client::open(&setup).await?;
    let outcome = tokio::select! {
        outcome = measure(&mut client, setup.output(), &ping) => outcome,
        () = interrupts.next() => Ok(Exit::Interrupted),
    };
    interrupts.last();
    client.close().await;
    outcome
}

async fn measure(client: &mut Client, output: Output, ping: &PingArgs) -> Result<Exit, Failed> {
    let to = ping.peer.as_str();
    if !linked(client, ping).await? {
        return Err(Failed::because(format!("no direct link with {to} within {} s", ping.wait)));
    }
    for number in 0..ping.count {
        if number > 0 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let reply = client.ask("ping", json!({ "to": ping.peer })).await?;
        for pong in reply["pongs"].as_array().cloned().unwrap_or_default() {
            let object = json!({
                "type": "pong", "peer": to, "device": pong["device"], "way": pong["way"],
                "millis": pong["millis"],
            });
            output.write(&object, Some(&line(to, &pong)))?;
        }
    }
    Ok(Exit::Done)
}

/// Waits for a link.
async fn linked(client: &mut Client, ping: &PingArgs) -> Result<bool, Failed> {
    let deadline = Instant::now() + Duration::from_secs(ping.wait);
    loop {
        client.ask("connect", json!({ "to": ping.peer })).await?;
        let links = client.ask("links", json!({})).await?;
        if links["links"].as_array().into_iter().flatten().any(|link| is_of(link, ping)) {
            return Ok(true);
        }
        let look = deadline.min(Instant::now() + LOOK_EVERY);
        while let Ok(event) = tokio::time::timeout_at(look, client.event()).await {
            let event = event?;
            if event["type"] == "online" || (event["type"] == "link" && is_of(&event, ping)) {
                break;
            }
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
    }
}

fn is_of(link: &Value, ping: &PingArgs) -> bool {
    link["peer"].as_str().is_some_and(|peer| peer.eq_ignore_ascii_case(ping.peer.as_str()))
}

fn line(to: &str, pong: &Value) -> String {
    let device = pong["device"].as_str().unwrap_or_default();
    let (way, millis) = (pong["way"].as_str().unwrap_or_default(), &pong["millis"]);
    format!("{to} ({device}, {way}): {:.2} ms", millis.as_f64().unwrap_or_default())
}
