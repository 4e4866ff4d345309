//! The same over TLS, with a broker that wants to know its clients, too.

use bus::live::{Live, LiveNotice};
use bus::{AmqpServer, AmqpTlsSettings};
use testkit::rabbitmq::SecuredRabbitMq;
use testkit::wait::wait_until;

use crate::event;

#[tokio::test]
async fn events_go_over_tls_and_a_broker_that_nobody_vouches_for_gets_no_password() {
    let broker = SecuredRabbitMq::start().await.expect("a broker");
    let live = Live::amqp(&broker.url(), &broker.tls()).expect("settings");
    wait_until("a connection", || async { live.is_connected() }).await;
    let mut alice = live.subscribe(b"alice");

    live.publish(event("alice", "over tls"));

    assert!(matches!(alice.recv().await, LiveNotice::Event(event) if event.kind == "over tls"));
    let stranger = AmqpTlsSettings { ca_file: Some(broker.stranger()), ..broker.tls() };
    let nobody = AmqpTlsSettings { certificate_file: None, key_file: None, ..broker.tls() };
    let system = AmqpTlsSettings { ca_file: None, ..broker.tls() };
    for (tls, said) in
        [(stranger, "certificate verify failed"), (system, "certificate verify failed"), (nobody, "")]
    {
        let server = AmqpServer::new(&broker.url(), &tls, 10).expect("settings");
        let error = server.connect("refused").await.expect_err("a refusal").to_string();
        assert!(error.contains(said) && !error.contains("guest"), "{error}");
    }
}
