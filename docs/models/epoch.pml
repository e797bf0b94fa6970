/* The life of an epoch: an owner, two members, a chain, and what may go wrong. See README.md for what is abstracted.
 *
 * Messages are sent again until they are taken, and one that comes twice changes nothing. So a channel that loses, delays,
 * doubles and reorders is the set of what was ever sent: a bit per message, set once, read at any time or never.
 * A crash loses what is not stored: every step either stores or sends, and never both.
 * Faults are drawn from a budget. When it is used up nothing goes wrong any more, and if the group then does not reach the
 * last epoch, Spin reports an invalid end state: so a run without errors shows that from every state that up to FAULTS
 * faults lead to, the group can reach an active epoch.
 *
 * Each of -DSEND_FIRST -DABORT_AFTER_CONFIRM -DREACTIVATE -DSEAL_ON -DTWO_IN_FORCE -DNO_REFRESH -DONE_ATTEMPT takes one
 * measure away, and must make Spin find an error.
 */
#ifndef FAULTS
#define FAULTS 3
#endif
#define EPOCHS 2                    /* to be reached after epoch 0 */
#define ATTEMPTS (FAULTS + 1)       /* at each of them */
#define LAST (EPOCHS * ATTEMPTS)    /* attempts are numbered 1 … LAST; 0 stands for epoch 0, which is in force and final */
#define NONE 255

#define EPOCH(x) ((x + ATTEMPTS - 1) / ATTEMPTS)
#define BIT(i) (1 << (i))
#define EVERYONE 7

/* What was ever sent. In the sets, bit i is participant i; 0 is the owner. */
bool proposed[LAST + 1];  byte roster[LAST + 1];  byte previous[LAST + 1];
bool removes[LAST + 1];   /* its changes include a removal */
bool refresh[LAST + 1];   /* every pair is agreed anew */
byte paired[LAST + 1];    /* both pairs of i stand */
byte shared[LAST + 1];    byte confirmed[LAST + 1];
byte lost[LAST + 1];      /* Refused(LostState) */
byte aborted[LAST + 1];   /* by whom; bit 0: for good */
bool submitted[LAST + 1]; /* EpochCommit */

/* The best chain. */
bool mined[LAST + 1];  bool deep[LAST + 1];  bool expired[LAST + 1];

/* What each participant has stored. */
mtype = { idle, pairing, sharing, confirming, committing };
mtype phase[3] = idle;
byte staged[3] = NONE;    /* the attempt under way */
byte seen[3];             /* the newest attempt taken */
byte inforce[3];          /* the epoch in force: its attempt, or NONE while a reorganisation has taken it away */
byte second[3] = NONE;    /* never another beside it */
byte settled[3];          /* the newest epoch that was in force here */
bool forgot[3];           /* restored from an older copy: keys of the last epoch are gone */
bool up[3] = true;
bool sealing = true;      /* owner: records may be sealed under the epoch in force */
byte gone;                /* who was left out by a removal that was proposed, and has not come back */
byte faults = FAULTS;
bool change_chosen;  bool change_removes;

#define IN(i, x) ((roster[x] & BIT(i)) != 0)
#define DONE (EPOCH(settled[0]) == EPOCHS && deep[settled[0]] && inforce[0] == settled[0] && phase[0] == idle && \
              (!IN(1, settled[0]) || inforce[1] == settled[0]) && (!IN(2, settled[0]) || inforce[2] == settled[0]))
#define FAULT (faults > 0 && !DONE) -> faults--

inline check(i) {
	assert(second[i] == NONE);                                            /* never two epochs in force */
	assert(!(sealing && inforce[0] != NONE) || (roster[inforce[0]] & gone) == 0); /* no key of e used after a removal */
}

/* x comes into force at i. */
inline activate(i, x) {
#ifdef TWO_IN_FORCE
	if :: inforce[i] != NONE && inforce[i] != x -> second[i] = inforce[i] :: else fi;
#endif
	/* An epoch with someone in it whom a later one removed does not come back. */
	assert(i != 0 || (roster[x] & gone) == 0);
	inforce[i] = x;
	settled[i] = x;
	forgot[i] = false;
	if :: i == 0 -> sealing = true :: else fi;
	check(i)
}

/* Steps of owner and member alike. */
inline ring_steps(i, x) {
	/* Both pairs stand once both neighbours have taken the proposal: with three members, once all have. */
	:: atomic { up[i] && staged[i] != NONE && phase[i] == pairing && (paired[staged[i]] & BIT(i)) == 0 ->
		paired[staged[i]] = paired[staged[i]] | BIT(i) }
	:: atomic { up[i] && staged[i] != NONE && phase[i] == pairing && paired[staged[i]] == roster[staged[i]] ->
		phase[i] = sharing }
	:: atomic { up[i] && phase[i] == sharing && (shared[staged[i]] & BIT(i)) == 0 ->
		shared[staged[i]] = shared[staged[i]] | BIT(i) }
#ifdef SEND_FIRST
	:: atomic { up[i] && phase[i] == sharing && shared[staged[i]] == roster[staged[i]] &&
		(confirmed[staged[i]] & BIT(i)) == 0 -> confirmed[staged[i]] = confirmed[staged[i]] | BIT(i); x = staged[i] };
		if /* the crash comes before the store, and the attempt is forgotten */
		:: atomic { FAULT; staged[i] = NONE; phase[i] = idle; x = NONE }
		:: atomic { phase[i] = confirming; x = NONE }
		fi
#else
	:: atomic { up[i] && phase[i] == sharing && shared[staged[i]] == roster[staged[i]] -> phase[i] = confirming }
	:: atomic { up[i] && phase[i] == confirming && (confirmed[staged[i]] & BIT(i)) == 0 ->
		confirmed[staged[i]] = confirmed[staged[i]] | BIT(i) }
#endif
	/* A crash loses nothing that is stored; the node is away until it starts again. */
	:: atomic { up[i] && FAULT; up[i] = false }
	:: atomic { !up[i] -> up[i] = true }
}

active proctype Owner() {
	byte x = NONE;
	byte next;
	do
	/* A person wants a change. The same change stands until an epoch has it. */
	:: atomic { up[0] && !change_chosen && phase[0] == idle && deep[settled[0]] && EPOCH(settled[0]) < EPOCHS ->
		change_chosen = true;
		if
		:: gone == 0 -> change_removes = true                       /* member 2 is removed */
		:: change_removes = false                                   /* an update; and whoever is gone comes back */
		fi }
	/* Propose: the next attempt, never a number again. A removal stops sealing before anything is sent. */
	:: atomic { up[0] && change_chosen && phase[0] == idle && staged[0] == NONE && !DONE ->
		next = (seen[0] > EPOCH(settled[0]) * ATTEMPTS -> seen[0] + 1 : EPOCH(settled[0]) * ATTEMPTS + 1);
		if
		:: EPOCH(settled[0]) < EPOCHS && (EPOCH(settled[0]) == 0 || deep[settled[0]]) ->
			assert(EPOCH(next) == EPOCH(settled[0]) + 1); /* attempts do not run out */
			previous[next] = settled[0];
			removes[next] = change_removes;
			if
			:: change_removes -> roster[next] = EVERYONE & ~BIT(2); gone = BIT(2)
			:: else -> roster[next] = EVERYONE
			fi;
#ifndef SEAL_ON
			if :: change_removes -> sealing = false :: else fi;
#endif
			refresh[next] = (seen[0] > 0 && EPOCH(seen[0]) == EPOCH(next) && (lost[seen[0]] != 0 || submitted[seen[0]]));
#ifdef NO_REFRESH
			refresh[next] = false;
#endif
			seen[0] = next; staged[0] = next; phase[0] = pairing;
			check(0)
		fi }
	:: atomic { up[0] && staged[0] != NONE && phase[0] == pairing && !proposed[staged[0]] -> proposed[staged[0]] = true }
	ring_steps(0, x)
	/* Abort: never once EpochCommit is signed. */
	:: atomic { up[0] && (phase[0] == pairing || phase[0] == sharing || phase[0] == confirming) &&
		(lost[staged[0]] != 0 || aborted[staged[0]] != 0) ->
		aborted[staged[0]] = aborted[staged[0]] | BIT(0); staged[0] = NONE; phase[0] = idle }
	:: atomic { up[0] && (phase[0] == pairing || phase[0] == sharing || phase[0] == confirming) && FAULT; /* time limit */
		aborted[staged[0]] = aborted[staged[0]] | BIT(0); staged[0] = NONE; phase[0] = idle }
	/* All n confirmations: EpochCommit is signed and stored, then sent. */
	:: atomic { up[0] && phase[0] == confirming && confirmed[staged[0]] == roster[staged[0]] -> phase[0] = committing }
	:: atomic { up[0] && phase[0] == committing && !submitted[staged[0]] -> submitted[staged[0]] = true }
	/* Its deadline passed and it is not there: the epoch is proposed anew, with every pair fresh. */
	:: atomic { up[0] && phase[0] == committing && expired[staged[0]] && !mined[staged[0]] ->
		settled[0] = previous[staged[0]]; change_chosen = true; change_removes = removes[staged[0]];
		staged[0] = NONE; phase[0] = idle }
	:: atomic { up[0] && phase[0] == committing && mined[staged[0]] ->
		if :: removes[staged[0]] -> skip :: else -> gone = 0 fi;
		activate(0, staged[0]); change_chosen = false; staged[0] = NONE; phase[0] = idle }
	/* A reorganisation took the commit away: back to committing, and nothing is in force meanwhile. */
	:: atomic { up[0] && settled[0] != 0 && phase[0] == idle && staged[0] == NONE && inforce[0] == settled[0] && !mined[settled[0]] ->
		staged[0] = settled[0]; phase[0] = committing;
#ifdef REACTIVATE
		activate(0, previous[settled[0]])
#else
		inforce[0] = NONE
#endif
		; check(0) }
	:: DONE -> break
	od
}

proctype Member(byte i) {
	byte x = NONE;
	byte next;
	do
	/* Take a proposal: newer than any taken, for an epoch whose predecessor this node's own chain holds. */
	:: atomic { up[i] && seen[i] < LAST && !DONE ->
		next = seen[i] + 1;
		do
		:: next < LAST && !(proposed[next] && IN(i, next)) -> next++
		:: else -> break
		od;
		if
		:: proposed[next] && IN(i, next) && (aborted[next] & BIT(0)) != 0 -> seen[i] = next /* known to be over */
		:: proposed[next] && IN(i, next) && aborted[next] == 0 && (lost[next] & BIT(i)) == 0 && mined[previous[next]] &&
			forgot[i] && !refresh[next] -> lost[next] = lost[next] | BIT(i)
		:: proposed[next] && IN(i, next) && aborted[next] == 0 && mined[previous[next]] &&
			(refresh[next] || !forgot[i]) &&
			/* one who was in the last epoch has it in force, unless its pairs are made anew */
			(inforce[i] == previous[next] || !IN(i, previous[next]) || refresh[next]) ->
			seen[i] = next; staged[i] = next; phase[i] = pairing
		fi }
	ring_steps(i, x)
	/* A member may abort as long as it has not confirmed. After that only the owner, who may have signed, can. */
#ifdef ABORT_AFTER_CONFIRM
	:: atomic { up[i] && (phase[i] == pairing || phase[i] == sharing || phase[i] == confirming) && FAULT;
#else
	:: atomic { up[i] && (phase[i] == pairing || phase[i] == sharing) && FAULT;
#endif
		aborted[staged[i]] = aborted[staged[i]] | BIT(i); staged[i] = NONE; phase[i] = idle }
	:: atomic { up[i] && staged[i] != NONE && (aborted[staged[i]] & BIT(0)) != 0 -> staged[i] = NONE; phase[i] = idle }
	/* All n confirmations, and the commit on this node's own best chain. */
	:: atomic { up[i] && phase[i] == confirming && confirmed[staged[i]] == roster[staged[i]] && mined[staged[i]] ->
		activate(i, staged[i]); staged[i] = NONE; phase[i] = idle }
	:: atomic { up[i] && settled[i] != 0 && inforce[i] == settled[i] && staged[i] == NONE && !mined[settled[i]] ->
		staged[i] = settled[i]; phase[i] = confirming; inforce[i] = NONE }
	/* Restored from a copy of before: the attempt and the keys of the last epoch are gone. Before the last epoch only, since
	   it takes one more to be back. */
	:: atomic { up[i] && !forgot[i] && seen[0] <= LAST - ATTEMPTS && IN(i, settled[0]) && FAULT;
		forgot[i] = true; staged[i] = NONE; phase[i] = idle }
	:: DONE -> break
	od
}

active proctype Chain() {
	byte x = 1;
	do
	:: atomic { submitted[x] && !mined[x] && !expired[x] -> mined[x] = true }
	:: atomic { mined[x] && !deep[x] -> deep[x] = true }
	/* A reorganisation; deeper than D if the epoch was final. */
	:: atomic { mined[x] && (x == settled[0] || x == staged[0]) && FAULT; mined[x] = false; deep[x] = false }
	/* The deadline passes before the commit is mined, or mined again. */
	:: atomic { submitted[x] && !mined[x] && !expired[x] && x == staged[0] && FAULT; expired[x] = true }
	:: atomic { x < LAST && proposed[x + 1] -> x++ }
	:: DONE -> break
	od
}

init {
	roster[0] = EVERYONE; proposed[0] = true; mined[0] = true; deep[0] = true;
	run Member(1); run Member(2)
}
