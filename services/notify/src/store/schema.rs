//! The tables, as the migrations make them.

diesel::table! {
    channels (channel) {
        channel -> Text,
        epoch -> Text,
        next_offset -> BigInt,
        published_at -> BigInt,
    }
}

diesel::table! {
    notifications (channel, channel_offset) {
        channel -> Text,
        channel_offset -> BigInt,
        notification_id -> Text,
        data -> Binary,
        published_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    idempotency_keys (channel, publisher, idempotency_key) {
        channel -> Text,
        publisher -> Text,
        idempotency_key -> Text,
        request_hash -> Binary,
        notification_id -> Text,
        epoch -> Text,
        channel_offset -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    tokens (channel, token_id) {
        channel -> Text,
        token_id -> Text,
        token_hash -> Binary,
        generation -> Nullable<Binary>,
        label -> Nullable<Text>,
        member -> Nullable<Text>,
        issued_by -> Text,
        created_at -> BigInt,
        lifetime_ms -> BigInt,
        expires_at -> BigInt,
        used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    presences (channel, member, process) {
        channel -> Text,
        member -> Text,
        process -> Text,
        connections -> Integer,
        since -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    push_subscriptions (channel, holder) {
        channel -> Text,
        holder -> Text,
        token_id -> Nullable<Text>,
        sealed -> Binary,
        created_at -> BigInt,
        expires_at -> BigInt,
        seen_at -> BigInt,
        pushed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    push_presences (channel, holder, process) {
        channel -> Text,
        holder -> Text,
        process -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    pushes (channel, holder, slot) {
        channel -> Text,
        holder -> Text,
        slot -> BigInt,
        channel_offset -> BigInt,
        urgency -> Text,
        topic -> Nullable<Text>,
        published_at -> BigInt,
        expires_at -> BigInt,
        attempts -> Integer,
        due_at -> BigInt,
    }
}

diesel::table! {
    webhook_queues (webhook, channel) {
        webhook -> Text,
        channel -> Text,
        last_seq -> BigInt,
        attempts -> Integer,
        due_at -> BigInt,
    }
}

diesel::table! {
    webhook_events (webhook, channel, seq) {
        webhook -> Text,
        channel -> Text,
        seq -> BigInt,
        event_id -> Text,
        body -> Text,
        missed -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    webhook_states (webhook) {
        webhook -> Text,
        missed -> BigInt,
        stopped_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    connections (connection_id) {
        connection_id -> Text,
        channel -> Text,
        member -> Nullable<Text>,
        token_id -> Nullable<Text>,
        process -> Text,
        expires_at -> BigInt,
    }
}
