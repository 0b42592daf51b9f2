//! The PROXY header that a connection may begin with.

use proxy::proxy_protocol::told;

/// Reads the header at the beginning of these bytes. It must be the same however much of them is there.
pub fn run(bytes: &[u8]) {
    match told(bytes) {
        Ok(Some((length, client))) => {
            assert!(length <= bytes.len());
            let alone = told(&bytes[..length]);
            assert!(matches!(alone, Ok(Some(same)) if same == (length, client)), "{alone:?}");
            for end in 0..length {
                let part = told(&bytes[..end]);
                assert!(matches!(part, Ok(None)), "with {end} bytes of {length}: {part:?}");
            }
        }
        Ok(None) => {
            for end in 0..bytes.len() {
                assert!(matches!(told(&bytes[..end]), Ok(None)), "with {end} bytes");
            }
        }
        Err(_) => {
            let more = [bytes, b"\r\nGET / HTTP/1.1\r\n"].concat();
            assert!(told(&more).is_err(), "what was refused can't become good");
        }
    }
}
