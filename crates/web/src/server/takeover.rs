//! Takes the TCP stream of an accepted websocket out of the HTTP dispatcher.
//!
//! The dispatcher hands over every request that asks to leave HTTP, stream included. A second instance of the same
//! application answers it, so routing, middleware and extractors decide as ever. Where the answer carries a [`Start`],
//! the stream goes on as a socket; any other answer is written as it is and ends the connection.

use std::{future::poll_fn, io, pin::pin, sync::Arc};

use actix_codec::{Encoder, Framed, FramedParts};
use actix_http::{
    ConnectionType, HttpMessage, Request, Response,
    body::{BodySize, BoxBody, MessageBody},
    h1::{Codec, Message},
};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, fn_factory};
use actix_web::{
    Error,
    dev::{AppConfig, ServiceResponse},
};
use bytes::BytesMut;
use futures_util::future::LocalBoxFuture;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::app::{Site, application};
use crate::ws::{Seats, Start};

type Upgrading = (Request, Framed<TcpStream, Codec>);

/// Makes the upgrade service of each worker.
pub(super) fn factory(
    site: Arc<Site>,
) -> impl ServiceFactory<Upgrading, Config = (), Response = (), Error = Error, InitError = ()> {
    fn_factory(move || {
        let site = Arc::clone(&site);
        async move {
            let app = application(Arc::clone(&site)).into_factory().new_service(AppConfig::default()).await?;
            Ok::<_, ()>(Takeover { app, seats: Seats::of(site.sockets()) })
        }
    })
}

struct Takeover<S> {
    app: S,
    seats: Seats,
}

impl<S> Service<Upgrading> for Takeover<S>
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>,
    S::Future: 'static,
{
    type Response = ();
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<(), Error>>;

    actix_service::always_ready!();

    fn call(&self, (request, framed): Upgrading) -> Self::Future {
        request.extensions_mut().insert(self.seats.clone());
        let answer = self.app.call(request);
        Box::pin(async move {
            let response = match answer.await {
                Ok(response) => Response::from(response),
                Err(error) => Response::from(error),
            };
            // actix would log this as an error, but a peer that goes away in a handshake is none.
            if let Err(error) = answer_and_go_on(framed.into_parts(), response).await {
                tracing::debug!(%error, "the answer to an upgrade could not be written");
            }
            Ok(())
        })
    }
}

async fn answer_and_go_on(
    parts: FramedParts<TcpStream, Codec>,
    mut response: Response<BoxBody>,
) -> io::Result<()> {
    // `write_buf` may hold the end of an answer to a request that came before on this connection.
    let FramedParts { mut io, mut codec, read_buf, mut write_buf, .. } = parts;
    let start = response.extensions_mut().remove::<Start>();
    if start.is_none() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let (head, body) = response.into_parts();
    let size = if start.is_some() { BodySize::Stream } else { body.size() };
    codec.encode(Message::Item((head, size)), &mut write_buf)?;
    match start {
        Some(start) => {
            io.write_all(&write_buf).await?;
            // A copy, so that the dispatcher's buffer of 8 KiB is freed.
            start.run(io, BytesMut::from(&read_buf[..]));
        }
        None => {
            write_body(body, &mut codec, &mut write_buf, &mut io).await?;
            io.shutdown().await?;
        }
    }
    Ok(())
}

async fn write_body(
    body: BoxBody,
    codec: &mut Codec,
    buffer: &mut BytesMut,
    io: &mut TcpStream,
) -> io::Result<()> {
    let mut body = pin!(body);
    while let Some(chunk) = poll_fn(|context| body.as_mut().poll_next(context)).await {
        let chunk = chunk.map_err(|error| io::Error::other(error.to_string()))?;
        codec.encode(Message::Chunk(Some(chunk)), buffer)?;
        io.write_all_buf(buffer).await?;
    }
    codec.encode(Message::Chunk(None), buffer)?;
    io.write_all_buf(buffer).await
}
