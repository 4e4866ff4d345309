//! Accounts: made by registration, gone by deletion.

use common::crypto::secret::Secret;
use common::crypto::token::PlainToken;
use common::models::events::{AccountChange, AccountEvent};
use common::models::privacy::Erased;
use common::models::{AccountId, E164, UnixMillis, VerificationId};
use db::{DbConn, DbError};
use service::operators::{Act, AuditTable};
use web::Rule;

use super::attempts::Subject;
use super::{AuthError, EmailAddress, Password, Username, mail, passwords, phone};
use crate::app::State;
use crate::settings::Registration;
use crate::store::rows::{AccountRow, DeletedBy, Purpose};
use crate::store::{accounts, invites, mails, outbox, phones, sessions, signal_server, totp};

/// What a person gives to have an account. E-mail and phone are contact data; they identify nobody before they are
/// verified.
pub(crate) struct NewAccount {
    pub(crate) username: Username,
    pub(crate) password: Password,
    pub(crate) email: Option<EmailAddress>,
    pub(crate) phone: Option<E164>,
    pub(crate) invite_code: Option<Secret<String>>,
    pub(crate) phone_verification: Option<VerificationId>,
}

/// Makes an account.
///
/// The password is hashed before anything is looked up, and an invite is looked at before the name: answers and their
/// times tell whether a name is taken only to somebody who may have it.
///
/// # Errors
/// [`AuthError::RegistrationClosed`], [`AuthError::InviteNeeded`], [`AuthError::PhoneUnverified`] by the mode;
/// [`AuthError::UsernameTaken`], [`AuthError::PhoneTaken`]; [`AuthError::RateLimited`] when the address gets no mail for now.
pub(crate) async fn register(state: &State, new: NewAccount) -> Result<(AccountId, Profile), AuthError> {
    let invite = match (state.settings.registration, new.invite_code) {
        (Registration::Closed, _) => return Err(AuthError::RegistrationClosed),
        (Registration::Sms, _) if new.phone_verification.is_none() => return Err(AuthError::PhoneUnverified),
        (Registration::Open | Registration::Sms, _) => None,
        (Registration::Invite, code) => {
            let code: PlainToken =
                code.and_then(|code| code.expose().parse().ok()).ok_or(AuthError::InviteNeeded)?;
            Some(code.hashed())
        }
    };
    let password_hash = state.hasher.hash(new.password).await?;
    let (account_id, now) = (AccountId::new(), state.clock.now());
    let verification = new.phone_verification;
    let mut row = AccountRow {
        account_id,
        username: new.username.as_str().to_owned(),
        password_hash,
        email: new.email.as_ref().map(|email| email.as_str().to_owned()),
        phone: new.phone.map(|phone| phone.as_str().to_owned()),
        created_at: now,
        email_verified_at: None,
        phone_verified_at: None,
    };
    let email = new.email.filter(|_| !state.settings.mail.is_empty());
    let mail = email.map(|email| mail::verification(account_id, &email, now));
    let limits = state.limits.clone();
    let stored = state
        .db
        .write(move |conn| {
            if let Some(code) = invite
                && !invites::take(conn, code, now)?
            {
                return Err(AuthError::InviteNeeded);
            }
            if let Some(verification) = verification {
                row.phone = Some(phone::take(conn, verification, now)?);
                row.phone_verified_at = Some(now);
            }
            accounts::take_turn(conn, &row.username)?;
            if accounts::is_name_like(conn, &row.username)? {
                return Err(AuthError::UsernameTaken);
            }
            let profile = Profile::new(row.clone(), false);
            accounts::insert(conn, row)?;
            if let Some(mail) = mail {
                // Last, so that whoever is refused for another reason uses up no mail that the address might need. An empty
                // bucket refuses too: an account whose owner waits in vain for its mail would be worse.
                limits.take(Rule::MailTarget, mail.recipient.as_str())?;
                mails::insert(conn, mail)?;
            }
            Ok(profile)
        })
        .await;
    match stored {
        Ok(profile) => {
            state.mail_wanted.notify_one();
            Ok((account_id, profile))
        }
        // The transaction has put back the use of the invite, and the verification.
        Err(AuthError::Db(DbError::UniqueViolation { constraint })) if constraint.contains("phone") => {
            Err(AuthError::PhoneTaken)
        }
        Err(AuthError::Db(DbError::UniqueViolation { .. })) => Err(AuthError::UsernameTaken),
        Err(error) => Err(error),
    }
}

/// Refuses a name that somebody has, where the answer tells it in any case: a hash for each of many who want the same one
/// would make the others wait.
///
/// # Errors
/// [`AuthError::UsernameTaken`].
pub(super) async fn refuse_taken(state: &State, name: &str) -> Result<(), AuthError> {
    let name = name.to_owned();
    let looking = state.db.read(move |conn| {
        refuse_native(conn, &name)?;
        Ok::<_, AuthError>(accounts::by_username(conn, &name)?)
    });
    match looking.await? {
        Some(_) => Err(AuthError::UsernameTaken),
        None => Ok(()),
    }
}

/// Keeps a name for an account of another interface until the transaction ends. There, `Alice` and `alice` are two; but where
/// one of them is an account of ours, which has both, whoever looks for it would find the other.
///
/// # Errors
/// [`AuthError::UsernameTaken`].
pub(super) fn claim_exactly(conn: &mut DbConn, name: &str) -> Result<(), AuthError> {
    accounts::take_turn(conn, name)?;
    refuse_native(conn, name)
}

fn refuse_native(conn: &mut DbConn, name: &str) -> Result<(), AuthError> {
    match accounts::is_native_name(conn, &name.to_ascii_lowercase())? {
        true => Err(AuthError::UsernameTaken),
        false => Ok(()),
    }
}

/// Finds the account that has exactly this name, as it is written or else folded.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn find(state: &State, username: &str) -> Result<AccountRow, AuthError> {
    let name = username.to_owned();
    let found = state.db.read(move |conn| accounts::by_name(conn, &name)).await?;
    found.ok_or(AuthError::NoAccount)
}

/// An account as its owner sees it.
pub(crate) struct Profile {
    pub(crate) username: String,
    pub(crate) email: Option<Contact>,
    pub(crate) phone: Option<Contact>,
    pub(crate) totp: bool,
}

/// An address or a number of an account.
pub(crate) struct Contact {
    pub(crate) text: String,
    /// Whether it identifies the account.
    pub(crate) verified: bool,
}

impl Profile {
    fn new(row: AccountRow, totp: bool) -> Self {
        let contact = |text: Option<String>, verified_at: Option<UnixMillis>| {
            text.map(|text| Contact { text, verified: verified_at.is_some() })
        };
        Self {
            username: row.username,
            email: contact(row.email, row.email_verified_at),
            phone: contact(row.phone, row.phone_verified_at),
            totp,
        }
    }
}

/// Reads an account for its owner.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn profile(state: &State, account: AccountId) -> Result<Profile, AuthError> {
    let found = state
        .db
        .read(move |conn| Ok::<_, DbError>((accounts::by_id(conn, account)?, totp::find(conn, account)?)))
        .await?;
    let (Some(row), totp) = found else { return Err(AuthError::NoAccount) };
    Ok(Profile::new(row, totp.is_some_and(|totp| totp.confirmed_at.is_some())))
}

/// Tells whether the account exists; a deleted one does not.
///
/// # Errors
/// [`AuthError::NoAccount`].
pub(crate) async fn must_exist(state: &State, account: AccountId) -> Result<(), AuthError> {
    let found = state.db.read(move |conn| accounts::by_id(conn, account)).await?;
    found.map(drop).ok_or(AuthError::NoAccount)
}

/// Deletes an account after its owner has shown the password once more: see [`erase`].
///
/// # Errors
/// Those of [`passwords::confirm`] and [`passwords::lock`].
pub(crate) async fn delete(state: &State, account: AccountId, password: Password) -> Result<(), AuthError> {
    let confirmed = passwords::confirm(state, account, password).await?;
    erase(state, account, By::Owner(confirmed)).await.map(drop)
}

/// Who deletes an account.
pub(crate) enum By {
    /// Its owner, whose password was confirmed.
    Owner(AccountRow),
    /// An operator.
    Operator(Act),
}

/// Deletes an account: its sessions end, and every service that holds something of it is told. What is left is a
/// tombstone. An operator may do so for one that is gone already, and all are told again: whoever has lost it meanwhile
/// hears it once more.
///
/// # Errors
/// For an owner those of [`passwords::lock`], for everybody those of the database.
pub(crate) async fn erase(state: &State, account: AccountId, by: By) -> Result<Erased, AuthError> {
    let guesses = Subject::passwords(state, account).into_iter().chain([Subject::code(state, account)]);
    let (now, until) = (state.clock.now(), state.revoked_until());
    let erasing = state.db.write(move |conn| {
        let (row, by, act) = match by {
            By::Owner(confirmed) => (Some(passwords::lock(conn, &confirmed)?), DeletedBy::Owner, None),
            By::Operator(act) => (accounts::lock(conn, account)?, DeletedBy::Operator, Some(act)),
        };
        let existed = row.is_some();
        if let Some(row) = row {
            remove(conn, row, until)?;
        }
        for subject in guesses {
            subject.forget(conn)?;
        }
        if let Some(act) = &act {
            AuditTable::ADMIN.add(conn, act, now)?;
        }
        let deleted_at = accounts::bury(conn, account, by, now)?;
        let event = AccountEvent { account_id: account, at: deleted_at, change: AccountChange::Deleted };
        outbox::push(conn, std::slice::from_ref(&event), now)?;
        Ok::<_, AuthError>((Erased { deleted_at, existed }, event))
    });
    let (erased, event) = erasing.await?;
    state.announce(&[event]).await;
    Ok(erased)
}

/// Removes an account that is locked, and what hangs on its id, its address and its number.
fn remove(conn: &mut DbConn, row: AccountRow, until: UnixMillis) -> Result<(), DbError> {
    let AccountRow { account_id: account, email, phone, .. } = row;
    for session in sessions::of_account(conn, account)? {
        super::sessions::end(conn, account, session, until)?;
    }
    let contact = signal_server::find(conn, account)?.map(|user| user.email.to_ascii_lowercase());
    accounts::delete(conn, account)?;
    // Of those who have given an address nobody confirmed, this was the last.
    if let Some(contact) = contact
        && signal_server::by_email(conn, &contact, 1)?.is_empty()
    {
        mails::delete_of(conn, &contact, Purpose::ResetSignalServer)?;
    }
    if let Some(email) = &email {
        mails::delete_to(conn, email)?;
    }
    if let Some(phone) = &phone {
        phones::delete_of(conn, phone)?;
    }
    Ok(())
}
