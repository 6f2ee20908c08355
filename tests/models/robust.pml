/* The robust word of src/family/robust.h: PROCESSES take a lock once each, one of them may be killed
 * anywhere. A sweep proves its death; with PROVE the waiters do so, too.
 *
 * FORGET_SLEEP: a thread that has slept takes the lock without the waiters' flag
 * SEQ_LATE:     the sequence is read after the word
 * NO_DIRTY:     a dead holder is replaced by nobody, not by DIRTY
 * STORE:        the sweep stores what it should swap in
 * NO_WAKE:      the sweep of a process that had touched the lock wakes nobody
 * DIRTY_ONCE:   the next holder clears DIRTY when it takes the lock */
#define PROCESSES 3
#define NOBODY PROCESSES
#define VICTIM 0

byte holder = NOBODY;
bool waiters, dirty;
byte seq;
bool asleep[PROCESSES], dead, swept, inside[PROCESSES], died_inside, touched;
byte ended;

inline wake_one()
{
    atomic {
        seq++;
        if
        :: asleep[0] -> asleep[0] = false
        :: asleep[1] -> asleep[1] = false
        :: asleep[2] -> asleep[2] = false
        :: else -> skip
        fi
    }
}

/* The word as it was read. */
inline look(h, w, d)
{
    d_step { h = holder; w = waiters; d = dirty }
}

#define SAME(h, w, d) (holder == h && waiters == w && dirty == d)

/* By a process that has proved the death: one compare-and-swap, then a wake-up. */
inline replace_dead(h, w, d, done)
{
    look(h, w, d);
    if
    :: h == VICTIM ->
        atomic {
#ifdef STORE
            done = true;
#else
            done = SAME(h, w, d);
#endif
            if
            :: done ->
                holder = NOBODY;
#ifndef NO_DIRTY
                dirty = true
#endif
            :: else -> skip
            fi
        };
        if
        :: done -> wake_one()
        :: else -> skip
        fi
    :: else -> skip
    fi
}

/* Here the victim may be killed. */
inline may_die()
{
    if
    :: atomic { me == VICTIM -> dead = true; died_inside = inside[me] }; goto dies
    :: true
    fi
}

active [PROCESSES] proctype user()
{
    byte me = _pid, h, read;
    bool w, d, done, slept, told;
    do
    :: may_die();
#ifndef SEQ_LATE
        read = seq;
#endif
        look(h, w, d);
        if
        :: h == NOBODY ->
            atomic {
                done = SAME(h, w, d);
                if
                :: done ->
                    holder = me;
#ifndef FORGET_SLEEP
                    waiters = w || slept;
#endif
                    told = d;
#ifdef DIRTY_ONCE
                    dirty = false;
#endif
                    inside[me] = true
                :: else -> skip
                fi
            };
            if
            :: done -> break
            :: else -> skip
            fi
        :: else ->
            touched = touched || me == VICTIM;
            done = true;
            if
            :: !w ->
                atomic {
                    done = SAME(h, w, d);
                    if
                    :: done -> waiters = true
                    :: else -> skip
                    fi
                }
            :: else -> skip
            fi;
            may_die();
            if
            :: done ->
                slept = true;
#ifdef SEQ_LATE
                read = seq;
#endif
                atomic {
                    if
                    :: seq == read -> asleep[me] = true
                    :: else -> skip
                    fi
                };
                do
                :: !asleep[me] -> break
#ifdef PROVE
                :: atomic { asleep[me] && me != VICTIM && dead && !swept -> asleep[me] = false };
                    replace_dead(h, w, d, done)
#endif
                :: atomic { me == VICTIM -> dead = true; asleep[me] = false }; goto dies
                od
            :: else -> skip
            fi
        fi
    od;

    /* The holder is alone, and is told of one that died inside. */
    assert((inside[0] && !dead) + inside[1] + inside[2] == 1);
    assert(me == VICTIM || !died_inside || told);
    may_die();
    inside[me] = false;
    do
    :: look(h, w, d);
       touched = touched || (me == VICTIM && w);
       may_die();
       atomic {
           done = SAME(h, w, d);
           if
           :: done ->
               holder = NOBODY;
               waiters = false
           :: else -> skip
           fi
       };
       if
       :: done -> break
       :: else -> skip
       fi
    od;
    may_die();
    if
    :: w -> wake_one()
    :: else -> skip
    fi;
    goto ends;
dies: /* a wake-up that it had is lost with it */
    skip;
ends:
    ended++
}

active proctype sweeper()
{
    byte h;
    bool w, d, done;
end_nobody_died:
    dead;
    do
    :: holder == VICTIM -> replace_dead(h, w, d, done)
    :: else -> break
    od;
#ifndef NO_WAKE
    if
    :: touched -> wake_one()
    :: else -> skip
    fi;
#endif
    swept = true
}

active proctype judge()
{
    timeout;
    assert(ended == PROCESSES);
    assert(holder == NOBODY)
}
