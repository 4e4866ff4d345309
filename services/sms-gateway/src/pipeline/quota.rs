//! Tells operators how far clients have used their quotas.

use common::models::UnixMillis;
use common::models::sms::ClientId;

use super::Gateway;
use crate::domain::quota::{Periods, Span};
use crate::store::StoreError;
use crate::store::quotas::{self, News};

/// Tells of what a claim has shown.
pub(crate) fn tell(gateway: &Gateway, news: News) {
    for client in news.refused {
        gateway.metrics.quota_refused_total.with_label_values(&[client.as_str()]).inc();
    }
    for (client, span, used, limit) in news.warned {
        let period = span.as_str();
        tracing::warn!(sms.client = %client, period, used, limit, "most of a client's quota is used");
    }
}

/// Shows what is used, and of how much.
pub(crate) async fn show(gateway: &Gateway) {
    if !gateway.rules.quotas.any() {
        return;
    }
    match uses(gateway).await {
        Ok(uses) => {
            for Used { client, span, used, limit, .. } in uses {
                let labels = [client.as_str(), span.as_str()];
                gateway.metrics.quota_used.with_label_values(&labels).set(used);
                gateway.metrics.quota_limit.with_label_values(&labels).set(limit);
            }
        }
        Err(error) => tracing::warn!(%error, "what is used of quotas cannot be read now"),
    }
}

/// What a client has used of one of its quotas.
pub(crate) struct Used {
    pub(crate) client: ClientId,
    pub(crate) span: Span,
    pub(crate) used: i64,
    pub(crate) limit: i64,
    pub(crate) until: UnixMillis,
}

/// Gives the quotas of all clients that have any, with what is used of them.
pub(crate) async fn uses(gateway: &Gateway) -> Result<Vec<Used>, StoreError> {
    let now = gateway.now();
    let rows = gateway.db.read(move |conn| quotas::used(conn, now)).await?;
    let periods = Periods::of(now);
    let mut uses = Vec::new();
    for client in &gateway.settings.allowed_clients {
        let limits = gateway.rules.quotas.limits(client).into_iter().flat_map(|limits| limits.all());
        for (span, limit) in limits {
            let period = periods.get(span);
            let row = rows.iter().find(|row| row.client_id == *client && row.period == period.name);
            let used = row.map_or(0, |row| row.used);
            uses.push(Used { client: client.clone(), span, used, limit, until: period.ends_at });
        }
    }
    Ok(uses)
}
