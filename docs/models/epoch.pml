/* The life of an epoch: an owner, two members, a chain, and what may go wrong. README.md says what is abstracted.
 *
 * Messages are sent again until they are taken, and one that comes twice changes nothing. So a channel that loses, delays,
 * doubles and reorders is the set of what was ever sent: a bit per message, set once, and read at any time or never.
 * A participant stores what changed before anything of it is seen outside. So a crash at any instruction either comes before the
 * store, and nothing happened, or after it, and the sending is still to be done: a change is one step, its sending another.
 * Faults are drawn from a budget. When it is used up nothing goes wrong any more; a state from which the group then does not
 * reach the last epoch ends in a deadlock, which Spin reports as an invalid end state.
 *
 * Each of -DSEND_FIRST -DABORT_AFTER_CONFIRM -DREACTIVATE -DSEAL_ON -DKEEP_LAST -DNO_REFRESH -DNO_DEADLINE -DREDO_IS_STALE
 * -DEARLIER_AGAIN takes one measure away, and makes Spin find an error.
 */
#ifndef FAULTS
#define FAULTS 2
#endif
#define EPOCHS 2                    /* to be reached after epoch 0 */
#define ATTEMPTS (FAULTS + 1)       /* at each of them: every attempt that fails does so by a fault */
#define LAST (EPOCHS * ATTEMPTS)    /* attempts are numbered 1 … LAST; 0 is epoch 0, in force and final from the start */
#if FAULTS > 3
#error "TAKE and COMMIT are written out for up to 8 attempts"
#endif
#define NONE 255

#define EPOCH(x) ((x + ATTEMPTS - 1) / ATTEMPTS)
#define BIT(i) (1 << (i))
#define EVERYONE 7
#define REMOVED 2                   /* the member that may be removed, and may come back */

/* What was ever sent. In the sets, bit i is participant i; 0 is the owner. */
bool proposed[LAST + 1];  byte roster[LAST + 1];  byte previous[LAST + 1];
byte refresh[LAST + 1];   /* whose pairs are agreed anew */
byte paired[LAST + 1]; /* who took it, and pairs */
byte shared[LAST + 1];  byte confirmed[LAST + 1];
byte lost[LAST + 1];      /* who answered Refused(LostState) */
byte aborted[LAST + 1];   /* by whom; the owner's word is final */
bool submitted[LAST + 1]; /* EpochCommit */

/* The best chain: commits on it, D deep in it, and those whose deadline it has passed without them. */
bool mined[LAST + 1];  bool deep[LAST + 1];  bool expired[LAST + 1];

/* What each participant has stored. */
mtype = { idle, pairing, sharing, confirming, committing };
mtype phase[3] = idle;
byte staged[3] = NONE;    /* the attempt under way */
byte seen[3 * EPOCHS];    /* the newest attempt known, for each epoch */
byte settled[3];          /* the newest epoch that ever came into force here */
byte inforce[3];          /* bits: the epochs in force, by attempt */
bool forgot[3];           /* restored from an older copy: without the keys of the last epoch */
/* The owner's. */
bool wanted;  bool removes;  bool returns;  bool again;  byte lostset;
bool sealing = true;      /* nothing stands against sealing under the epoch in force */
byte gone;                /* who is to be out, from the moment a removal is drawn */

byte faults = FAULTS;

#define SEEN(i, x) seen[(i) * EPOCHS + EPOCH(x) - 1]
#define IN(i, x) ((roster[x] & BIT(i)) != 0)
#define FORCE(i, x) ((inforce[i] & BIT(x)) != 0)
#define BEGUN(i) (phase[i] == pairing || phase[i] == sharing)
#define DONE (EPOCH(settled[0]) == EPOCHS && deep[settled[0]] && phase[0] == idle && FORCE(0, settled[0]) && \
              (!IN(1, settled[0]) || FORCE(1, settled[0])) && (!IN(2, settled[0]) || FORCE(2, settled[0])))
#define FAULT (faults > 0 && !DONE)

inline drop(i) { staged[i] = NONE; phase[i] = idle }

/* What must hold in every state. */
inline check(i) {
	/* Never two epochs in force at one participant. */
	assert((inforce[i] & (inforce[i] - 1)) == 0);
	/* No key of e is used once a removal from it is drawn: whoever may seal, seals for nobody who is to be out. */
	assert(!sealing || gone == 0 || inforce[0] == 0 ||
		(gone & (FORCE(0, 0) -> EVERYONE : roster[settled[0]])) == 0)
}

/* x comes into force at i. The epoch before it goes out of force in the same step. */
inline activate(i, x) {
	/* An epoch never comes back into force after a later one removed somebody from it. */
	assert(i != 0 || (roster[x] & gone) == 0);
#ifdef KEEP_LAST
	inforce[i] = inforce[i] | BIT(x);
#else
	inforce[i] = BIT(x);
#endif
	settled[i] = x;
	forgot[i] = false
}

/* Steps of owner and members alike. */
#ifdef SEND_FIRST
#define CONFIRM(i) \
	:: atomic { phase[i] == sharing && shared[staged[i]] == roster[staged[i]] -> \
		confirmed[staged[i]] = confirmed[staged[i]] | BIT(i); \
		if \
		:: phase[i] = confirming \
		:: FAULT -> faults--; drop(i) /* the crash came before the store */ \
		fi }
#else
#define CONFIRM(i) \
	:: atomic { phase[i] == sharing && shared[staged[i]] == roster[staged[i]] -> phase[i] = confirming } \
	:: atomic { phase[i] == confirming && (confirmed[staged[i]] & BIT(i)) == 0 -> \
		confirmed[staged[i]] = confirmed[staged[i]] | BIT(i) }
#endif
#define RING(i) \
	:: atomic { phase[i] == pairing && paired[staged[i]] == roster[staged[i]] -> phase[i] = sharing } \
	:: atomic { phase[i] == sharing && (shared[staged[i]] & BIT(i)) == 0 -> shared[staged[i]] = shared[staged[i]] | BIT(i) } \
	CONFIRM(i) \
	/* A reorganisation took the commit away: nothing is in force until it is back. */ \
	:: atomic { inforce[i] == BIT(settled[i]) && !mined[settled[i]] -> ROLLBACK(i); check(i) } \
	:: atomic { inforce[i] == 0 && !forgot[i] && mined[settled[i]] -> inforce[i] = BIT(settled[i]); check(i) }
#ifdef REACTIVATE
#define ROLLBACK(i) activate(i, previous[settled[i]])
#else
#define ROLLBACK(i) inforce[i] = 0
#endif

active proctype Owner() {
	byte next;
	do
	/* A person wants a change: a removal, the return of who was removed, or an update. It stands until an epoch has it. */
	:: atomic { !wanted && phase[0] == idle && deep[settled[0]] && EPOCH(settled[0]) < EPOCHS ->
		wanted = true;
		if
		:: gone == 0 -> removes = true
		:: gone != 0 -> returns = true
		:: skip
		fi }
	/* The deadline of an epoch that was in force passed without it: the same epoch once more, every pair anew. */
	:: atomic { phase[0] == idle && inforce[0] == 0 && expired[settled[0]] && !mined[settled[0]] && !again && !DONE ->
		again = true; wanted = true; removes = false; returns = false }
	/* Draws and stores the next attempt; a number is never used twice. A removal stops sealing before anyone hears of it. */
	:: atomic { phase[0] == idle && wanted && (again || deep[settled[0]] && inforce[0] != 0) ->
		next = (EPOCH(settled[0]) - (again -> 1 : 0)) * ATTEMPTS + 1;
		next = (SEEN(0, next) >= next -> SEEN(0, next) + 1 : next);
		assert(EPOCH(next) == EPOCH(settled[0]) + (again -> 0 : 1)); /* attempts do not run out */
		previous[next] = (again -> previous[settled[0]] : settled[0]);
		roster[next] = (gone != 0 && !returns -> EVERYONE & ~BIT(REMOVED) : EVERYONE);
		refresh[next] = (again -> EVERYONE : lostset);
#ifdef NO_REFRESH
		refresh[next] = 0;
#endif
		if
		:: removes -> roster[next] = EVERYONE & ~BIT(REMOVED); gone = BIT(REMOVED);
#ifndef SEAL_ON
			sealing = false
#endif
		:: else
		fi;
		SEEN(0, next) = next; staged[0] = next; phase[0] = pairing;
		check(0); next = 0 }
	:: atomic { phase[0] != idle && !proposed[staged[0]] ->
		proposed[staged[0]] = true; paired[staged[0]] = paired[staged[0]] | BIT(0) }
	RING(0)
	/* Aborts: never once EpochCommit is signed. */
	:: atomic { (BEGUN(0) || phase[0] == confirming) && (lost[staged[0]] != 0 || aborted[staged[0]] != 0) ->
		lostset = lostset | lost[staged[0]]; aborted[staged[0]] = aborted[staged[0]] | BIT(0); drop(0) }
	:: atomic { (BEGUN(0) || phase[0] == confirming) && FAULT -> /* a time limit, too early */
		faults--; aborted[staged[0]] = aborted[staged[0]] | BIT(0); drop(0) }
	:: atomic { timeout && !DONE && (BEGUN(0) || phase[0] == confirming) -> /* a time limit, when nothing else can happen */
		aborted[staged[0]] = aborted[staged[0]] | BIT(0); drop(0) }
	/* The last epoch lost its commit: no later one is made before it has it back. */
	:: atomic { (BEGUN(0) || phase[0] == confirming) && inforce[0] == 0 && EPOCH(staged[0]) > EPOCH(settled[0]) ->
		aborted[staged[0]] = aborted[staged[0]] | BIT(0); drop(0) }
	/* All n confirmations: EpochCommit is signed and stored, then sent. */
	:: atomic { phase[0] == confirming && confirmed[staged[0]] == roster[staged[0]] -> phase[0] = committing }
	:: atomic { phase[0] == committing && !submitted[staged[0]] -> submitted[staged[0]] = true }
	:: atomic { phase[0] == committing && mined[staged[0]] ->
		gone = gone & ~roster[staged[0]];
		activate(0, staged[0]);
		drop(0); sealing = true; wanted = false; removes = false; returns = false; again = false; lostset = 0;
		check(0) }
	/* Its deadline passed without it: over, and the next attempt has every pair anew. */
#ifndef NO_DEADLINE
	:: atomic { phase[0] == committing && expired[staged[0]] && !mined[staged[0]] ->
		aborted[staged[0]] = aborted[staged[0]] | BIT(0); lostset = EVERYONE; drop(0) }
#endif
	:: DONE -> break
	od
}

/* Member i takes proposal x: newer than any it took, upon an epoch that is final on its own chain, or the same epoch once more
   because its own chain passed the deadline; and only with keys for the pairs that are kept. */
#define ABOUT(i, x) (x <= LAST && proposed[x] && IN(i, x) && x > SEEN(i, x) && IN_TURN(i, x) && (lost[x] & BIT(i)) == 0)
#define HOLDS(i, x) ((refresh[x] & BIT(i)) != 0 || !IN(i, previous[x]) || (!forgot[i] && settled[i] == previous[x]))
#define REDO(i, x) (settled[i] != 0 && EPOCH(settled[i]) == EPOCH(x) && !forgot[i])
/* A later epoch that came into force, or is under way here, is not given up for an earlier one, but for a redo. */
#ifdef REDO_IS_STALE
#define IN_TURN(i, x) (x > SEEN(i, LAST))
#else
#ifdef EARLIER_AGAIN
#define IN_TURN(i, x) (forgot[i] || EPOCH(settled[i]) <= EPOCH(x))
#else
#define IN_TURN(i, x) ((forgot[i] || EPOCH(settled[i]) <= EPOCH(x)) && \
	(staged[i] == NONE || EPOCH(staged[i]) <= EPOCH(x) || REDO(i, x)))
#endif
#endif
#define FOLLOWS(i, x) (settled[i] == previous[x] && !forgot[i] -> deep[previous[x]] : \
	(REDO(i, x) -> \
		inforce[i] == 0 && expired[settled[i]] && !mined[settled[i]] && refresh[x] == EVERYONE : \
	(staged[i] != NONE && staged[i] == previous[x] -> false : true)))
#define TAKE(i, x) \
	:: atomic { ABOUT(i, x) && FOLLOWS(i, x) && HOLDS(i, x) -> \
		SEEN(i, x) = x; staged[i] = x; phase[i] = pairing; paired[x] = paired[x] | BIT(i) } \
	:: atomic { ABOUT(i, x) && FOLLOWS(i, x) && !HOLDS(i, x) && (aborted[x] & BIT(0)) == 0 -> lost[x] = lost[x] | BIT(i) }

proctype Member(byte i) {
	do
	TAKE(i, 1) TAKE(i, 2) TAKE(i, 3) TAKE(i, 4)
#if LAST > 4
	TAKE(i, 5) TAKE(i, 6)
#endif
#if LAST > 6
	TAKE(i, 7) TAKE(i, 8)
#endif
	RING(i)
	/* A member aborts as long as it has not confirmed. After that only the owner, who may have signed, can. */
#ifdef ABORT_AFTER_CONFIRM
	:: atomic { (BEGUN(i) || phase[i] == confirming) && FAULT ->
#else
	:: atomic { BEGUN(i) && FAULT ->
#endif
		faults--; aborted[staged[i]] = aborted[staged[i]] | BIT(i); drop(i) }
	:: atomic { BEGUN(i) && aborted[staged[i]] != 0 -> drop(i) }
	:: atomic { phase[i] == confirming && (aborted[staged[i]] & BIT(0)) != 0 -> drop(i) }
	/* All n confirmations, and the commit on this node's own best chain. */
	:: atomic { phase[i] == confirming && confirmed[staged[i]] == roster[staged[i]] && mined[staged[i]] ->
		activate(i, staged[i]); drop(i); check(i) }
	/* Restored from a copy made before: the attempt, and the keys of the last epoch, are gone. Not once the last epoch of
	   this model is drawn, since it takes one more epoch to be back. */
	:: atomic { !forgot[i] && SEEN(0, LAST) == 0 && FAULT ->
		faults--; forgot[i] = true; inforce[i] = 0; SEEN(i, 1) = 0; SEEN(i, LAST) = 0; drop(i) }
	:: DONE -> break
	od
}

/* Commits are mined and buried; a reorganisation takes the newest away, however deep; a deadline passes without it. */
#define NEWEST(x) (x == settled[0] || x == staged[0])
#define COMMIT(x) \
	:: atomic { submitted[x] && !mined[x] && !expired[x] -> mined[x] = true } \
	:: atomic { mined[x] && !deep[x] -> deep[x] = true } \
	:: atomic { mined[x] && NEWEST(x) && FAULT -> faults--; mined[x] = false; deep[x] = false } \
	:: atomic { submitted[x] && !mined[x] && !expired[x] && NEWEST(x) && FAULT -> faults--; expired[x] = true }

active proctype Chain() {
	do
	COMMIT(1) COMMIT(2) COMMIT(3) COMMIT(4)
#if LAST > 4
	COMMIT(5) COMMIT(6)
#endif
#if LAST > 6
	COMMIT(7) COMMIT(8)
#endif
	:: DONE -> break
	od
}

init {
	atomic {
		roster[0] = EVERYONE; mined[0] = true; deep[0] = true;
		inforce[0] = BIT(0); inforce[1] = BIT(0); inforce[2] = BIT(0);
		run Member(1); run Member(2)
	}
}
