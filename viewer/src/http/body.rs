use std::io::Read;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::answer::Problem;
use super::arrival::{Gone, gone};

pub(super) fn is_protobuf(headers: &HeaderMap) -> bool {
    kind(headers) == Some("application/x-protobuf")
}

/// The content type without its parameters.
pub(super) fn kind(headers: &HeaderMap) -> Option<&str> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    kind.split(';').next().map(str::trim)
}

/// The body, unpacked if it was packed, and no larger than that either way.
pub(super) async fn unpacked(request: Request<Body>, most: usize) -> Result<Bytes, Problem> {
    let encoding = request
        .headers()
        .get(header::CONTENT_ENCODING)
        .map(|encoding| encoding.as_bytes().to_ascii_lowercase());
    let is_packed = match encoding.as_deref() {
        None | Some(b"" | b"identity") => false,
        Some(b"gzip" | b"x-gzip") => true,
        Some(_) => {
            let message = "`content-encoding` must be gzip or identity";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
    };
    let collected = Limited::new(request.into_body(), most).collect().await;
    let bytes = collected.map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() { too_large(most) } else { broken_off(&*error) }
    })?;
    if is_packed { unpack(&bytes.to_bytes(), most) } else { Ok(bytes.to_bytes()) }
}

fn unpack(bytes: &[u8], most: usize) -> Result<Bytes, Problem> {
    let mut unpacked = Vec::new();
    // One byte more tells whether there is too much.
    let read = MultiGzDecoder::new(bytes).take(most as u64 + 1).read_to_end(&mut unpacked);
    read.map_err(|error| Problem::bad(format!("the body is not gzip: {error}")))?;
    if unpacked.len() > most { Err(too_large(most)) } else { Ok(unpacked.into()) }
}

fn too_large(most: usize) -> Problem {
    let message = format!("a body must have at most {most} bytes, unpacked");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn broken_off(error: &(dyn std::error::Error + 'static)) -> Problem {
    gone(error).map_or_else(|| Problem::bad("the body broke off"), Problem::from)
}

impl From<Gone> for Problem {
    /// Of 408 and 503, exporters send only what got the latter again.
    fn from(gone: Gone) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, gone.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        let bomb = pack(&vec![0; 10 << 20]);
        assert!(bomb.len() < 20_000, "{}", bomb.len());
        assert_eq!(unpack(&bomb, 1 << 20).unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
        // It is not unpacked to its end, which is missing here.
        let cut = &bomb[..bomb.len() - 8];
        assert_eq!(unpack(cut, 1 << 20).unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(unpack(cut, 20 << 20).unwrap_err().status(), StatusCode::BAD_REQUEST);
        assert_eq!(unpack(&pack(b"fine"), 4).unwrap(), "fine");
        assert_eq!(unpack(b"not gzip", 100).unwrap_err().status(), StatusCode::BAD_REQUEST);
    }
}
