/* Connections: the two ends of a pipe between processes, which carries whole messages. */
#ifndef MPROC_CONNECTION_H
#define MPROC_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mproc/error.h>

MPROC_BEGIN

/* One end of a pipe. The value can be copied anywhere, such as into the arguments of a process; but
 * the end itself belongs to the processes that hold it: the one that made it, those that were given
 * it at their start, and those that received it over another connection. To others it is
 * MPROC_ENOTHELD. The pipe ends for the other side when the last one who holds this end has closed
 * it or has ended, however that was.
 *
 * Messages are bytes of any number, also none; each receive gives one message as it was sent. On
 * the pipe each has its size before it, as Python's `multiprocessing.connection` writes it on POSIX,
 * on every system: 4 bytes, the highest first; for 2^31 bytes and more, -1 and 8 bytes.
 *
 * Threads of one process take turns, those who send and those who receive by themselves. Processes
 * that hold the same end must see to that on their own, as in Python, or their messages will mix. */
typedef struct mproc_connection {
    uint64_t id;
} mproc_connection;

typedef enum mproc_pipe_mode {
    MPROC_DUPLEX = 0,
    MPROC_SIMPLEX /* the first end receives, the second one sends */
} mproc_pipe_mode;

/* Makes a pipe; this process holds both ends.
 *
 * a, b  receive the ends.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL; MPROC_EAGAIN: no descriptors left; MPROC_ENOMEM; MPROC_ESTATE:
 * after a raw fork; MPROC_EGUARD: a spawned child that got past the guard; MPROC_EOS.
 * **Ownership**: close both.
 * **Threads**: safe.
 * **Platform**: a pair of sockets; on Windows a named pipe in byte mode, whose name cannot be
 * guessed and which takes nobody else.
 * *Like* `multiprocessing.Pipe(duplex)`. */
MPROC_API mproc_err mproc_pipe(mproc_connection *a, mproc_connection *b, mproc_pipe_mode mode);

/* Sends one message, and waits until the pipe has taken all of it. It takes some 100 KiB before the
 * other side must read.
 *
 * data        may be NULL with size 0.
 * timeout_ms  milliseconds; MPROC_FOREVER; 0: does not wait.
 *
 * When the time comes while a part of the message is in the pipe, that part cannot be called back,
 * and the message is not given up: the rest is kept in this process, and goes before everything
 * else with the next send, flush or close. That is MPROC_EFULL; do not send the message again.
 *
 * **Returns** MPROC_OK; MPROC_ETIMEDOUT and MPROC_EINTR: nothing of it has been sent; MPROC_EFULL:
 * it has been begun, see above, after a time-out or a signal; MPROC_EEOF: nobody can receive it any
 * more; MPROC_EACCES: this end only receives; MPROC_ENOTHELD: this process does not hold it, or has
 * closed it; MPROC_EBROKEN: a part that was kept has been lost, so that nothing can be sent any
 * more; MPROC_EMSGSIZE: more than 2^62 bytes; MPROC_ENOMEM, MPROC_EINVAL, MPROC_EAGAIN,
 * MPROC_ESTATE, MPROC_EGUARD, MPROC_EOS.
 * **Threads**: safe. No SIGPIPE is raised.
 * **Platform**: on Windows the part that was in the pipe is lost, too, when the thread whose send
 * was MPROC_EFULL ends before a flush (then MPROC_EBROKEN).
 * *Like* `Connection.send_bytes(data)`. */
MPROC_API mproc_err mproc_connection_send(mproc_connection connection, const void *data,
                                          size_t size, int timeout_ms);

/* Sends what a send has left behind with MPROC_EFULL.
 *
 * **Returns** MPROC_OK: nothing is left; MPROC_ETIMEDOUT and MPROC_EINTR: still something; else as
 * mproc_connection_send.
 * **Threads**: safe. */
MPROC_API mproc_err mproc_connection_flush(mproc_connection connection, int timeout_ms);

/* Receives one message.
 *
 * buffer      receives its bytes; may be NULL with capacity 0. After a failure its content is
 *             undefined.
 * size        receives its size in bytes; may be NULL.
 * timeout_ms  milliseconds; MPROC_FOREVER; 0: does not wait.
 *
 * When the time comes in the middle of a message, what has come of it is kept in this process, and
 * the next receive goes on from there.
 *
 * **Returns** MPROC_OK; MPROC_ETIMEDOUT and MPROC_EINTR; MPROC_EMSGSIZE: the buffer is too small:
 * the message stays, and *size tells what it needs; MPROC_EEOF: the other side is gone, and
 * everything has been received; MPROC_EPROTO: what came is no message, or the other side ended in
 * the middle of one: from then on every receive says so; MPROC_EACCES: this end only sends;
 * MPROC_ENOTHELD: this process does not hold it, or has closed it; MPROC_ENOMEM: no memory to keep a
 * part (then MPROC_EBROKEN from then on); MPROC_EINVAL, MPROC_EAGAIN, MPROC_ESTATE, MPROC_EGUARD,
 * MPROC_EOS.
 * **Threads**: safe.
 * *Like* `Connection.recv_bytes_into(buffer)`. */
MPROC_API mproc_err mproc_connection_recv(mproc_connection connection, void *buffer,
                                          size_t capacity, size_t *size, int timeout_ms);

/* Receives one message into memory of its own, which grows with what comes.
 *
 * data   receives the bytes, aligned for any type; never NULL, also of an empty message.
 *        **Ownership**: the caller's, until mproc_connection_free_message.
 * size   receives their number.
 * limit  how large a message may be; 0: any size.
 *
 * **Returns** as mproc_connection_recv; MPROC_EMSGSIZE: larger than the limit: the message stays,
 * and *size tells its size; MPROC_ENOMEM: not enough memory: the message stays.
 * **Threads**: safe.
 * *Like* `Connection.recv_bytes(maxlength)`; there a message that is too large closes the
 * connection. */
MPROC_API mproc_err mproc_connection_recv_alloc(mproc_connection connection, void **data,
                                                size_t *size, size_t limit, int timeout_ms);

/* Frees what mproc_connection_recv_alloc gave. NULL is fine. **Threads**: safe. */
MPROC_API void mproc_connection_free_message(void *data);

/* Waits until a receive would find something: the beginning of a message, or the end of the pipe.
 * May be asked again and again; it takes nothing.
 *
 * **Returns** MPROC_OK; MPROC_ETIMEDOUT: there is nothing; else as mproc_connection_recv.
 * **Threads**: safe; while another thread receives, that one's turn comes first.
 * *Like* `Connection.poll(timeout)`. */
MPROC_API mproc_err mproc_connection_poll(mproc_connection connection, int timeout_ms);

/* This process does not hold the end any more. A part that a send has left behind with MPROC_EFULL
 * is sent as far as the pipe takes it at once; who wants all of it sent calls
 * mproc_connection_flush before.
 *
 * **Returns** MPROC_OK; MPROC_ENOTHELD: this process does not hold it, or has closed it before;
 * MPROC_ESTATE, MPROC_EGUARD.
 * **Threads**: safe. Calls of other threads that wait go on waiting, and until they return the end
 * stays open.
 * *Like* `Connection.close()`. */
MPROC_API mproc_err mproc_connection_close(mproc_connection connection);

/* What the end is for the system: a file descriptor on POSIX, a HANDLE on Windows, for the program's
 * own event loop.
 *
 * handle  receives it. **Ownership**: the connection's. A descriptor that is readable means what
 *         mproc_connection_poll means, unless a receive has kept a message or a part of it. Who
 *         reads or writes it has to write messages as they are described above.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL; MPROC_ENOTHELD, MPROC_ESTATE, MPROC_EGUARD.
 * **Threads**: safe.
 * *Like* `Connection.fileno()`. */
MPROC_API mproc_err mproc_connection_handle(mproc_connection connection, intptr_t *handle);

/* Makes a connection of a handle that the program has got somewhere else.
 *
 * connection  receives it.
 * handle      a stream socket or a pipe; on Windows a pipe in byte mode made with
 *             FILE_FLAG_OVERLAPPED. Its flags stay as they are.
 * readable, writable  what it can do, at least one.
 *
 * **Returns** MPROC_OK; MPROC_EINVAL: neither readable nor writable, no handle, or on Windows one
 * that is not overlapped; MPROC_EOS: there is no such handle; MPROC_ENOMEM, MPROC_ESTATE,
 * MPROC_EGUARD.
 * **Ownership**: mproc's when it succeeds: mproc_connection_close closes it. With MPROC_ENOMEM it is
 * closed; with another failure it stays the caller's.
 * **Threads**: safe.
 * *Like* `multiprocessing.connection.Connection(handle, readable, writable)`. */
MPROC_API mproc_err mproc_connection_from_handle(mproc_connection *connection, intptr_t handle,
                                                 bool readable, bool writable);

/* Sends an end of a pipe over a connection: whoever receives it holds it, too. The sender goes on
 * holding it until it closes it, which it may do at once.
 *
 * connection  over which.
 * sent        which; not the same.
 *
 * **Returns** as mproc_connection_send; MPROC_EINVAL: the same; MPROC_ENOTHELD: one of the two;
 * MPROC_ESTATE: `sent` is in the middle of a message, or another thread is using it.
 * **Threads**: safe.
 * **Platform**: only to a process of the same family. POSIX: not over a pipe that is no socket
 * (MPROC_EOS). On Windows the sender has to live until it is received, and what is never received
 * stays open in the sender.
 * *Like* `Connection.send(connection)`. */
MPROC_API mproc_err mproc_connection_send_connection(mproc_connection connection,
                                                     mproc_connection sent, int timeout_ms);

/* Receives an end of a pipe, which this process holds from now on.
 *
 * received  receives the same value that the sender had.
 *
 * **Returns** as mproc_connection_recv; MPROC_ESTATE: the next message is an ordinary one; it
 * stays; MPROC_EAGAIN: no descriptors left, and MPROC_ENOMEM: the message stays; MPROC_EBROKEN: the
 * end that was sent is not to be had any more.
 * **Threads**: safe.
 * *Like* `Connection.recv()` of a connection. */
MPROC_API mproc_err mproc_connection_recv_connection(mproc_connection connection,
                                                     mproc_connection *received, int timeout_ms);

MPROC_END

#endif
