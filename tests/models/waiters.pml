/* The table of waiters, see src/family/waiters.h: WAITERS threads wait in a place each, two of them may
 * run out of time, one may be killed anywhere; a notifier notifies one. A notification is lost only
 * with the last that waited.
 *
 * SWALLOW:  a waiter whose time is up leaves though it has just been notified
 * NO_HAND:  the sweep does not hand on what the dead one had not used up
 * STORE:    a notification is a store, not a compare-and-swap
 * NO_RING:  the sweep of a killed notifier does not wake those that are notified
 * HAND_DEAD: the sweep hands on before it has freed the dead one's waiting places */
#define WAITERS 2
#define VICTIM 0
mtype = { FREE, WAITING, NOTIFIED };

mtype place[WAITERS] = WAITING; /* before the notifier begins */
byte wake[WAITERS];
bool asleep[WAITERS], dead, swept, notifier_dead;
byte notified, used_up, ended, gone;

inline ring(who)
{
    atomic { wake[who]++; asleep[who] = false }
}

inline notify_one(did)
{
    byte each;
    did = false;
    for (each : 0 .. WAITERS - 1) {
        if
        :: !did && place[each] == WAITING ->
            atomic {
#ifdef STORE
                place[each] = NOTIFIED;
                did = true
#else
                if
                :: place[each] == WAITING -> place[each] = NOTIFIED; did = true
                :: else -> skip
                fi
#endif
            };
            if
            :: did -> last = each
            :: else -> skip
            fi
        :: else -> skip
        fi
    }
}

inline may_die()
{
    if
    :: atomic { me == VICTIM -> dead = true; asleep[me] = false }; goto dies
    :: true
    fi
}

active [WAITERS] proctype waiter()
{
    byte me = _pid, read;
    do
    :: may_die();
       read = wake[me];
       if
       :: place[me] == NOTIFIED -> break
       :: else -> skip
       fi;
       if
       :: true -> /* its time is up */
#ifdef SWALLOW
           place[me] = FREE;
           goto out_of_time
#else
           atomic {
               if
               :: place[me] == WAITING -> place[me] = FREE; goto out_of_time
               :: else -> skip
               fi
           }
#endif
       :: true ->
           atomic {
               if
               :: wake[me] == read -> asleep[me] = true
               :: else -> skip
               fi
           };
end_asleep:
           do
           :: !asleep[me] -> break
           :: atomic { me == VICTIM -> dead = true; asleep[me] = false }; goto dies
           od
       fi
    od;
    may_die();
    atomic { place[me] = FREE; used_up++ };
    goto ends;
out_of_time:
    gone++;
dies:
    skip;
ends:
    ended++
}

active proctype notifier()
{
    bool did;
    byte last;
    notify_one(did);
    if
    :: did -> notified++
    :: else -> skip
    fi;
    if
    :: true -> notifier_dead = true /* killed between its commit and the wake-up */
    :: true ->
        if
        :: did -> ring(last)
        :: else -> skip
        fi
    fi
}

active proctype sweeper_of_waiter()
{
    bool did;
    byte last;
end_nobody_died:
    dead;
#ifndef HAND_DEAD
    if
    :: place[VICTIM] == WAITING -> /* the notifier may just choose it */
        atomic {
            if
            :: place[VICTIM] == WAITING -> place[VICTIM] = FREE
            :: else -> skip
            fi
        }
    :: else -> skip
    fi;
#endif
    if
    :: place[VICTIM] == NOTIFIED ->
#ifndef NO_HAND
        notify_one(did);
        if
        :: did -> ring(last)
        :: else -> skip
        fi;
#endif
        place[VICTIM] = FREE
    :: else -> place[VICTIM] = FREE
    fi;
    swept = true
}

active proctype sweeper_of_notifier()
{
    byte each;
end_nobody_died:
    notifier_dead;
#ifndef NO_RING
    for (each : 0 .. WAITERS - 1) {
        if
        :: place[each] == NOTIFIED -> ring(each)
        :: else -> skip
        fi
    }
#else
    skip
#endif
}

/* Nothing can happen any more: no notified waiter sleeps; the notification was used up, or no
 * waiter is left. */
active proctype judge()
{
    timeout;
    assert(!asleep[0] || place[0] == WAITING);
    assert(!asleep[1] || place[1] == WAITING);
    assert(!notified || used_up || (!asleep[0] && !asleep[1]));
    assert(used_up <= notified)
}
