/* The marks of a queue's ends, see src/data/ends.h: two producers and two consumers at a ring of ROOM
 * messages, one of each may be killed anywhere. A message has two halves, and number N is N in both.
 *
 * RELAXED:      the stores of a message may become visible behind the one of the mark
 * HEAD_FIRST:   a consumer stores its mark before it has read the message
 * SEEN_TOO_FAR: a producer believes that there is room without a look at the head's mark */
#define ROOM 2
#define MESSAGES 2 /* of each producer */
#define NOBODY 255

byte low[ROOM], high[ROOM];
byte tail, head;
byte tail_lock = NOBODY, head_lock = NOBODY;
byte head_seen, tail_seen;
bool producer_dead, consumer_dead;
byte ended;

inline lock(word, me, dead, victim)
{
    atomic {
        (word == NOBODY || (dead && word == victim)) -> word = me
    }
}

inline producer_may_die()
{
    if
    :: atomic { _pid == 0 -> producer_dead = true }; goto ends
    :: true
    fi
}

inline consumer_may_die()
{
    if
    :: atomic { _pid == 2 -> consumer_dead = true }; goto ends
    :: true
    fi
}

inline write(number)
{
    low[number % ROOM] = number;
    producer_may_die();
    high[number % ROOM] = number
}

active [2] proctype producer()
{
    byte i, number;
    for (i : 1 .. MESSAGES) {
again:
        lock(tail_lock, _pid, producer_dead, 0);
        if
        :: tail - head_seen == ROOM ->
#ifndef SEEN_TOO_FAR
            head_seen = head
#else
            skip
#endif
        :: else -> skip
        fi;
        if
        :: tail - head_seen == ROOM ->
#ifndef SEEN_TOO_FAR
            tail_lock = NOBODY;
            tail - head < ROOM;
            goto again
#endif
        :: else -> skip
        fi;
        number = tail;
        producer_may_die();
#ifdef RELAXED
        if
        :: write(number); tail = number + 1
        :: tail = number + 1; write(number)
        fi;
#else
        write(number);
        producer_may_die();
        tail = number + 1;
#endif
        producer_may_die();
        tail_lock = NOBODY
    }
ends:
    ended++
}

active [2] proctype consumer()
{
    byte one, other;
    do
    :: lock(head_lock, _pid, consumer_dead, 2);
       if
       :: head == tail_seen -> tail_seen = tail
       :: else -> skip
       fi;
       if
       :: head == tail_seen ->
           head_lock = NOBODY;
end_empty:
           head != tail
       :: else ->
           consumer_may_die();
#ifdef HEAD_FIRST
           head = head + 1;
           one = low[(head - 1) % ROOM];
           other = high[(head - 1) % ROOM];
           assert(one == head - 1 && other == one);
#else
           one = low[head % ROOM];
           other = high[head % ROOM];
           assert(one == head && other == one);
           consumer_may_die();
           head = head + 1;
#endif
           consumer_may_die();
           head_lock = NOBODY
       fi
    od;
ends:
    ended++
}

/* Nothing can happen any more: what was committed has been taken, and nobody waits for room. */
active proctype judge()
{
    timeout;
    assert(head == tail);
    assert(producer_dead || tail == 2 * MESSAGES);
    assert(tail >= MESSAGES)
}
