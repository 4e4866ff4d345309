//! Names of the topics that services share. Keys and values are listed in `proto/`.

/// SMS jobs from any producer; key: any (ours: `client-id:correl-id`); value: request JSON.
pub const SEND_SMS: &str = "send-sms";
/// What became of SMS jobs; key: `client-id:correl-id`; value: status JSON.
pub const SMS_STATUS: &str = "sms-status";
/// Correlation records for migration; key: recall id.
pub const CORREL_ID: &str = "correl-id";
/// SMS jobs that were given up, with their original bytes.
pub const SEND_SMS_DEAD: &str = "send-sms-dead";
/// Mobile-originated messages, encrypted to the owning client; key: client id.
pub const SMS_INBOUND: &str = "sms-inbound";
/// What happens to accounts, devices and sessions; key: account id.
pub const ACCOUNT_EVENTS: &str = "account-events";
/// What happens to mailboxes, without content; key: account id.
pub const MAILBOX_EVENTS: &str = "mailbox-events";
/// Notifications from any producer; key: channel.
pub const NOTIFY: &str = "notify";

/// Names the topic that takes the dead letters of `topic`, unless settings name another.
pub fn dead_letters_of(topic: &str) -> String {
    format!("{topic}-dead")
}
