//! What is told: a line for each step as it is taken, or one JSON object at the end.

use serde_json::{Value, json};

use super::block::Learnt;
use crate::console::{self, Outcome};

/// Why it goes no further.
pub(crate) struct Failure {
    /// The exit code.
    pub(super) code: u8,
    /// Which step.
    pub(super) step: &'static str,
    /// What happened.
    pub(crate) text: String,
    /// What to do.
    pub(crate) advice: String,
}

/// The steps so far.
pub(super) struct Report {
    json: bool,
    steps: Vec<Value>,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json, steps: Vec::new() }
    }

    /// Tells of a step that went well.
    ///
    /// # Errors
    /// When stdout takes nothing.
    pub(super) fn step(&mut self, step: &'static str, text: &str) -> Outcome {
        self.steps.push(json!({ "step": step, "ok": true, "text": text }));
        self.line(&format!("ok    {step}: {text}"))
    }

    /// Tells what is worth knowing beside.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub(super) fn note(&mut self, step: &'static str, text: &str) -> Outcome {
        self.steps.push(json!({ "step": step, "note": text }));
        self.line(&format!("      {text}"))
    }

    /// What the last step that went well has said.
    pub(super) fn last(&self) -> String {
        let text = self.steps.last().and_then(|step| step["text"].as_str());
        text.unwrap_or_default().to_owned()
    }

    fn line(&self, line: &str) -> Outcome {
        if self.json { Ok(()) } else { console::print_line(line) }
    }

    /// Tells how it ended, and prints the settings.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub(super) fn end(mut self, block: &str, learnt: &Learnt, failure: Option<&Failure>) -> Outcome {
        if let Some(Failure { step, text, advice, .. }) = failure {
            self.steps.push(json!({ "step": step, "ok": false, "text": text, "advice": advice }));
            self.line(&format!("FAIL  {step}: {text}\n      {advice}"))?;
        }
        if self.json {
            let told = json!({
                "ok": failure.is_none(),
                "exitCode": failure.map_or(0, |failure| failure.code),
                "steps": self.steps,
                "learnt": learnt.to_json(),
                "settings": block,
            });
            return console::print_line(&told.to_string());
        }
        if learnt.bound {
            console::print_line(&format!("\nFor the gateway's settings file:\n\n{block}"))?;
        }
        Ok(())
    }
}
