//! HTTP by hand: requests that no client library would send, and answers byte for byte.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::patience;

/// An answer's head and body as they came.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// What followed, as far as the connection or `Content-Length` went.
    pub body: String,
}

/// Sends `head` (lines without their ends; `Connection: close` is up to the caller) and reads one answer.
///
/// # Errors
/// When no whole head comes back.
pub async fn exchange(addr: &str, lines: &[&str], body: &[u8]) -> Result<RawAnswer, String> {
    let asking = async {
        let mut stream = TcpStream::connect(addr).await?;
        let mut request = lines.join("\r\n").into_bytes();
        request.extend(b"\r\n\r\n");
        request.extend(body);
        stream.write_all(&request).await?;
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        while !complete(&bytes) {
            match stream.read(&mut chunk).await? {
                0 => break,
                read => bytes.extend_from_slice(&chunk[..read]),
            }
        }
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = tokio::time::timeout(patience(), asking)
        .await
        .map_err(|_| "no answer in time".to_owned())?
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").ok_or(format!("no head in {text:?}"))?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or(format!("no status in {head:?}"))?;
    Ok(RawAnswer { status, head: head.to_owned(), body: body.to_owned() })
}

/// Whether the answer is all there: by its `Content-Length`, its last chunk, or a status without body.
fn complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let lower = head.to_ascii_lowercase();
    if lower.starts_with("http/1.1 101") || lower.starts_with("http/1.1 204") {
        return true;
    }
    match lower.lines().find_map(|line| line.strip_prefix("content-length:")) {
        Some(length) => length.trim().parse().is_ok_and(|length: usize| body.len() >= length),
        None => lower.contains("transfer-encoding: chunked") && body.ends_with("0\r\n\r\n"),
    }
}
