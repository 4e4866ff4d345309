//! An operator erases an account: on a standalone and on separate processes, with all that a person can leave behind, cut
//! off at every turn. What is left afterwards is what `docs/privacy.md` says.

mod apart;
mod command;
mod subject;

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::Value;
use testkit::database::TestDb;
use testkit::host::ADMIN_TOKEN;
use testkit::program::{Program, ProgramSettings};
use testkit::wait::{wait_for_within, wait_until};

use self::command::{erase, export};
use self::subject::{PUBLISHER, Subject};
use crate::deletion::KEPT;
use crate::traces::{Place, Tables, count, open, traces};

const SERVICES: [&str; 7] = ["auth", "keystore", "mailbox", "notify", "sync", "relay", "sms_gateway"];
/// A start, and what the bus has to say then.
const ERASED_WITHIN: Duration = Duration::from_secs(30);

/// The columns that still name it, by `docs/privacy.md`: those of every deletion, what is others', and what operators did.
fn stays() -> Vec<Place> {
    let others = [("mailbox", "envelopes", "source_account"), ("mailbox", "blocks", "blocked_account")];
    let audit = ["auth", "keystore", "mailbox"].map(|service| (service, "admin_audit", "target"));
    [&KEPT[..], &others, &audit].concat()
}

/// A standalone on `db`, and its tables.
async fn standalone(db: &TestDb) -> (Program, Vec<Tables>) {
    let url = if db.settings().url.starts_with("postgres") { &*db.settings().url } else { "" };
    let settings = ProgramSettings {
        name: "sealpost",
        arguments: &["serve"],
        file: PUBLISHER,
        // Nobody takes the mails: they wait.
        more: &[("database.url", url), ("auth.mail", "smtp://127.0.0.1:1")],
        ..ProgramSettings::default()
    };
    let program = Program::start(settings).await.unwrap();
    let tables = SERVICES.iter().map(|service| open(&program, url, service)).collect();
    (program, tables)
}

/// The tables that the report of a command names, each as `service.table`, with `left` or `stays`.
fn told<'a>(report: &'a Value, what: &'a str) -> Vec<String> {
    let services = report["services"].as_array().unwrap().iter();
    let tables = services.flat_map(|said| {
        let tables = said["tables"].as_array().unwrap().iter();
        tables.map(move |table| (said["service"].as_str().unwrap(), table))
    });
    let found = tables.filter(|(_, table)| table["stays"].is_string() == (what == "stays"));
    found.map(|(service, table)| format!("{service}.{}", table["table"].as_str().unwrap())).collect()
}

/// Checks a document against `proto/account-export.schema.json`, as far as that goes: members, and kinds of values.
fn is_described(document: &Value) {
    let schema: Value =
        serde_json::from_str(include_str!("../../../../proto/account-export.schema.json")).unwrap();
    let has = |object: &Value, schema: &Value| {
        let mut there: Vec<&String> = object.as_object().unwrap().keys().collect();
        let mut named: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        there.sort_unstable();
        named.sort_unstable();
        assert_eq!(there, named);
    };
    has(document, &schema);
    assert_eq!(document["schema"], schema["properties"]["schema"]["const"]);
    let services = &schema["properties"]["services"];
    let names = services["propertyNames"]["enum"].as_array().unwrap();
    for (name, service) in document["services"].as_object().unwrap() {
        assert!(names.iter().any(|known| known == name), "{name}");
        has(service, &services["additionalProperties"]);
        let rows = service["tables"].as_object().unwrap().values().flat_map(|rows| rows.as_array().unwrap());
        for value in rows.flat_map(|row| row.as_object().unwrap().values()) {
            assert!(value.is_string() || value.is_i64() || value.is_null(), "{value}");
        }
    }
}

testkit::on_both! {
    async fn an_erased_account_is_found_nowhere_but_where_the_document_says(db: TestDb) {
        let (mut program, mut tables) = standalone(&db).await;
        let subject = Subject::everywhere(&program, &tables, 0).await;
        let before = traces(&tables, &subject.needles, &[]).await;
        assert!(before.len() > 25, "there is little to erase: {before:?}");

        let refused = erase(&program, &subject.id, &["--json"], "no\n").await;
        let unknown = erase(&program, &uuid::Uuid::new_v4().to_string(), &["--yes"], "").await;
        let unchanged = traces(&tables, &subject.needles, &[]).await;
        let erased = erase(&program, &subject.id, &["--json"], &format!("{}\n", subject.id)).await;
        let again = erase(&program, &subject.id, &["--json", "--yes"], "").await;
        let plain = erase(&program, &subject.id, &["--yes"], "").await;

        assert!(!refused.ok && refused.stderr.contains("nothing was erased"), "{refused:?}");
        assert!(!unknown.ok && unknown.stderr.contains("knows this account"), "{unknown:?}");
        assert_eq!(unchanged, before);
        assert!(erased.ok && again.ok, "{erased:?} {again:?}");
        let (erased, again) = (erased.report(), again.report());
        assert_eq!((&erased["complete"], &erased["existed"]), (&true.into(), &true.into()));
        assert_eq!((&again["complete"], &again["existed"]), (&true.into(), &false.into()));
        assert_eq!(again["deletedAt"], erased["deletedAt"]);
        assert_eq!(told(&erased, "left"), [""; 0]);
        assert!(plain.ok && plain.stdout.contains("stays\tauth\tdeleted_accounts\t1\tuntil 20"), "{plain:?}");
        for kept in ["auth.deleted_accounts", "keystore.accounts", "mailbox.deleted_accounts", "mailbox.blocks"] {
            assert!(told(&erased, "stays").iter().any(|table| table == kept), "{kept} in {erased}");
        }
        assert_eq!(traces(&tables, &subject.needles, &stays()).await, [""; 0], "this is left");
        let left = traces(&tables, &subject.needles, &[]).await;
        assert!(left.iter().any(|place| place == "mailbox.envelopes.source_account"), "others keep their messages");
        subject.is_gone(&program).await;

        program.stop().await.unwrap();
        tables = vec![open(&program, "", "bus")];
        let records = traces(&tables, &subject.needles[1..], &[]).await;
        assert_eq!(records, [""; 0], "no name, address or number is on the bus");
        assert_ne!(traces(&tables, &subject.needles[..1], &[]).await, [""; 0], "its id is, for as long as that keeps it");
    }

    async fn every_table_that_can_name_an_account_is_asked(db: TestDb) {
        let (mut program, tables) = standalone(&db).await;
        let operator = program.internal.with_token(ADMIN_TOKEN);
        let nobody = uuid::Uuid::new_v4();
        for (service, db) in &tables[..5] {
            let path = format!("/internal/{service}/v1/privacy/accounts/{nobody}/holdings");
            program.internal.get(&path).await.assert_status(401);
            let holdings = operator.get(&path).await.expect(200).value();
            let asked: Vec<&str> =
                holdings["tables"].as_array().unwrap().iter().map(|table| table["table"].as_str().unwrap()).collect();
            for (table, columns) in testkit::database::columns(db).await.unwrap() {
                let names = ["account_id", "user_id", "channel"];
                let can = columns.iter().any(|column| names.contains(&column.as_str()));
                assert!(!can || asked.contains(&table.as_str()), "{service}.{table} is not asked about");
            }
            let of = |table: &str| format!("/internal/{service}/v1/privacy/accounts/{nobody}/rows/{table}");
            assert_eq!(operator.get(&of(asked[0])).await.expect(200).value()["rows"], serde_json::json!([]));
            operator.get(&of("nonsense")).await.assert_status(404);
            operator.get(&(of(asked[0]) + "?after=1,2,x")).await.assert_status(400);
            program.internal.get(&of(asked[0])).await.assert_status(401);
        }
        program.stop().await.unwrap();
    }

    async fn an_export_has_what_the_services_hold_and_no_secret(db: TestDb) {
        let (mut program, tables) = standalone(&db).await;
        let subject = Subject::everywhere(&program, &tables, 0).await;
        let file = |name: &str| program.data_dir().join(name);

        let plain = export(&program, &subject.id, &file("plain"), &[]).await;
        let again = export(&program, &subject.id, &file("plain"), &[]).await;
        let full = export(&program, &subject.id, &file("full"), &["--messages"]).await;
        let nobody = export(&program, &uuid::Uuid::new_v4().to_string(), &file("nobody"), &[]).await;

        assert!(plain.ok && full.ok, "{plain:?} {full:?}");
        assert!(!again.ok && again.stderr.contains("is there already"), "{again:?}");
        assert!(!nobody.ok && !file("nobody").exists(), "{nobody:?}");
        let mode = std::fs::metadata(file("plain")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(file("plain")).unwrap();
        subject.person.front.secrets.assert_absent("the export", &text);
        for secret in ["argon2", &subject.person.password, "private_key\": \"", "shared_key", "token_hash", "content\":"] {
            assert!(!text.contains(secret), "{secret}");
        }
        let (plain, full): (Value, Value) =
            (serde_json::from_str(&text).unwrap(), serde_json::from_slice(&std::fs::read(file("full")).unwrap()).unwrap());
        let of = |document: &Value, service: &str, table: &str| -> Vec<Value> {
            document["services"][service]["tables"][table].as_array().unwrap_or_else(|| panic!("{service}.{table}")).clone()
        };
        let account = &of(&plain, "auth", "accounts")[0];
        let [id, name, email, phone] = &subject.needles;
        assert_eq!([&account["account_id"], &account["username"], &account["email"], &account["phone"]], [id, name, email, phone]);
        assert_eq!(of(&plain, "keystore", "devices").len(), 2);
        assert!(of(&plain, "keystore", "devices")[0]["signed_key"].as_str().unwrap().len() == 44, "33 octets in base64");
        assert_eq!(of(&plain, "mailbox", "envelopes").len(), 2);
        assert_eq!(of(&plain, "sync", "synchronized_devices").len(), 1);
        let told = of(&plain, "notify", "notifications");
        assert!(told.iter().any(|row| row["data"].as_str().unwrap().contains(name.as_str())), "{told:?}");
        let message = common::models::Base64Bytes(b"for the subject".to_vec()).to_string();
        assert!(of(&full, "mailbox", "envelopes").iter().all(|row| row["content"] == message));
        assert!(plain["services"]["auth"]["elsewhere"]["outbox"].is_string());
        is_described(&plain);
        is_described(&full);
        // Many messages come in pages.
        subject.is_written_to(75).await;
        export(&program, &subject.id, &file("many"), &["--messages"]).await;
        let many: Value = serde_json::from_slice(&std::fs::read(file("many")).unwrap()).unwrap();
        let mut guids: Vec<String> = of(&many, "mailbox", "envelopes").iter().map(|row| row["guid"].to_string()).collect();
        guids.sort_unstable();
        guids.dedup();
        assert_eq!(guids.len(), 152);
        program.stop().await.unwrap();
    }

    async fn an_erasure_that_a_crash_cuts_off_goes_on_when_the_command_is_repeated(db: TestDb) {
        let (mut program, tables) = standalone(&db).await;
        for number in 0..3 {
            let subject = Subject::everywhere(&program, &tables, number).await;
            let asked = {
                let (server, data, id) = (program.internal_url.clone(), program.data_dir(), subject.id.clone());
                tokio::spawn(async move { command::erase_at(&server, &data, &id, &["--yes"], "").await })
            };
            let sql = "SELECT count(*) AS count FROM deleted_accounts WHERE account_id = $1";
            wait_until("the tombstone", || async { count(&tables[0].1, sql.to_owned(), subject.id.clone()).await > 0 }).await;
            program.kill();
            drop(asked.await.unwrap());
            program.restart().await.unwrap();

            let again = wait_for_within(ERASED_WITHIN, "the command to be through", || async {
                Some(erase(&program, &subject.id, &["--yes", "--json"], "").await).filter(|again| again.ok)
            })
            .await;

            assert_eq!(again.report()["complete"], true);
            assert_eq!(traces(&tables, &subject.needles, &stays()).await, [""; 0], "this is left");
        }
        program.stop().await.unwrap();
    }
}
