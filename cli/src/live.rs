//! The stream of everything at a glance, from the reader's side: frames as they come, added up.

use crate::client::{Client, ClientError};
use reqwest::Response;
use shared::api::LiveFrame;

/// A stream of frames.
#[derive(Debug)]
pub struct LiveStream<'a> {
    client: &'a Client,
    response: Response,
    unread: Vec<u8>,
    known: Option<LiveFrame>,
}

impl<'a> LiveStream<'a> {
    /// What `client` answers to `GET /api/live`.
    pub async fn open(client: &'a Client) -> Result<Self, ClientError> {
        Ok(Self { client, response: client.live().await?, unread: Vec::new(), known: None })
    }

    /// All that is known with the next frame; nothing when the coordinator has ended the stream.
    pub async fn next(&mut self) -> Result<Option<&LiveFrame>, ClientError> {
        let event = loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                break self.unread.drain(..end + 2).collect::<Vec<u8>>();
            }
            let piece = self.response.chunk().await.map_err(|error| self.client.unreachable("watch the farm", &error))?;
            let Some(piece) = piece else { return Ok(None) };
            self.unread.extend_from_slice(&piece);
        };
        let json = event.strip_prefix(b"data: ").unwrap_or(&event);
        let frame: LiveFrame = serde_json::from_slice(json).map_err(|error| self.client.foreign("watch the farm", &error))?;
        match &mut self.known {
            Some(known) => known.follow(frame),
            None => self.known = Some(frame),
        }
        Ok(self.known.as_ref())
    }
}
