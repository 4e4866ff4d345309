//! The tables of this service, as diesel sees them. `migrations/` is where they are made.

diesel::table! {
    mailboxes (account_id, device_id) {
        account_id -> Text,
        device_id -> Integer,
        generation -> Text,
        registration_id -> Integer,
        next_seq -> BigInt,
        envelope_count -> BigInt,
        byte_count -> BigInt,
        full_told -> Bool,
        opened_at -> BigInt,
        socket_claim -> BigInt,
        socket_process -> Nullable<Text>,
        has_blocks -> Bool,
        urgent_waits -> Bool,
        ec_keys_left -> Nullable<Integer>,
        pq_keys_left -> Nullable<Integer>,
    }
}

diesel::table! {
    envelopes (account_id, device_id, seq) {
        account_id -> Text,
        device_id -> Integer,
        seq -> BigInt,
        guid -> Text,
        kind -> Integer,
        source_account -> Text,
        source_device -> Integer,
        client_timestamp -> BigInt,
        server_timestamp -> BigInt,
        content -> Binary,
        content_bytes -> Integer,
        urgent -> Bool,
        expires_at -> BigInt,
    }
}

diesel::table! {
    idempotency_keys (account_id, device_id, idempotency_key) {
        account_id -> Text,
        device_id -> Integer,
        idempotency_key -> Text,
        request_hash -> Binary,
        answer -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    closed_generations (account_id, device_id, generation) {
        account_id -> Text,
        device_id -> Integer,
        generation -> Text,
        closed_at -> BigInt,
    }
}

diesel::table! {
    deleted_accounts (account_id) {
        account_id -> Text,
        deleted_at -> BigInt,
    }
}

diesel::table! {
    blocks (account_id, blocked_account) {
        account_id -> Text,
        blocked_account -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    tickets (account_id, device_id) {
        account_id -> Text,
        device_id -> Integer,
        ticket_hash -> Binary,
        session_id -> Text,
        token_issued_at -> BigInt,
        token_expires_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    woosh_inboxes (account_id) {
        account_id -> Text,
        shown_id -> BigInt,
        message_count -> BigInt,
        byte_count -> BigInt,
    }
}

diesel::table! {
    woosh_messages (account_id, message_id) {
        account_id -> Text,
        message_id -> BigInt,
        from_account -> Text,
        contents -> Binary,
        content_bytes -> Integer,
        sent_at -> BigInt,
    }
}

diesel::table! {
    signal_server_devices (account_id) {
        account_id -> Text,
        generation -> Text,
        registration_id -> Integer,
        address -> Text,
        message_count -> BigInt,
        byte_count -> BigInt,
        opened_at -> BigInt,
    }
}

diesel::table! {
    signal_server_messages (account_id, message_id) {
        account_id -> Text,
        message_id -> BigInt,
        sender_registration_id -> Integer,
        sender_address -> Text,
        content -> Text,
        content_bytes -> Integer,
        sent_at -> BigInt,
    }
}

diesel::table! {
    signal_server_closed (account_id, generation) {
        account_id -> Text,
        generation -> Text,
        closed_at -> BigInt,
    }
}

diesel::table! {
    processes (process) {
        process -> Text,
        started_at -> BigInt,
    }
}
