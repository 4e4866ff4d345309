use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use common::{
    crypto::jws::{SignalServerClaims, SigningKey, sign},
    models::Clock,
};
use futures_util::FutureExt;

use super::*;

struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

const START: UnixMillis = UnixMillis(1_000_000_000);

struct Bench {
    clock: Arc<ManualClock>,
    key: SigningKey,
    gate: Gate,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock(AtomicI64::new(START.as_i64())));
        let key = SigningKey::generate().unwrap();
        let gate = Gate::new(clock.clone());
        gate.set_keys([key.verifying_key().clone()]);
        Self { clock, key, gate }
    }

    fn claims(&self) -> Claims {
        let now = self.clock.now().as_secs();
        let device = DeviceId::new(2).unwrap();
        Claims { sub: AccountId::new(), sid: SessionId::new(), did: Some(device), iat: now, exp: now + 900 }
    }

    fn token(&self, claims: &Claims) -> String {
        sign(&self.key, claims)
    }

    /// A token with another signature than the key would give.
    fn forged(&self) -> String {
        let mut token = self.token(&self.claims());
        let at = token.len() - 4;
        let other = if token[at..].starts_with('A') { "B" } else { "A" };
        token.replace_range(at..=at, other);
        token
    }
}

const LATER: UnixMillis = UnixMillis(2_000_000_000);

#[test]
fn a_token_lets_in_until_it_expires() {
    let bench = Bench::new();
    let claims = bench.claims();
    let token = bench.token(&claims);

    let caller = bench.gate.check(&token).unwrap();
    assert_eq!((caller.account, caller.session, caller.device), (claims.sub, claims.sid, claims.did));
    assert_eq!(bench.gate.check(&token), Ok(caller), "from the cache");

    bench.clock.0.fetch_add(900_000, Ordering::SeqCst);
    assert_eq!(bench.gate.check(&token), Err(GateError::Refused));
}

#[test]
fn nobody_is_judged_before_the_keys_are_known() {
    let bench = Bench::new();
    let token = bench.token(&bench.claims());
    let gate = Gate::new(bench.clock.clone());

    assert!(!gate.ready());
    assert_eq!(gate.check(&token), Err(GateError::NotReady));
}

#[test]
fn forged_and_foreign_tokens_are_refused() {
    let bench = Bench::new();
    let forged = bench.forged();
    let foreign = sign(&SigningKey::generate().unwrap(), &bench.claims());

    for token in [forged.as_str(), foreign.as_str(), "", "a.b.c", "...."] {
        assert_eq!(bench.gate.check(token), Err(GateError::Refused), "{token}");
    }
}

#[test]
fn a_token_of_one_kind_opens_nothing_of_another_cached_or_not() {
    let bench = Bench::new();
    let Claims { sub, sid, iat, exp, .. } = bench.claims();
    let native = bench.token(&bench.claims());
    let (username, email) = ("alice".to_owned(), String::new());
    let foreign = sign(&bench.key, &SignalServerClaims { user_id: 1, username, email, exp, iat, sub, sid });

    for _ in 0..2 {
        assert!(bench.gate.check(&native).is_ok());
        assert_eq!(bench.gate.check_as::<SignalServerClaims>(&foreign).unwrap().account, sub);
        assert_eq!(bench.gate.check(&foreign), Err(GateError::Refused));
        assert_eq!(bench.gate.check_as::<SignalServerClaims>(&native), Err(GateError::Refused));
    }
    bench.gate.revoke_session(sid, LATER);
    assert_eq!(bench.gate.check_as::<SignalServerClaims>(&foreign), Err(GateError::Refused));
}

#[test]
fn an_unknown_key_is_told_and_a_bad_signature_is_not() {
    let bench = Bench::new();
    let forged = bench.forged();
    let told = || bench.gate.unknown_key().now_or_never().is_some();

    let _ = bench.gate.check(&forged);
    assert!(!told());

    let _ = bench.gate.check(&sign(&SigningKey::generate().unwrap(), &bench.claims()));
    assert!(told());
    assert!(!told(), "told once");
}

#[test]
fn a_key_that_is_gone_takes_its_cached_tokens_along() {
    let bench = Bench::new();
    let token = bench.token(&bench.claims());
    bench.gate.check(&token).unwrap();

    bench.gate.set_keys([SigningKey::generate().unwrap().verifying_key().clone()]);

    assert_eq!(bench.gate.check(&token), Err(GateError::Refused));
}

#[test]
fn revocations_refuse_cached_tokens_and_no_others() {
    let bench = Bench::new();
    let [session, account, device, of_session, other] = [(); 5].map(|()| bench.claims());
    for claims in [session, account, device, of_session, other] {
        bench.gate.check(&bench.token(&claims)).unwrap();
    }

    bench.gate.revoke_session(session.sid, LATER);
    bench.gate.revoke_account(account.sub, LATER);
    bench.gate.revoke_device((device.sub, DeviceId::new(2).unwrap()), START, LATER);
    bench.gate.revoke_device_of((of_session.sid, DeviceId::new(2).unwrap()), LATER);

    for claims in [session, account, device, of_session] {
        assert_eq!(bench.gate.check(&bench.token(&claims)), Err(GateError::Refused));
    }
    assert!(bench.gate.check(&bench.token(&other)).is_ok());
}

#[test]
fn a_device_registered_again_is_let_in() {
    let bench = Bench::new();
    let removed = bench.claims();
    bench.gate.revoke_device((removed.sub, DeviceId::new(2).unwrap()), START, LATER);

    let again = Claims { iat: removed.iat + 1, ..removed };

    assert!(bench.gate.check(&bench.token(&again)).is_ok());
}

#[test]
fn a_device_registered_again_by_another_session_is_let_in_whatever_the_clocks_say() {
    let bench = Bench::new();
    let (removed, device) = (bench.claims(), DeviceId::new(2).unwrap());
    let before = Claims { did: None, ..removed };
    let [again, earlier] =
        [removed.iat, removed.iat - 60].map(|iat| Claims { iat, sid: SessionId::new(), ..removed });
    let watches = [removed, before, again].map(|claims| bench.gate.watch(&Caller::from(claims)));

    bench.gate.revoke_device_of((removed.sid, device), LATER);

    for claims in [before, again, earlier] {
        assert!(bench.gate.check(&bench.token(&claims)).is_ok());
    }
    assert_eq!(watches.map(|watch| watch.is_revoked()), [true, false, false]);
}

#[test]
fn a_watch_learns_of_its_own_revocation_only() {
    let bench = Bench::new();
    let callers = [(); 4].map(|()| Caller::from(bench.claims()));
    let mut watches = callers.map(|caller| bench.gate.watch(&caller));

    bench.gate.revoke_session(callers[0].session, LATER);
    bench.gate.revoke_account(callers[1].account, LATER);
    bench.gate.revoke_device((callers[2].account, DeviceId::new(3).unwrap()), START, LATER);
    bench.gate.revoke_device((callers[3].account, DeviceId::new(2).unwrap()), START, LATER);

    let ended = watches.each_mut().map(|watch| watch.revoked().now_or_never().is_some());
    assert_eq!(ended, [true, true, false, true]);
}

#[test]
fn a_watch_that_comes_late_is_ended_already() {
    let bench = Bench::new();
    let caller = Caller::from(bench.claims());
    bench.gate.revoke_session(caller.session, LATER);

    assert!(bench.gate.watch(&caller).is_revoked());
}

#[test]
fn what_has_expired_is_forgotten() {
    let bench = Bench::new();
    let soon = START + Duration::from_secs(1);
    for _ in 0..2000 {
        bench.gate.revoke_session(SessionId::new(), soon);
    }
    bench.clock.0.fetch_add(5_000, Ordering::SeqCst);

    for _ in 0..5000 {
        bench.gate.revoke_session(SessionId::new(), soon);
    }

    assert!(bench.gate.revoked.read().unwrap().len() <= 2048);
}

#[test]
fn the_cache_is_bounded() {
    let mut cache = Cache::default();
    let claims = Bench::new().claims();

    for number in 0u32..200_000 {
        cache.put(cache::hash("JWT", &number.to_string()), claims);
    }

    assert!(cache.len() <= 65_536);
    assert_eq!(cache.get(&cache::hash("JWT", "199999")), Some(claims));
    assert_eq!(cache.get(&cache::hash("JWT", "1")), None);
}
