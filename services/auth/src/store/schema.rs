//! The tables of this service, as diesel sees them. `migrations/` is where they are made.

diesel::table! {
    accounts (account_id) {
        account_id -> Text,
        username -> Text,
        password_hash -> Text,
        email -> Nullable<Text>,
        phone -> Nullable<Text>,
        created_at -> BigInt,
        email_verified_at -> Nullable<BigInt>,
        phone_verified_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    blocked_accounts (account_id) {
        account_id -> Text,
        reason -> Text,
        blocked_at -> BigInt,
    }
}

diesel::table! {
    deleted_accounts (account_id) {
        account_id -> Text,
        deleted_at -> BigInt,
        deleted_by -> Text,
    }
}

diesel::table! {
    sessions (account_id, session_id) {
        account_id -> Text,
        session_id -> Text,
        device_id -> Nullable<Integer>,
        bound_at -> Nullable<BigInt>,
        created_at -> BigInt,
        expires_at -> BigInt,
        seen_at -> BigInt,
    }
}

diesel::table! {
    refresh_tokens (account_id, token_hash) {
        account_id -> Text,
        token_hash -> Binary,
        session_id -> Text,
        used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    link_tokens (account_id, token_hash) {
        account_id -> Text,
        token_hash -> Binary,
        session_id -> Text,
        expires_at -> BigInt,
        linked_session_id -> Nullable<Text>,
        retry_hash -> Nullable<Binary>,
    }
}

diesel::table! {
    revocations (account_id, session_id) {
        account_id -> Text,
        session_id -> Text,
        until -> BigInt,
    }
}

diesel::table! {
    invites (invite_id) {
        invite_id -> Text,
        code_hash -> Binary,
        uses_left -> Integer,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    attempts (subject) {
        subject -> Binary,
        full_at -> BigInt,
    }
}

diesel::table! {
    totp (account_id) {
        account_id -> Text,
        secret -> Binary,
        confirmed_at -> Nullable<BigInt>,
        last_step -> BigInt,
    }
}

diesel::table! {
    recovery_codes (account_id, code_hash) {
        account_id -> Text,
        code_hash -> Binary,
    }
}

diesel::table! {
    challenges (account_id, token_hash) {
        account_id -> Text,
        token_hash -> Binary,
        expires_at -> BigInt,
    }
}

diesel::table! {
    mails (mail_id) {
        mail_id -> Text,
        account_id -> Nullable<Text>,
        recipient -> Text,
        purpose -> Text,
        attempts -> Integer,
        due_at -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    mail_tokens (account_id, token_hash) {
        account_id -> Text,
        token_hash -> Binary,
        purpose -> Text,
        email -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    phone_verifications (verification_id) {
        verification_id -> Text,
        phone -> Text,
        correl_id -> Nullable<Text>,
        code_mac -> Nullable<Binary>,
        code_expires_at -> BigInt,
        sends -> Integer,
        checks -> Integer,
        next_send_at -> BigInt,
        next_check_at -> BigInt,
        delivery -> Text,
        verified_at -> Nullable<BigInt>,
        expires_at -> BigInt,
    }
}

diesel::table! {
    woosh_accounts (account_id) {
        account_id -> Text,
        woosh_id -> BigInt,
        public_key -> Binary,
        private_key -> Binary,
        info -> Binary,
    }
}

diesel::table! {
    signal_server_accounts (account_id) {
        account_id -> Text,
        user_id -> BigInt,
        email -> Text,
    }
}

diesel::table! {
    signal_server_sessions (account_id, session_id) {
        account_id -> Text,
        session_id -> Text,
    }
}

diesel::joinable!(signal_server_accounts -> accounts (account_id));

diesel::allow_tables_to_appear_in_same_query!(
    accounts,
    attempts,
    challenges,
    deleted_accounts,
    invites,
    mail_tokens,
    mails,
    phone_verifications,
    recovery_codes,
    refresh_tokens,
    revocations,
    sessions,
    signal_server_accounts,
    signal_server_sessions,
    totp,
    woosh_accounts
);
