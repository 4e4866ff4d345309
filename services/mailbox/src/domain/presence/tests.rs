//! Batches of claims and leavings beside whoever else wants the same mailboxes.

use std::iter::zip;

use common::models::internal::OpenMailbox;
use common::models::{AccountId, DeviceId, RegistrationId, SystemClock, UnixMillis};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use testkit::database::TestDb;
use testkit::obstacle::Obstacle;
use testkit::wait::wait_until;

use super::*;
use crate::store::{MIGRATIONS, mailboxes};

const PROCESS: &str = "this one";

fn claim(mailbox: MailboxId) -> Job {
    Job::Claim(Claim { mailbox, again: None })
}

async fn store(db: &Db, jobs: Vec<Job>) -> Result<Vec<Option<SocketRow>>, MailboxError> {
    let clock: SharedClock = Arc::new(SystemClock);
    db.write(move |conn| carry_out(conn, &jobs, PROCESS, &clock)).await
}

/// How many transactions wait for a lock.
async fn waiting(db: &Db) -> i64 {
    let count = "(SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock')";
    db.read(move |conn| Ok::<_, DbError>(diesel::select(sql::<BigInt>(count)).get_result(conn)?))
        .await
        .unwrap()
}

/// Three mailboxes in the order of locks: two of one account, one of another.
async fn three_mailboxes(db: &Db) -> [MailboxId; 3] {
    let mut accounts = [AccountId::new(), AccountId::new()];
    accounts.sort();
    let ids = zip([0, 0, 1], [1, 2, 1]).map(|(account, device)| MailboxId {
        account: accounts[account],
        device: DeviceId::new(device).unwrap(),
    });
    let ids: Vec<_> = ids.collect();
    let made = ids.clone();
    let insert = db.write(move |conn| {
        let registration_id = RegistrationId::new(1).unwrap();
        for id in made {
            let life = OpenMailbox { generation: Generation::new(), registration_id };
            mailboxes::insert(conn, id, &life, UnixMillis(0))?;
        }
        Ok::<_, DbError>(())
    });
    insert.await.unwrap();
    ids.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_a_batch_and_a_send_never_wait_for_each_other() {
    let test = TestDb::postgres().await;
    let db = test.open();
    db.migrate(&MIGRATIONS).await.unwrap();
    let [first, second, other] = three_mailboxes(&db).await;
    let claimed = store(&db, vec![claim(first)]).await.unwrap()[0].as_ref().unwrap().socket_claim;
    let batches = [
        ("claims, and then a leaving", vec![claim(second), claim(other), Job::Leave(first, claimed)]),
        ("one mailbox twice", vec![claim(second), claim(other), claim(second), claim(first)]),
    ];

    for (case, jobs) in batches {
        let held = format!("SELECT 1 FROM test.mailboxes WHERE account_id = '{}' FOR UPDATE", other.account);
        let both = Obstacle::new(&test, &held).clear_for(2, async {
            let batch = tokio::spawn({
                let db = db.clone();
                async move { store(&db, jobs).await }
            });
            wait_until("the batch to wait", || async { waiting(&db).await == 1 }).await;
            // What each send begins with.
            let send = db.write(move |conn| mailboxes::lock(conn, &[first.account])).await;
            (batch.await.unwrap(), send)
        });
        let (batch, send) = both.await;

        assert!(batch.is_ok_and(|rows| rows.iter().all(Option::is_some)), "{case}: the batch");
        assert_eq!(send.map(|rows| rows.len()).ok(), Some(2), "{case}: the send");
    }
}
