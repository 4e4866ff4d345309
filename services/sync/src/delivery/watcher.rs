//! What a subscriber is told, as a state machine without socket, clock and table. It may see the session as often as it
//! likes, late, or with steps left out: each thing is told once, in order, and nothing after the end.

use std::time::Duration;

use crate::domain::SyncId;
use crate::domain::session::Sight;

/// Why a subscription ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The device has synchronized.
    Done,
    /// The session's time has passed.
    Over,
    /// Another connection has the session.
    Taken,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// The session was looked at.
    Seen(Sight),
    /// What was waited for is due.
    Due,
}

/// What is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// Show the URL with this id.
    Show(SyncId),
    /// Tell that keys were exchanged.
    Paused,
    /// Tell that the password was right.
    Acked,
    /// Come back with [`Input::Due`] after this time.
    Wait(Duration),
    /// Have the session do what is due, and come back with what is seen then.
    Advance,
    /// Close.
    Close(End),
}

/// What a subscriber was told.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    turn: u16,
    paused: bool,
    ended: bool,
}

impl Watcher {
    /// One step; total.
    pub(super) fn step(&mut self, input: Input) -> Vec<Output> {
        match input {
            _ if self.ended => Vec::new(),
            Input::Due => vec![Output::Advance],
            Input::Seen(Sight::Run { turn, shown, left }) => self.run(turn, shown, left),
            Input::Seen(Sight::Pause { left }) => self.pause(left),
            Input::Seen(Sight::Done) => {
                self.ended = true;
                vec![Output::Acked, Output::Close(End::Done)]
            }
            Input::Seen(Sight::Over) => self.close(End::Over),
            Input::Seen(Sight::Taken) => self.close(End::Taken),
        }
    }

    fn run(&mut self, turn: u16, shown: SyncId, left: Duration) -> Vec<Output> {
        // An older look that was overtaken.
        if self.paused || turn < self.turn {
            return Vec::new();
        }
        let show = (turn > self.turn).then_some(Output::Show(shown));
        self.turn = turn;
        show.into_iter().chain([Output::Wait(left)]).collect()
    }

    fn pause(&mut self, left: Duration) -> Vec<Output> {
        let tell = (!self.paused).then_some(Output::Paused);
        self.paused = true;
        tell.into_iter().chain([Output::Wait(left)]).collect()
    }

    fn close(&mut self, end: End) -> Vec<Output> {
        self.ended = true;
        vec![Output::Close(end)]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEFT: Duration = Duration::from_secs(15);

    fn run(turn: u16, shown: &SyncId) -> Input {
        Input::Seen(Sight::Run { turn, shown: shown.clone(), left: LEFT })
    }

    #[test]
    fn each_url_is_shown_once_until_keys_are_exchanged() {
        let (mut watcher, first, second) = (Watcher::default(), SyncId::new(), SyncId::new());
        let pause = Input::Seen(Sight::Pause { left: LEFT });

        assert_eq!(watcher.step(run(1, &first)), [Output::Show(first.clone()), Output::Wait(LEFT)]);
        assert_eq!(watcher.step(run(1, &first)), [Output::Wait(LEFT)]);
        assert_eq!(watcher.step(Input::Due), [Output::Advance]);
        assert_eq!(watcher.step(run(2, &second)), [Output::Show(second.clone()), Output::Wait(LEFT)]);
        assert_eq!(watcher.step(run(1, &first)), []);
        assert_eq!(watcher.step(pause.clone()), [Output::Paused, Output::Wait(LEFT)]);
        assert_eq!(watcher.step(pause), [Output::Wait(LEFT)]);
        assert_eq!(watcher.step(run(2, &second)), []);
        assert_eq!(watcher.step(Input::Seen(Sight::Done)), [Output::Acked, Output::Close(End::Done)]);
        assert_eq!(watcher.step(Input::Due), []);
    }

    #[test]
    fn an_ack_needs_no_pause_before_it() {
        let mut watcher = Watcher::default();
        watcher.step(run(1, &SyncId::new()));

        assert_eq!(watcher.step(Input::Seen(Sight::Done)), [Output::Acked, Output::Close(End::Done)]);
    }

    #[test]
    fn a_session_that_is_over_or_taken_closes_without_a_frame() {
        for (sight, end) in [(Sight::Over, End::Over), (Sight::Taken, End::Taken)] {
            assert_eq!(Watcher::default().step(Input::Seen(sight)), [Output::Close(end)]);
        }
    }

    fn inputs() -> impl Strategy<Value = Vec<Input>> {
        let shown = prop::collection::vec(Just(()).prop_map(|()| SyncId::new()), 4);
        shown.prop_flat_map(|shown| {
            let input = prop_oneof![
                4 => (0_usize..4).prop_map(move |turn| run(u16::try_from(turn).unwrap() + 1, &shown[turn])),
                2 => Just(Input::Seen(Sight::Pause { left: LEFT })),
                1 => Just(Input::Seen(Sight::Done)),
                1 => Just(Input::Seen(Sight::Over)),
                1 => Just(Input::Seen(Sight::Taken)),
                3 => Just(Input::Due),
            ];
            prop::collection::vec(input, 0..30)
        })
    }

    proptest! {
        #[test]
        fn whatever_is_seen_nothing_is_told_twice_or_out_of_order(inputs in inputs()) {
            let mut watcher = Watcher::default();

            let outputs: Vec<Output> = inputs.into_iter().flat_map(|input| watcher.step(input)).collect();

            let place = |wanted: &dyn Fn(&Output) -> bool| -> Vec<usize> {
                outputs.iter().enumerate().filter(|(_, output)| wanted(output)).map(|(at, _)| at).collect()
            };
            let shows = place(&|output| matches!(output, Output::Show(_)));
            let pauses = place(&|output| *output == Output::Paused);
            let acks = place(&|output| *output == Output::Acked);
            let ends = place(&|output| matches!(output, Output::Close(_)));
            prop_assert!(pauses.len() <= 1 && acks.len() <= 1 && ends.len() <= 1);
            prop_assert!(shows.iter().all(|show| pauses.iter().all(|pause| show < pause)));
            prop_assert!(acks.iter().all(|ack| ack + 2 == outputs.len()));
            prop_assert!(ends.iter().all(|end| end + 1 == outputs.len()));
            let shown: std::collections::HashSet<_> =
                outputs.iter().filter_map(|output| match output {
                    Output::Show(shown) => Some(shown.as_str().to_owned()),
                    _ => None,
                }).collect();
            prop_assert_eq!(shown.len(), shows.len());
        }
    }
}
