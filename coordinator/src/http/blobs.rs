//! Files shipped by content.

use super::App;
use super::error::ApiError;
use crate::blobs::BlobError;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use futures_util::stream;
use shared::api::ErrorBody;
use shared::id::Digest;
use std::io::Read;

/// Bytes read from the disk at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Which of these blobs are not there.
#[utoipa::path(post, path = "/api/blobs/missing", request_body = Vec<String>, responses((status = 200, body = Vec<String>)))]
pub async fn missing(State(app): State<App>, Json(asked): Json<Vec<Digest>>) -> Json<Vec<Digest>> {
    Json(asked.into_iter().filter(|digest| !app.blobs.has(*digest)).collect())
}

/// Stores a blob under its SHA-256.
#[utoipa::path(put, path = "/api/blobs/{digest}", params(("digest" = String, Path)), request_body = Vec<u8>,
    responses((status = 201, description = "stored"), (status = 422, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn store(State(app): State<App>, Path(digest): Path<Digest>, content: Bytes) -> Result<StatusCode, ApiError> {
    let stored = tokio::task::spawn_blocking(move || app.blobs.store(digest, &content)).await.map_err(ApiError::internal)?;
    stored.map(|()| StatusCode::CREATED).map_err(|error| match error {
        BlobError::Mismatch { .. } => {
            ApiError::unprocessable(error.to_string(), "compute the digest again and send the content again")
        }
        BlobError::Disk { .. } => {
            ApiError::unavailable(error.to_string(), "check the disk under the data folder, then send it again")
        }
    })
}

/// A blob.
#[utoipa::path(get, path = "/api/blobs/{digest}", params(("digest" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, body = ErrorBody)))]
pub async fn fetch(State(app): State<App>, Path(digest): Path<Digest>) -> Result<impl IntoResponse, ApiError> {
    let path = app.blobs.path(digest);
    let absent = |_| ApiError::not_found(format!("blob {digest} is not here"), "send it with PUT first");
    let file = tokio::fs::File::open(path).await.map_err(absent)?.into_std().await;
    let pieces = stream::unfold(file, |mut file| async {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; CHUNK_BYTES];
            let bytes = file.read(&mut piece)?;
            piece.truncate(bytes);
            Ok::<_, std::io::Error>((piece, file))
        });
        match read.await {
            Ok(Ok((piece, _))) if piece.is_empty() => None,
            Ok(Ok((piece, file))) => Some((Ok(piece), file)),
            Ok(Err(_)) | Err(_) => None,
        }
    });
    Ok(Body::from_stream(stream::StreamExt::map(pieces, |piece: Result<Vec<u8>, std::io::Error>| piece)))
}
