//! What the person at this node wants.

use super::Machine;
use super::explain::{apply, effective};
use super::io::{Command, CommandError, Env, Invitation};
use super::outbox::Letter;
use super::state::PENDING_MAX;
use crate::group::descriptor::{Change, MEMBERS_MAX};
use crate::group::message::{Left, Phase, Wish};
use crate::hash::ParticipantId;

impl Machine {
    /// What the person wants. An error changed nothing. Afterwards as after [`Self::handle`].
    pub fn command(&mut self, env: &mut Env<'_>, command: Command) -> Result<Option<Invitation>, CommandError> {
        if let Some(stop) = &self.state.stopped {
            return Err(CommandError::Stopped(stop.why.clone()));
        }
        let owner = self.state.owner;
        if self.is_owner() == matches!(command, Command::Ask(_)) {
            return Err(if self.is_owner() { CommandError::Owner } else { CommandError::NotOwner { owner } });
        }
        let done = match command {
            Command::Invite { name, expires_ms } => self.invite(env, name, expires_ms).map(Some),
            Command::Change(changes) => self.change(env, &changes).map(|()| None),
            Command::StartAlone => self.start_alone().map(|()| None),
            Command::Cancel => self.cancel(env).map(|()| None),
            Command::Retry => self.retry().map(|()| None),
            Command::Ask(wish) => self.ask(wish).map(|()| None),
        };
        self.settle(env);
        done
    }

    /// Owner: changes for the next epoch. All or none are taken.
    fn change(&mut self, env: &Env<'_>, changes: &[Change]) -> Result<(), CommandError> {
        let mut wanted = self.state.owning.as_ref().map(|o| o.pending.clone()).unwrap_or_default();
        let mut outside = Vec::new();
        for change in changes {
            match self.translated(env, change, &wanted)? {
                Some(change) => wanted.push(change),
                None => outside.push(*change.parts().1),
            }
        }
        if wanted.len() > PENDING_MAX {
            return Err(CommandError::Bound(format!("at most {PENDING_MAX} changes can wait for one epoch")));
        }
        let mut ring = self.ring_to_be();
        for change in wanted.iter() {
            apply(&mut ring, change, &self.id);
        }
        let most = self.config.members_max.min(MEMBERS_MAX);
        if ring.len() > most {
            return Err(CommandError::Bound(format!(
                "the group would have {} members, and the limit is {most}",
                ring.len()
            )));
        }
        for who in outside {
            self.forget_outsider(who, &mut wanted);
        }
        if let Some(owning) = self.state.owning.as_mut() {
            owning.pending = wanted;
            // The owner decided: a fresh series of attempts.
            (owning.stalled, owning.attempts_made, owning.not_before_ms) = (false, 0, 0);
            self.changed = true;
        }
        Ok(())
    }

    /// The ring that changes are against: the current one, or the owner alone.
    fn ring_to_be(&self) -> Vec<ParticipantId> {
        if self.state.current.is_some() { self.state.ring() } else { vec![self.id] }
    }

    /// A change as it will stand in the descriptor; `None` if it concerns someone outside the ring, and is done at once.
    fn translated(&self, env: &Env<'_>, change: &Change, wanted: &[Change]) -> Result<Option<Change>, CommandError> {
        let Some(owning) = self.state.owning.as_ref() else {
            return Err(CommandError::NotOwner { owner: self.state.owner });
        };
        let (_, who) = change.parts();
        let mut ring = self.ring_to_be();
        for change in wanted.iter() {
            apply(&mut ring, change, &self.id);
        }
        let (inside, suspended) = (ring.contains(who), owning.suspended.contains_key(who));
        let candidate = owning.candidates.contains_key(who);
        let pointless = |why: &str| Err(CommandError::Pointless(format!("{} {why}", who.short())));
        let translated = match change {
            _ if wanted.contains(change) => return pointless("has this change waiting already"),
            Change::Join(_) | Change::Return(_) if inside && candidate => Change::Update(*who),
            Change::Join(_) | Change::Return(_) if inside => return pointless("is a member already"),
            Change::Join(_) | Change::Return(_) if suspended => Change::Return(*who),
            Change::Join(_) if candidate => Change::Join(*who),
            Change::Leave(_) => return pointless("can only leave by itself; the owner removes"),
            Change::Remove(_) | Change::Suspend(_) if *who == self.id => return Err(CommandError::Owner),
            Change::Remove(_) if !inside && (candidate || suspended) => return Ok(None),
            Change::Remove(_) | Change::Suspend(_) | Change::Update(_) if inside => *change,
            _ => return Err(CommandError::Nobody(*who)),
        };
        let needs_enrolment = matches!(translated, Change::Join(_) | Change::Return(_));
        if needs_enrolment && !env.chain.standing(who).is_some_and(|s| s.valid) {
            return Err(CommandError::NotEnrolled(*who));
        }
        Ok(Some(translated))
    }

    /// A candidate or suspended member whom the owner does not want back.
    fn forget_outsider(&mut self, who: ParticipantId, wanted: &mut Vec<Change>) {
        wanted.retain(|change| change.parts().1 != &who);
        let Some(owning) = self.state.owning.as_mut() else { return };
        owning.candidates.remove(&who);
        if let Some(suspended) = owning.suspended.remove(&who) {
            self.post(who, Letter::Notice(Left::Removed, suspended.last));
        }
        self.changed = true;
    }

    fn start_alone(&mut self) -> Result<(), CommandError> {
        if self.state.current.is_some() || self.state.attempt.is_some() {
            return Err(CommandError::Pointless("the group has begun already".into()));
        }
        if let Some(owning) = self.state.owning.as_mut() {
            owning.alone = true;
            self.changed = true;
        }
        Ok(())
    }

    fn cancel(&mut self, env: &Env<'_>) -> Result<(), CommandError> {
        let committing = self.state.attempt.as_ref().is_some_and(|a| a.phase == Phase::Committing);
        let in_attempt = self.state.attempt.as_ref().map(|a| a.ed().changes.clone()).unwrap_or_default();
        let Some(owning) = self.state.owning.as_mut() else { return Ok(()) };
        owning.pending.retain(|change| committing && in_attempt.contains(change));
        owning.alone = false;
        self.changed = true;
        if !committing && self.state.attempt.is_some() {
            self.end_attempt(env, "the owner cancelled it".into(), None, false);
        }
        if let Some(owning) = self.state.owning.as_mut().filter(|_| !committing) {
            (owning.stalled, owning.attempts_made) = (false, 0);
        }
        Ok(())
    }

    fn retry(&mut self) -> Result<(), CommandError> {
        let Some(owning) = self.state.owning.as_mut().filter(|o| o.stalled || o.not_before_ms > 0) else {
            return Err(CommandError::Pointless("nothing waits to be tried again".into()));
        };
        (owning.stalled, owning.attempts_made, owning.not_before_ms) = (false, 0, 0);
        self.changed = true;
        Ok(())
    }

    fn ask(&mut self, wish: Wish) -> Result<(), CommandError> {
        use super::io::MyStanding::{Member, Suspended};
        match (wish, self.state.standing) {
            (Wish::Leave | Wish::Update, Member) | (Wish::Return, Suspended) => {}
            (Wish::Leave, Suspended) => {}
            (Wish::Return, Member) => {
                return Err(CommandError::Pointless("you are a member; there is nothing to return to".into()));
            }
            _ => return Err(CommandError::Pointless("you are not a member of this group".into())),
        }
        if self.state.ask.as_ref().is_some_and(|ask| ask.wish == wish) {
            return Err(CommandError::Pointless("this wish is on its way already".into()));
        }
        self.unpost(|_, letter| *letter == Letter::Ask);
        self.wish(wish);
        Ok(())
    }

    /// Whether changes wait that would do something.
    pub(super) fn pending(&self) -> Vec<Change> {
        let pending = self.state.owning.as_ref().map(|o| o.pending.clone()).unwrap_or_default();
        effective(&self.ring_to_be(), &pending, &self.state.owner).1
    }
}
