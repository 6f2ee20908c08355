/* Ranges of a pool's map, see src/pool/ranges.h: what nobody has claimed stands in one word, what a
 * worker has claimed in its own. Between a claim or a cut and the store into its own word a range
 * stands in no word; `busy` says that it may be there. One worker may be killed anywhere; the pool
 * gives out again what is lost. No unit is finished twice, and each is finished.
 *
 * NO_QUIET:      the pool gives out what is in no word though a worker is busy
 * CURRENT_LATE:  a worker takes a unit before it says that it is busy */
#define UNITS 2
#define WORKERS 2
#define VICTIM 0

/* The words: of each worker, and what nobody has claimed. */
#define REST WORKERS
byte generation[WORKERS + 1], first[WORKERS + 1], end[WORKERS + 1];
bool busy[WORKERS], dead, buried;
byte published = 1; /* its generation; 0: withdrawn */
byte finished[UNITS], left;

#define IS_OF(i, g) (generation[i] == g && first[i] < end[i])
#define SAME(i) (generation[i] == seen_generation && first[i] == seen_first && end[i] == seen_end)

#define ALL_EMPTY(g) (!IS_OF(REST, g) && !IS_OF(0, g) && !IS_OF(1, g))
#define QUIET (!busy[0] && !busy[1])
#ifdef NO_QUIET
#define MAY_GIVE_OUT(g) (left < UNITS && ALL_EMPTY(g))
#else
#define MAY_GIVE_OUT(g) (left < UNITS && ALL_EMPTY(g) && QUIET)
#endif

inline may_die()
{
    if
    :: atomic { me == VICTIM -> dead = true }; goto ends
    :: true
    fi
}

inline store(where, tag, begin, behind)
{
    d_step { generation[where] = tag; first[where] = begin; end[where] = behind }
}

/* Of a word's first unit, or of another worker's last, by one compare-and-swap. */
inline cut(where, is_upper)
{
    done = false;
    d_step {
        seen_generation = generation[where];
        seen_first = first[where];
        seen_end = end[where];
        is_worth = IS_OF(where, g)
    };
    if
    :: is_worth ->
        atomic {
            if
            :: SAME(where) ->
                done = true;
                if
                :: is_upper -> end[where]--; got = end[where]
                :: else -> got = first[where]; first[where]++
                fi
            :: else -> skip
            fi
        }
    :: else -> skip
    fi
}

/* Its own first, then from the rest, then another worker's last. */
active [WORKERS] proctype worker()
{
    byte me = _pid, g, got, seen_generation, seen_first, seen_end;
    bool done, is_worth;
    do
    :: left == UNITS -> break
    :: left < UNITS ->
        g = published;
#ifndef CURRENT_LATE
        busy[me] = true;
#endif
        if
        :: g != 0 && published == g ->
            do
            :: may_die();
               if
               :: IS_OF(me, g) ->
                   cut(me, false);
                   if
                   :: done ->
#ifdef CURRENT_LATE
                       busy[me] = true;
#endif
                       may_die();
                       atomic {
                           finished[got]++;
                           assert(finished[got] == 1);
                           left++
                       }
                   :: else -> skip
                   fi
               :: else ->
                   cut(REST, false);
                   if
                   :: done -> may_die(); store(me, g, got, got + 1)
                   :: else ->
                       cut(1 - me, true);
                       if
                       :: done -> may_die(); store(me, g, got, got + 1)
                       :: else -> break
                       fi
                   fi
               fi
            od
        :: else -> skip
        fi;
        busy[me] = false;
        (left == UNITS || published != 0)
    od;
ends:
    skip
}

active proctype pool()
{
    byte i, g = 1;
    store(REST, 1, 0, UNITS);
    do
    :: left == UNITS -> break
    :: dead && !buried -> /* its place is nobody's; what stands in its word others steal */
        atomic { busy[VICTIM] = false; buried = true }
    :: MAY_GIVE_OUT(g) ->
        published = 0; /* nobody begins any more */
        if
        :: !MAY_GIVE_OUT(g) -> published = g; goto again
        :: else -> skip
        fi;
        i = 0;
        do
        :: i < UNITS && finished[i] -> i++
        :: else -> break
        od;
        if
        :: i < UNITS ->
            g++;
            store(REST, g, i, i + 1)
        :: else -> skip
        fi;
        published = g;
again:
        skip
    od
}
