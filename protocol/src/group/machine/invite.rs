//! Invitations: the owner's side of a ticket, and the invited's.

use super::Machine;
use super::io::{CommandError, Config, Env, Event, Invitation, Me, MyStanding};
use super::outbox::Letter;
use super::state::{CANDIDATES_MAX, Candidate, INVITATIONS_MAX, Invited, PEOPLE_MAX, State};
use crate::group::message::{Answer, Join, Refusal};
use crate::group::ticket::{Ticket, check_join, join_message};
use crate::hash::{ParticipantId, Tag, h};
use crate::kdf::Suite;

/// Longest name in an invitation, characters.
const NAME_CHARS_MAX: usize = 40;

/// What the owner keeps of a token.
fn token_hash(token: &[u8; 16]) -> [u8; 32] {
    h(Tag::Join, &[&[Suite::T2Aes.id()], token])
}

impl Machine {
    /// Takes up an invitation: says so to the owner until it is taken. Also gives the code that both people compare.
    ///
    /// Refuses a ticket that is out of date, and one of this participant's own group.
    pub fn accept(me: Me, ticket: &Ticket, config: Config, env: &mut Env<'_>) -> Result<(Self, String), CommandError> {
        let id = me.identity.public().id();
        if ticket.expires_ms <= env.now_ms {
            return Err(CommandError::Bound(
                "the invitation is out of date; ask the group's owner for a new one".into(),
            ));
        }
        if id == ticket.owner {
            return Err(CommandError::Pointless("this invitation is to a group of your own".into()));
        }
        if !env.chain.standing(&id).is_some_and(|s| s.valid) {
            return Err(CommandError::NotEnrolled(id));
        }
        let joining = join_message(&me, ticket);
        let mut state = State::new(ticket.chain, ticket.group, ticket.owner, MyStanding::Invited);
        state.note_endpoint(ticket.owner, ticket.endpoint.clone());
        state.join = Some(joining.join);
        let mut machine = Self::new(me, config, state);
        machine.post(ticket.owner, Letter::Join);
        machine.settle(env);
        Ok((machine, joining.code))
    }

    /// Owner: a new invitation.
    pub(super) fn invite(
        &mut self,
        env: &mut Env<'_>,
        name: String,
        expires_ms: u64,
    ) -> Result<Invitation, CommandError> {
        let mut token = [0; 16];
        env.rng.fill_bytes(&mut token);
        let owner = self.state.owner;
        let owning = self.state.owning.as_mut().ok_or(CommandError::NotOwner { owner })?;
        let waits = |used_by: Option<ParticipantId>| used_by.is_none_or(|id| owning.candidates.contains_key(&id));
        owning.invitations.retain(|i| i.expires_ms > env.now_ms && waits(i.used_by));
        let length = name.chars().count();
        if length == 0 || length > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(CommandError::Bound(format!("a name has 1 to {NAME_CHARS_MAX} characters")));
        }
        if expires_ms <= env.now_ms {
            return Err(CommandError::Bound("an invitation must be good for some time".into()));
        }
        if owning.invitations.iter().filter(|i| i.used_by.is_none()).count() >= INVITATIONS_MAX {
            let why = format!("{INVITATIONS_MAX} invitations are open; wait until some are taken up or out of date");
            return Err(CommandError::Bound(why));
        }
        owning.invitations.push(Invited { token_hash: token_hash(&token), name, expires_ms, used_by: None });
        self.changed = true;
        Ok(Invitation { token, expires_ms })
    }

    /// Owner: somebody takes an invitation up. The same participant may say so again; another finds the token used.
    pub(super) fn join_in(&mut self, env: &Env<'_>, from: &[u8], join: &Join) -> Answer {
        let Some(owning) = self.state.owning.as_ref() else { return Answer::Refused(Refusal::UnknownGroup) };
        if join.endpoint.peer_id != from {
            return Answer::Refused(Refusal::WrongPeer);
        }
        let hash = token_hash(&join.token);
        let id = join.keys.id();
        let at = owning.invitations.iter().position(|i| i.token_hash == hash);
        if at.is_none() && !self.state.ring().contains(&id) {
            return Answer::Refused(Refusal::Invitation);
        }
        let Ok(code) = check_join(&self.state.chain, &self.state.group, &self.id, join) else {
            return Answer::Refused(Refusal::BadSignature);
        };
        // A used token is forgotten once its candidate is a member, which may not know yet that it was heard.
        let Some(at) = at else { return Answer::Taken };
        let Some(invited) = owning.invitations.get(at).cloned() else { return Answer::Refused(Refusal::Invitation) };
        if invited.used_by == Some(id) {
            return Answer::Taken;
        }
        if invited.used_by.is_some() || invited.expires_ms <= env.now_ms || id == self.id {
            return Answer::Refused(Refusal::Invitation);
        }
        match env.chain.standing(&id) {
            None => return Answer::Later,
            Some(s) if !s.valid || s.keys != join.keys => return Answer::Refused(Refusal::NotEnrolled),
            Some(_) => {}
        }
        let full = owning.candidates.len() >= CANDIDATES_MAX || owning.names.len() >= PEOPLE_MAX;
        if full && !owning.candidates.contains_key(&id) {
            return Answer::Refused(Refusal::Full);
        }
        let Some(owning) = self.state.owning.as_mut() else { return Answer::Later };
        if let Some(invited) = owning.invitations.get_mut(at) {
            invited.used_by = Some(id);
        }
        owning.names.insert(id, invited.name.clone());
        owning.candidates.insert(id, Candidate { keys: join.keys.clone(), name: invited.name, code });
        self.state.note_endpoint(id, join.endpoint.clone());
        self.changed = true;
        self.unpost(|to, letter| *to == id && matches!(letter, Letter::Notice(..)));
        self.event(Event::Candidate { member: id });
        Answer::Taken
    }
}
