//! What is due, and when.

use super::Machine;
use super::io::Env;
use super::outbox::Letter;
use crate::group::message::Phase;

impl Machine {
    /// When [`super::Input::Tick`] is due, ms since 1970.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        if self.state.stopped.is_some() {
            return self.outbox_deadline_ms();
        }
        let attempt = self.state.attempt.as_ref().filter(|a| a.phase < Phase::Committing);
        let step = attempt
            .map(|a| if self.asks_soon() { a.until_ms.saturating_sub(self.asks_before_ms()) } else { a.until_ms });
        let judge = self.state.dead.iter().filter_map(|d| d.judge_at_ms).min();
        let back_off =
            self.state.owning.as_ref().filter(|o| self.state.attempt.is_none() && !o.stalled && o.not_before_ms > 0);
        let back_off = back_off.map(|o| o.not_before_ms);
        let deadlines = [self.outbox_deadline_ms(), step, judge, back_off, self.presence_deadline_ms()];
        deadlines.into_iter().flatten().min()
    }

    /// A member asks after half the owner's time for the step, which is a quarter of its own.
    const fn asks_before_ms(&self) -> u64 {
        let limit = self.config.step_timeout_ms;
        limit.saturating_add(limit / 2)
    }

    /// Member: whether the owner is still to be asked for what is missing in this step.
    fn asks_soon(&self) -> bool {
        let waits = |a: &super::state::Attempt| matches!(a.phase, Phase::Sharing | Phase::Confirming) && !a.nudged;
        !self.is_owner() && self.state.attempt.as_ref().is_some_and(waits)
    }

    /// Steps whose time is over.
    pub(super) fn step_timers(&mut self, env: &mut Env<'_>) {
        self.judge_dead(env);
        let (limit, is_owner) = (self.config.step_timeout_ms, self.is_owner());
        if let Some(owning) = self.state.owning.as_mut().filter(|o| o.not_before_ms <= env.now_ms) {
            owning.not_before_ms = 0;
        }
        let (asks_soon, asks_before_ms) = (self.asks_soon(), self.asks_before_ms());
        let owner = self.state.owner;
        let Some(attempt) = self.state.attempt.as_mut().filter(|a| a.phase < Phase::Committing) else { return };
        let gid = attempt.gid;
        if asks_soon && attempt.until_ms.saturating_sub(asks_before_ms) <= env.now_ms {
            attempt.nudged = true;
            self.changed = true;
            self.post(owner, Letter::WantProposal(gid));
        } else if attempt.until_ms <= env.now_ms {
            if !is_owner && attempt.phase == Phase::Confirming {
                // Confirmed: only the owner may end it now. It is asked again for what is missing.
                attempt.nudged = false;
                attempt.until_ms = env.now_ms.saturating_add(limit.saturating_mul(2));
                self.changed = true;
                return;
            }
            self.step_timed_out(env);
        }
    }
}
