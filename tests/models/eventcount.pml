/* The eventcount of src/family/eventcount.h, as the bells of a queue use it: a producer of MESSAGES and
 * as many consumers of one each. None of them may be left asleep.
 *
 * A machine may let the producer's look at the flag overtake the store of its unlock: so the unlock has
 * two halves, and the look may stand between them. Between the halves nobody else can make a
 * read-modify-write of the lock's word.
 *
 * REREAD:     the sequence is read again while the announcement stands
 * NO_RMW:     the waiter makes no read-modify-write of the lock's word
 * NO_PASS:    a waiter that has slept does not pass the ring on
 * FLAG_LATE:  the sequence is read after the announcement
 * KILL:       the producer is killed anywhere; a sweep wakes all
 * KILL, WAKE_NONE: ... but does not */
#define MESSAGES 2

byte mark, taken, seq;
bool flag, reserved, dead, swept;
bool asleep[MESSAGES];
byte ended;

inline may_die()
{
#ifdef KILL
    if
    :: true
    :: dead = true; goto dies
    fi
#else
    skip
#endif
}

inline wake_one()
{
    atomic {
        seq++;
        if
        :: asleep[0] -> asleep[0] = false
        :: asleep[1] -> asleep[1] = false
        :: else -> skip
        fi
    }
}

active proctype producer()
{
    byte i;
    bool seen;
    for (i : 1 .. MESSAGES) {
        may_die();
        reserved = true; /* first half of the unlock; the mark's store is not visible yet */
        if
        :: seen = flag;
           d_step { mark++; reserved = false }
        :: d_step { mark++; reserved = false };
           seen = flag
        fi;
        may_die();
        if
        :: seen ->
            flag = false;
            may_die();
            wake_one()
        :: else -> skip
        fi
    }
dies:
    reserved = false
}

#ifdef KILL
active proctype sweeper()
{
end_nobody_died:
    dead;
#ifndef WAKE_NONE
    atomic { seq++; asleep[0] = false; asleep[1] = false };
#endif
    swept = true
}
#endif

inline announce()
{
    flag = true;
#ifndef NO_RMW
    atomic { !reserved -> skip }
#endif
}

active [MESSAGES] proctype consumer()
{
    byte me = _pid % MESSAGES, read;
    bool announced, slept, got, missing;
    do
    :: if
#ifdef REREAD
       :: true -> read = seq
#elif defined(FLAG_LATE)
       :: announced -> read = seq
#else
       :: !announced -> read = seq
#endif
       :: else -> skip
       fi;
       atomic {
           got = mark > taken;
           if
           :: got -> taken++
           :: else -> skip
           fi
       };
       if
       :: got -> break
       :: !got && !announced ->
           announced = true;
           announce()
       :: !got && announced ->
           announced = false;
           slept = true;
           atomic {
               if
               :: seq == read -> asleep[me] = true
               :: else -> skip
               fi
           };
end_asleep:
           !asleep[me]
       fi
    od;
#ifndef NO_PASS
    if
    :: slept ->
        announce();
        missing = mark == taken;
        if
        :: !missing ->
            flag = false;
            wake_one()
        :: else -> skip
        fi
    :: else -> skip
    fi;
#endif
    ended++
}

/* Nothing can happen any more. */
active proctype judge()
{
    timeout;
    assert(mark == taken);
#ifndef KILL
    assert(ended == MESSAGES)
#endif
}
