//! Phone numbers: somebody asks for a code, gets it by SMS, and shows it.
//!
//! What must hold: a code is known to its phone and to whoever asked for none; five checks end a verification, and a
//! number gets so many SMS a day whoever asks, and all numbers together so many; what the gateway says of an SMS is what
//! its owner is told.

mod job;

use common::crypto::secret::Secret;
use common::crypto::token::{HashedToken, NoRandomness, random};
use common::models::sms::{SmsState, SmsStatus};
use common::models::{AccountId, E164, UnixMillis, VerificationId};
use db::{DbConn, DbError};

use super::attempts::{self, Subject};
use super::{AuthError, Password, passwords};
use crate::app::State;
use crate::store::rows::{Delivery, PhoneVerificationRow};
use crate::store::{accounts, phones};
pub(crate) use job::{JobError, JobFault, Jobs};

/// A verification as whoever began it sees it.
pub(crate) struct Verification {
    pub(crate) row: PhoneVerificationRow,
    pub(crate) sends_left: i32,
    pub(crate) checks_left: i32,
}

impl Verification {
    fn new(state: &State, row: PhoneVerificationRow) -> Self {
        let settings = &state.settings.phone;
        let sends_left = (settings.max_sends() - row.sends).max(0);
        let checks_left = (settings.max_checks() - row.checks).max(0);
        Self { sends_left, checks_left, row }
    }
}

/// Begins the verification of a number; no SMS is sent yet.
///
/// # Errors
/// [`AuthError::NoSms`] when this server sends none.
pub(crate) async fn begin(state: &State, phone: &E164) -> Result<Verification, AuthError> {
    state.sms.as_ref().ok_or(AuthError::NoSms)?;
    let now = state.clock.now();
    let row = PhoneVerificationRow {
        verification_id: VerificationId::new(),
        phone: phone.as_str().to_owned(),
        correl_id: None,
        code_mac: None,
        code_expires_at: now,
        sends: 0,
        checks: 0,
        next_send_at: now,
        next_check_at: now,
        delivery: Delivery::None,
        verified_at: None,
        expires_at: now + state.settings.phone.session_ttl,
    };
    let stored = row.clone();
    state.db.write(move |conn| phones::insert(conn, stored)).await?;
    Ok(Verification::new(state, row))
}

/// Reads a verification.
///
/// # Errors
/// [`AuthError::NoVerification`].
pub(crate) async fn find(state: &State, verification: VerificationId) -> Result<Verification, AuthError> {
    let now = state.clock.now();
    let row = state.db.read(move |conn| phones::find(conn, verification, now)).await?;
    Ok(Verification::new(state, row.ok_or(AuthError::NoVerification)?))
}

/// Sends a code, which takes the place of the one before. The SMS is durable when this returns.
///
/// # Errors
/// [`AuthError::NoVerification`], [`AuthError::Verified`], [`AuthError::VerificationExhausted`];
/// [`AuthError::TooManyAttempts`] before the pause is over, or when the number has had its SMS of the day, or all numbers
/// together theirs.
pub(crate) async fn send_code(
    state: &State,
    verification: VerificationId,
) -> Result<Verification, AuthError> {
    let jobs = state.sms.as_ref().ok_or(AuthError::NoSms)?;
    let now = state.clock.now();
    let phone = find(state, verification).await?.row.phone;
    let code = code()?;
    let (correl_id, expires_at) = (uuid::Uuid::now_v7().to_string(), now + state.settings.phone.code_ttl);
    let record = jobs.record(&phone, &code, &correl_id, expires_at)?;
    let code_mac = mac(state, verification, &code)?;
    let (settings, subject) = (state.settings.phone.clone(), Subject::phone(state, &phone));
    let (everybody, outcomes) = (Subject::all_phones(state), state.metrics.phone_codes_total.clone());
    let row = state
        .db
        .write(move |conn| {
            let mut row = phones::lock(conn, verification, now)?.ok_or(AuthError::NoVerification)?;
            if row.verified_at.is_some() {
                return Err(AuthError::Verified);
            }
            if row.sends >= settings.max_sends() || row.checks >= settings.max_checks() {
                return Err(AuthError::VerificationExhausted);
            }
            after(now, row.next_send_at)?;
            attempts::take(conn, settings.per_number, subject, now)?;
            // After that, so that a number which has had its SMS takes none from the others.
            let taken = attempts::take(conn, settings.all_numbers, everybody, now);
            if matches!(taken, Err(AuthError::TooManyAttempts { .. })) {
                outcomes.with_label_values(&["capped"]).inc();
            }
            taken?;
            row.next_send_at = now + settings.pause_after(row.sends);
            row.sends += 1;
            row.correl_id = Some(correl_id);
            row.code_mac = Some(code_mac);
            row.code_expires_at = expires_at;
            row.delivery = Delivery::Queued;
            row.expires_at = now + settings.session_ttl;
            phones::update(conn, &row)?;
            bus::outbox::push(conn, &[record], now)?;
            Ok(row)
        })
        .await?;
    state.relay.wake();
    state.metrics.phone_codes_total.with_label_values(&[Delivery::Queued.as_str()]).inc();
    Ok(Verification::new(state, row))
}

fn after(now: UnixMillis, at: UnixMillis) -> Result<(), AuthError> {
    if at > now { Err(AuthError::TooManyAttempts { retry_after: at - now }) } else { Ok(()) }
}

/// Compares a code with the one that was sent. A wrong one is counted; the answer tells whether the number is verified.
///
/// # Errors
/// [`AuthError::NoVerification`]; [`AuthError::VerificationExhausted`] when no check is left, or no code was sent;
/// [`AuthError::TooManyAttempts`] before the pause is over.
pub(crate) async fn check_code(
    state: &State,
    verification: VerificationId,
    code: &Secret<String>,
) -> Result<Verification, AuthError> {
    let (now, shown) = (state.clock.now(), mac(state, verification, code)?);
    let settings = state.settings.phone.clone();
    let row = state
        .db
        .write(move |conn| {
            let mut row = phones::lock(conn, verification, now)?.ok_or(AuthError::NoVerification)?;
            if row.verified_at.is_some() {
                return Ok(row);
            }
            if row.checks >= settings.max_checks() || row.code_mac.is_none() {
                return Err(AuthError::VerificationExhausted);
            }
            after(now, row.next_check_at)?;
            row.checks += 1;
            row.next_check_at = now + settings.pause_after_check(row.checks);
            row.expires_at = now + settings.session_ttl;
            if row.code_mac == Some(shown) && now < row.code_expires_at {
                row.verified_at = Some(now);
                row.code_mac = None;
            }
            phones::update(conn, &row)?;
            Ok(row)
        })
        .await?;
    let outcome = if row.verified_at.is_some() { "verified" } else { "wrong" };
    state.metrics.phone_codes_total.with_label_values(&[outcome]).inc();
    Ok(Verification::new(state, row))
}

/// Notes what the gateway says of an SMS of ours. One that has failed may be sent again at once.
///
/// # Errors
/// Those of the database.
pub(crate) async fn note_status(state: &State, status: &SmsStatus) -> Result<(), AuthError> {
    let (now, correl_id) = (state.clock.now(), status.correl_id.as_str().to_owned());
    let said = match status.sms_status {
        SmsState::Sent => Delivery::Sent,
        SmsState::Delivered => Delivery::Delivered,
        SmsState::Expired | SmsState::Invalid | SmsState::Failed => Delivery::Failed,
    };
    let moved = state
        .db
        .write(move |conn| {
            let Some(mut row) = phones::lock_by_sms(conn, &correl_id)? else { return Ok(false) };
            // Statuses come more than once, and a correction may follow a failure; what was delivered stays so.
            let moves = row.delivery != said
                && match row.delivery {
                    Delivery::Delivered => false,
                    Delivery::Failed => said == Delivery::Delivered,
                    Delivery::None | Delivery::Queued | Delivery::Sent => true,
                };
            if moves {
                row.delivery = said;
                if said == Delivery::Failed {
                    row.next_send_at = row.next_send_at.min(now);
                }
                phones::update(conn, &row)?;
            }
            Ok::<_, DbError>(moves)
        })
        .await?;
    if moved {
        state.metrics.phone_codes_total.with_label_values(&[said.as_str()]).inc();
    }
    Ok(())
}

/// Uses a verification up, and gives its number.
pub(super) fn take(
    conn: &mut DbConn,
    verification: VerificationId,
    now: UnixMillis,
) -> Result<String, AuthError> {
    let row = phones::lock(conn, verification, now)?.filter(|row| row.verified_at.is_some());
    let row = row.ok_or(AuthError::PhoneUnverified)?;
    phones::delete(conn, verification)?;
    Ok(row.phone)
}

/// Gives an account the number that was verified, or takes away the one it has.
///
/// # Errors
/// Those of [`passwords::confirm`] and [`passwords::lock`]; [`AuthError::PhoneUnverified`], [`AuthError::PhoneTaken`].
pub(crate) async fn set(
    state: &State,
    account: AccountId,
    password: Password,
    verification: Option<VerificationId>,
) -> Result<(), AuthError> {
    let confirmed = passwords::confirm(state, account, password).await?;
    let now = state.clock.now();
    let set = state
        .db
        .write(move |conn| {
            passwords::lock(conn, &confirmed)?;
            let phone = verification.map(|verification| take(conn, verification, now)).transpose()?;
            Ok(accounts::set_phone(conn, account, phone.as_deref().map(|phone| (phone, now)))?)
        })
        .await;
    match set {
        Err(AuthError::Db(DbError::UniqueViolation { .. })) => Err(AuthError::PhoneTaken),
        set => set,
    }
}

/// Six digits, each set of them as likely as any other.
fn code() -> Result<Secret<String>, NoRandomness> {
    const CODES: u32 = 1_000_000;
    // The largest multiple that fits: a number beyond it would favour small codes.
    const FAIR: u32 = u32::MAX - u32::MAX % CODES;
    loop {
        let number = u32::from_be_bytes(random()?);
        if number < FAIR {
            return Ok(Secret::new(format!("{:06}", number % CODES)));
        }
    }
}

/// What is kept of a code: it is of no use for another verification, or to somebody who has the table alone.
fn mac(state: &State, verification: VerificationId, code: &Secret<String>) -> Result<HashedToken, AuthError> {
    let parts = [verification.as_str().as_bytes(), code.expose().as_bytes()];
    let mac = state.data_key.mac("code of a phone verification", &parts);
    HashedToken::try_from(&mac[..]).map_err(|error| AuthError::Internal(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_six_digits() {
        for _ in 0..1000 {
            let code = code().unwrap();
            assert!(code.expose().len() == 6 && code.expose().bytes().all(|octet| octet.is_ascii_digit()));
        }
    }
}
