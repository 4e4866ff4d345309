//! No order of events breaks the rules.

use proptest::prelude::*;

use super::*;

pub(super) fn event() -> impl Strategy<Value = PartEvent> {
    prop_oneof![
        Just(accepted("7")),
        Just(accepted("")),
        Just(PartEvent::Refused(CommandStatus::RSYSERR.into())),
        Just(PartEvent::Refused(CommandStatus::RINVDSTADR.into())),
        Just(PartEvent::Throttled { retry_at: RETRY }),
        Just(PartEvent::NotSent { retry_at: RETRY }),
        Just(PartEvent::Unknown),
        Just(found(ReceiptState::Delivered)),
        Just(found(ReceiptState::Undeliverable)),
        proptest::sample::select(vec![
            ReceiptState::Delivered,
            ReceiptState::Undeliverable,
            ReceiptState::Expired,
            ReceiptState::Rejected,
            ReceiptState::Enroute,
            ReceiptState::Unrecognised,
        ])
        .prop_map(receipt),
    ]
}

/// Whether its outcome is still waited for.
fn under_way(attempt: &Attempt) -> bool {
    matches!(attempt.state, JobState::Submitting | JobState::Unknown) && attempt.due_at.is_some()
}

fn class() -> impl Strategy<Value = SmsClass> {
    proptest::sample::select(vec![SmsClass::Bulk, SmsClass::Otp, SmsClass::Alert])
}

proptest! {
    #[test]
    fn no_status_is_published_twice_and_no_segment_leaves_more_often_than_its_class_allows(
        segments in 1i32..4,
        class in class(),
        steps in proptest::collection::vec((1i32..4, 0i32..2, event(), 0u8..4), 0..40),
    ) {
        let mut attempt = Attempt { class, ..attempt(segments) };
        let mut published: Vec<Emission> = Vec::new();
        // How often each segment has left, less the copies that are known not to have arrived.
        let mut copies = [1; 4];
        for (number, copy, event, act) in steps {
            let definite = matches!(event, PartEvent::Throttled { .. } | PartEvent::NotSent { .. });
            let waiting = |attempt: &Attempt| {
                attempt.parts.iter().any(|part| part.number == number && part.state == PartState::Queued)
            };
            let waited = waiting(&attempt);
            attempt.apply(number, copy.min(attempt.resends), event);
            if waiting(&attempt) && !waited {
                prop_assert!(definite);
                copies[number as usize] -= 1;
            }
            published.extend(attempt.settle());
            match act {
                1 if under_way(&attempt) => {
                    published.extend(attempt.give_up(true, NOW));
                }
                2 if attempt.state == JobState::Queued => {
                    for left in attempt.begin(segments, &"main".into(), RETRY) {
                        copies[left as usize] += 1;
                    }
                }
                3 if attempt.state == JobState::Queued => {
                    published.extend(attempt.drop_waiting(SmsState::Expired, None, true));
                }
                _ => {}
            }
            if let [only] = published.as_slice()
                && matches!(only.status, SmsState::Invalid | SmsState::Expired)
            {
                let sent = |part: &Part| !matches!(part.state, PartState::Queued | PartState::Refused);
                prop_assert!(!attempt.parts.iter().any(sent), "{only:?}: {attempt:?}");
            }
        }

        let statuses = statuses(&published);
        for (index, status) in statuses.iter().enumerate() {
            prop_assert!(!statuses[..index].contains(status), "{:?}", statuses);
        }
        let most = if class == SmsClass::Bulk { 1 } else { 2 };
        prop_assert!(copies.iter().all(|count| *count <= most), "{:?} of {:?}", copies, class);
    }
}
