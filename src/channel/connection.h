/* What this process keeps of a connection that it uses, beside what it holds. */
#ifndef MPROC_CHANNEL_CONNECTION_H
#define MPROC_CHANNEL_CONNECTION_H

#include <mproc/connection.h>

#include "../family/arena.h"
#include "../family/holding.h"
#include "inbox.h"
#include "outbox.h"

/* A holding's flags. */
enum { CONNECTION_READS = 1, CONNECTION_WRITES = 2 };

/* Threads of this process take turns, for each direction. The words lie in the arena, where one can
 * wait for them on every system. */
typedef struct connection_turns {
    _Atomic uint32_t receive, send; /* 0: free; else taken, 2: and somebody waits */
} connection_turns;

typedef struct connection_state {
    os_channel channel;
    arena_ref turns_ref;
    connection_turns *turns;
    inbox in;
    outbox out;
} connection_state;

/* MPROC_ENOTHELD; MPROC_EACCES: it does not have that direction; MPROC_ENOMEM; and the errors of
 * family_enter. To be ended by holding_leave. */
mproc_err connection_enter(mproc_connection connection, uint32_t direction, holding **held,
                           connection_state **state);

mproc_err connection_take_turn(_Atomic uint32_t *turn, int64_t deadline);
void connection_end_turn(_Atomic uint32_t *turn);

/* All that comes before a receive: its time-out, the connection and its turn. */
typedef struct connection_receive {
    holding *held;
    connection_state *state;
    int64_t deadline;
} connection_receive;
mproc_err connection_begin_receive(mproc_connection connection, int timeout_ms,
                                   connection_receive *it);
void connection_end_receive(connection_receive *it);

#endif
