//! Files of the web client (RFC 9110): strong ETags of their content, 304, single ranges, types.
//!
//! A request's path can only ever name a file below the folder: it is taken apart into plain names first,
//! and what it names is compared with the folder after links were followed. Contents are hashed once
//! and again when time or size of the file change; small files are kept in memory.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// Files up to this size are kept in memory.
const KEPT: u64 = 1024 * 1024;
/// Files kept at most; a web client has far fewer.
const MOST: usize = 4096;

/// A folder of files to serve.
pub struct Files {
    root: PathBuf,
    /// A std lock: held for a look-up, on a blocking thread.
    known: Mutex<HashMap<PathBuf, Arc<Known>>>,
}

struct Known {
    path: PathBuf,
    modified: Option<SystemTime>,
    size: u64,
    etag: HeaderValue,
    /// The content, of a small file.
    content: Option<Bytes>,
}

impl Files {
    /// Serves a folder.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn of(folder: &Path) -> io::Result<Self> {
        Ok(Self { root: folder.canonicalize()?, known: Mutex::default() })
    }

    /// Answers GET or HEAD for a file; `None` when there is none.
    ///
    /// # Errors
    /// When the file is there but can't be read.
    pub async fn serve(
        self: &Arc<Self>,
        method: &Method,
        headers: &HeaderMap,
        name: &Path,
    ) -> io::Result<Option<Response>> {
        let Some(known) = self.find(name).await? else { return Ok(None) };
        if matches(headers, &known.etag) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            describe(&mut response, &known, name);
            return Ok(Some(response));
        }
        let (status, range) = match wanted(method, headers, &known) {
            Wanted::All => (StatusCode::OK, 0..known.size),
            Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
            Wanted::Nothing => return Ok(Some(unsatisfiable(known.size))),
        };
        let length = range.end - range.start;
        let part = format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), known.size);
        let body =
            if method == Method::HEAD { Body::empty() } else { content(&known, range).await? };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        describe(&mut response, &known, name);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        if status == StatusCode::PARTIAL_CONTENT
            && let Ok(part) = HeaderValue::try_from(part)
        {
            headers.insert(CONTENT_RANGE, part);
        }
        Ok(Some(response))
    }

    /// The text of a small file, to be filled in; `None` when there is none.
    pub async fn text(self: &Arc<Self>, name: &Path) -> Option<String> {
        let content = self.find(name).await.ok()??.content.clone()?;
        String::from_utf8(content.into()).ok()
    }

    /// Whether there is such a file.
    pub async fn has(self: &Arc<Self>, name: &Path) -> bool {
        self.find(name).await.is_ok_and(|found| found.is_some())
    }

    async fn find(self: &Arc<Self>, name: &Path) -> io::Result<Option<Arc<Known>>> {
        let (files, name) = (self.clone(), name.to_owned());
        tokio::task::spawn_blocking(move || files.look(&name)).await.map_err(io::Error::other)?
    }

    fn look(&self, name: &Path) -> io::Result<Option<Arc<Known>>> {
        let path = match self.root.join(name).canonicalize() {
            Ok(path) => path,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        // A link that leads out of the folder is no file of the folder.
        if !path.starts_with(&self.root) {
            return Ok(None);
        }
        let meta = fs::metadata(&path)?;
        if !meta.is_file() {
            return Ok(None);
        }
        let modified = meta.modified().ok();
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&path)
            && (known.modified, known.size) == (modified, meta.len())
        {
            return Ok(Some(known.clone()));
        }
        let known = Arc::new(read(path.clone(), modified)?);
        let mut all = lock();
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(path, known.clone());
        Ok(Some(known))
    }
}

fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename | InvalidInput)
}

fn read(path: PathBuf, modified: Option<SystemTime>) -> io::Result<Known> {
    let mut file = fs::File::open(&path)?;
    let mut hash = Sha256::new();
    let mut content = Vec::new();
    let mut size = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        size += count as u64;
        hash.update(&buffer[..count]);
        if size <= KEPT {
            content.extend_from_slice(&buffer[..count]);
        }
    }
    let digest = hash.finalize();
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = HeaderValue::try_from(format!("\"{hex}\"")).map_err(io::Error::other)?;
    let content = (size <= KEPT).then(|| Bytes::from(content));
    Ok(Known { path, modified, size, etag, content })
}

/// The file that a URL's path names: plain names only. None for anything that means more to a file
/// system than it says (`..`, hidden files, empty names, separators in disguise).
pub fn name_of(path: &str) -> Option<PathBuf> {
    let mut name = PathBuf::new();
    for segment in path.strip_prefix('/')?.split('/') {
        let segment = percent_decode_str(segment).decode_utf8().ok()?;
        let plain = !segment.is_empty()
            && !segment.starts_with('.')
            && !segment.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | ':'));
        if !plain {
            return None;
        }
        name.push(segment.as_ref());
    }
    Some(name)
}

fn describe(response: &mut Response, known: &Known, name: &Path) {
    let headers = response.headers_mut();
    headers.insert(ETAG, known.etag.clone());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control(name)));
}

/// Code and pages are asked for anew each time (a 304 mostly), so that they always fit each other.
fn cache_control(name: &Path) -> &'static str {
    match extension(name) {
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "ico" | "woff2" | "woff" | "mp3"
        | "ogg" => "public, max-age=86400",
        _ => "no-cache",
    }
}

fn extension(name: &Path) -> &str {
    name.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

fn content_type(name: &Path) -> &'static str {
    match extension(name) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "txt" | "md" => "text/plain; charset=utf-8",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "wasm" => "application/wasm",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        _ => "application/octet-stream",
    }
}

/// `If-None-Match` (RFC 9110 §13.1.2): compared weakly.
fn matches(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok()).any(|line| {
        line.split(',').map(str::trim).any(|tag| {
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes()
        })
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Nothing,
}

/// `Range` and `If-Range` (RFC 9110 §13.1.5, §14): one range of bytes, of a GET; several, or
/// something else, mean the whole file.
fn wanted(method: &Method, headers: &HeaderMap, known: &Known) -> Wanted {
    let current = headers.get(IF_RANGE).is_none_or(|tag| tag == known.etag);
    let range = headers.get(RANGE).and_then(|value| value.to_str().ok());
    match range {
        Some(range) if method == Method::GET && current => parse_range(range, known.size),
        _ => Wanted::All,
    }
}

fn parse_range(text: &str, size: u64) -> Wanted {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return Wanted::All;
    };
    let number = |text: &str| {
        let text = text.trim();
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let range = match (first.trim().is_empty(), number(first), number(last)) {
        (false, Some(first), _) if last.trim().is_empty() => first..size,
        (false, Some(first), Some(last)) if first <= last => {
            first..size.min(last.saturating_add(1))
        }
        (true, _, Some(0)) => return Wanted::Nothing,
        (true, _, Some(count)) => size.saturating_sub(count)..size,
        _ => return Wanted::All,
    };
    if range.start >= size { Wanted::Nothing } else { Wanted::Part(range) }
}

fn unsatisfiable(size: u64) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    if let Ok(value) = HeaderValue::try_from(format!("bytes */{size}")) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    response
}

async fn content(known: &Known, range: Range<u64>) -> io::Result<Body> {
    if let Some(content) = &known.content {
        // Kept files are small: their sizes fit.
        return Ok(Body::from(content.slice(range.start as usize..range.end as usize)));
    }
    let mut file = tokio::fs::File::open(&known.path).await?;
    file.seek(SeekFrom::Start(range.start)).await?;
    Ok(Body::from_stream(ReaderStream::new(file.take(range.end - range.start))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_plain_file_or_nothing() {
        assert_eq!(name_of("/css/style.css"), Some(PathBuf::from("css/style.css")));
        assert_eq!(name_of("/l%E1%BB%9Bp.js"), Some(PathBuf::from("lớp.js")));
        for path in [
            "/",
            "//",
            "/a/",
            "/../x",
            "/a/../x",
            "/%2e%2e/x",
            "/%2e%2e%2fx",
            "/..%2fx",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/.git/config",
            "/a/.hidden",
            "/%00",
            "/a%0ab",
            "/%ff",
            "x",
            "",
            "/c:/x",
        ] {
            assert_eq!(name_of(path), None, "{path:?}");
        }
        // Decoded once only: what remains is an odd name, not a way up.
        assert_eq!(name_of("/%252e%252e/x"), Some(PathBuf::from("%2e%2e/x")));
    }

    #[test]
    fn one_range_is_a_part_and_several_are_the_whole() {
        assert_eq!(parse_range("bytes=0-3", 10), Wanted::Part(0..4));
        assert_eq!(parse_range("bytes=4-", 10), Wanted::Part(4..10));
        assert_eq!(parse_range("bytes=-3", 10), Wanted::Part(7..10));
        assert_eq!(parse_range("bytes=-30", 10), Wanted::Part(0..10));
        assert_eq!(parse_range("bytes=8-99", 10), Wanted::Part(8..10));
        assert_eq!(parse_range("bytes=10-", 10), Wanted::Nothing);
        assert_eq!(parse_range("bytes=-0", 10), Wanted::Nothing);
        assert_eq!(parse_range("bytes=0-", 0), Wanted::Nothing);
        for other in
            ["bytes=0-1,4-5", "bytes=5-2", "lines=0-1", "bytes=a-b", "bytes=-", "bytes=+1-2", ""]
        {
            assert_eq!(parse_range(other, 10), Wanted::All, "{other:?}");
        }
    }
}
