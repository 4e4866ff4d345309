//! A provider that is not ours: Kannel, which sends on to the SMSC simulator and calls back with its receipts.

use common::models::sms::SmsStatus;
use serde_json::json;
use smpp::smsc::SmscSettings;
use testkit::kannel::{Kannel, KannelSettings};
use testkit::program::{Program, ProgramSettings};
use testkit::wait::wait_for;

use crate::cases::{ACME, message};
use crate::harness::{KEY, PASSWORD as VAULT_PASSWORD, World};

const SECRET: &str = "receipts-of-kannel-0123456789";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kannel_sends_and_its_receipts_find_their_messages() {
    let world = World::beside(SmscSettings { behaviour: World::with_receipts(), ..Default::default() }).await;
    let kannel = Kannel::start(&KannelSettings {
        smsc_port: world.smsc.address().port(),
        system_id: "kannel".into(),
        password: "secret".into(),
        handset_url: "http://127.0.0.1:1/".into(),
    })
    .await
    .unwrap();
    let file = format!(
        "[sms_gateway]\nvault = \"{}\"\nvault_password = \"{VAULT_PASSWORD}\"\nallowed_clients = [\"acme\"]\n\
         http_keys = {{ \"{KEY}\" = \"acme\" }}\n\
         [[sms_gateway.http]]\nname = \"kannel\"\nmethod = \"GET\"\nurl = \"{}/cgi-bin/sendsms\"\n\
         username = \"test\"\npassword = \"test\"\nencodings = {{ gsm = \"0\", unicode = \"2\" }}\n\
         accepted = [{{ statuses = [\"202\"], regex = \"^[03]:\" }}]\nid = {{ reference = true }}\n\
         [sms_gateway.http.query]\nusername = \"{{username}}\"\npassword = \"{{password}}\"\nto = \"{{to}}\"\n\
         from = \"{{from}}\"\ntext = \"{{text}}\"\ncharset = \"UTF-8\"\ncoding = \"{{encoding}}\"\ndlr-mask = \"19\"\n\
         [sms_gateway.http.receipts]\nsecret = \"{SECRET}\"\nid = \"id\"\nstatus = \"state\"\n\
         states = {{ 1 = \"delivered\", 2 = \"undeliverable\", 16 = \"rejected\" }}\n",
        world.path().join("vault").display(),
        kannel.url,
    );
    let settings =
        ProgramSettings { name: "sealpost-sms-gateway", file: &file, ..ProgramSettings::default() };
    let mut gateway = Program::prepare(settings).unwrap();
    let back =
        format!("{}/v1/sms/receipts/kannel/{{receipts_secret}}?id={{reference}}&state=%d", gateway.url);
    // Only now are the ports known.
    gateway.set("sms_gateway.http.0.query.dlr-url", &back);
    gateway.restart().await.unwrap();
    let client = gateway.http.with_token(KEY);
    let texts = ["hello {you} & €", "жа & 1%d", &"long ".repeat(60)];

    for (index, text) in texts.iter().enumerate() {
        let mut request = world.maker.request(ACME, &format!("k{index}"), &message(text));
        request.remove("client-id");
        client.post("/v1/sms", &request).await.assert_status(202);
    }

    let statuses: Vec<SmsStatus> = wait_for("receipts", || async {
        let page = client.get("/v1/sms/status").await.expect(200).value();
        let statuses: Vec<SmsStatus> = serde_json::from_value(page["statuses"].clone()).unwrap();
        (statuses.len() == 2 * texts.len()).then_some(statuses)
    })
    .await;
    for index in 0..texts.len() {
        let of_one = statuses.iter().filter(|status| status.correl_id.as_str() == format!("k{index}"));
        let names: Vec<String> = of_one.map(|status| status.sms_status.to_string()).collect();
        assert_eq!(json!(names), json!(["SENT", "DELIVERED"]), "k{index}");
    }
    let texts_out: Vec<String> = world
        .smsc
        .accepted()
        .iter()
        .filter_map(|one| sms::decode_text(one.message.data_coding, one.message.text()))
        .collect();
    assert!(
        texts_out.contains(&texts[0].to_owned()) && texts_out.contains(&texts[1].to_owned()),
        "{texts_out:?}"
    );
    assert_eq!(world.smsc.accepted().len(), 4);
    assert!(!gateway.log().contains(SECRET));
}
