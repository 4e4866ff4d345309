//! The lives of a simulator: from a start or revival to the next death.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::event::SmscEvent;
use super::state::Shared;
use super::{SmscSettings, connection};
use crate::tls::ServerTls;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// All that outlives a death, and the life that goes on now.
pub(super) struct Lives {
    pub(super) address: SocketAddr,
    pub(super) shared: Arc<Shared>,
    tls: Option<ServerTls>,
    life: watch::Sender<Life>,
}

/// The listener and the connections of one life.
#[derive(Clone, Default)]
struct Life {
    /// Cancelled to kill them all.
    death: CancellationToken,
    tasks: TaskTracker,
}

impl Lives {
    pub(super) async fn start(settings: SmscSettings) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind(settings.listen).await?;
        let lives = Arc::new(Self {
            address: listener.local_addr()?,
            tls: settings.tls.clone(),
            shared: Arc::new(Shared::new(settings)),
            life: watch::Sender::default(),
        });
        lives.live(listener);
        tokio::spawn(watch_over(Arc::downgrade(&lives), lives.life.subscribe()));
        Ok(lives)
    }

    fn live(&self, listener: TcpListener) {
        let life = Life::default();
        let doorman = Doorman { shared: Arc::clone(&self.shared), tls: self.tls.clone(), life: life.clone() };
        life.tasks.spawn(doorman.accept(listener));
        self.life.send_replace(life);
    }

    /// Ends the life that goes on now.
    pub(super) fn end(&self) {
        self.life.borrow().death.cancel();
    }

    /// Ends the life that goes on now and begins another at the same address.
    pub(super) async fn begin(&self) -> io::Result<()> {
        let old = self.life.borrow().clone();
        old.death.cancel();
        old.tasks.close();
        old.tasks.wait().await;
        self.live(TcpListener::bind(self.address).await?);
        Ok(())
    }
}

impl Drop for Lives {
    fn drop(&mut self) {
        self.end();
    }
}

/// Begins a new life after a death by [`super::Behaviour::die_after`] that asks for it, as long as the simulator is held.
async fn watch_over(lives: Weak<Lives>, mut life: watch::Receiver<Life>) {
    loop {
        let death = life.borrow_and_update().death.clone();
        death.cancelled().await;
        let Some(after) = lives.upgrade().and_then(|lives| lives.shared.take_revival()) else {
            // Whoever killed it may revive it, or drop it.
            if life.changed().await.is_err() {
                return;
            }
            continue;
        };
        tokio::time::sleep(after).await;
        let Some(lives) = lives.upgrade() else { return };
        if life.has_changed().unwrap_or(true) {
            continue;
        }
        match lives.begin().await {
            Ok(()) => lives.shared.tell(|| SmscEvent::Revived),
            Err(error) => tracing::error!(%error, "the simulator cannot listen again"),
        }
    }
}

/// Takes connections in.
#[derive(Clone)]
struct Doorman {
    shared: Arc<Shared>,
    tls: Option<ServerTls>,
    life: Life,
}

impl Doorman {
    async fn accept(self, listener: TcpListener) {
        loop {
            tokio::select! {
                () = self.life.death.cancelled() => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        self.life.tasks.spawn(self.clone().serve(stream));
                    }
                    // Out of descriptors, or a peer that went away: the next may be better, but not at once.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                },
            }
        }
    }

    async fn serve(self, mut stream: TcpStream) {
        // Without it answers only come later.
        let _ = stream.set_nodelay(true);
        let death = self.life.death.clone();
        let Some(tls) = self.tls else {
            let (reader, writer) = stream.split();
            return connection::serve(reader, writer, self.shared, death).await;
        };
        let handshake = tokio::select! {
            () = death.cancelled() => return,
            handshake = tokio::time::timeout(HANDSHAKE, tls.accept(stream)) => handshake,
        };
        match handshake {
            Ok(Ok(stream)) => {
                let (reader, writer) = tokio::io::split(stream);
                connection::serve(reader, writer, self.shared, death).await;
            }
            Ok(Err(_)) | Err(_) => self.shared.tell(|| SmscEvent::HandshakeFailed),
        }
    }
}
