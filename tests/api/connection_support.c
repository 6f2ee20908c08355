#include "connection_support.h"

ends new_pipe(mproc_pipe_mode mode)
{
    ends it;
    assert_int_equal(mproc_pipe(&it.a, &it.b, mode), MPROC_OK);
    return it;
}

void close_end(mproc_connection end)
{
    assert_int_equal(mproc_connection_close(end), MPROC_OK);
}

void close_pipe(ends it)
{
    close_end(it.a);
    close_end(it.b);
}

intptr_t handle_of(mproc_connection connection)
{
    intptr_t handle = -1;
    assert_int_equal(mproc_connection_handle(connection, &handle), MPROC_OK);
    return handle;
}

void send_text(mproc_connection to, const char *text)
{
    assert_int_equal(mproc_connection_send(to, text, strlen(text), SOON), MPROC_OK);
}

void assert_receives(mproc_connection from, const char *text)
{
    char buffer[256];
    size_t size = 0;
    assert_int_equal(mproc_connection_recv(from, buffer, sizeof buffer, &size, SOON), MPROC_OK);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(buffer, text, size);
}

void assert_ends(mproc_connection end)
{
    char byte;
    size_t size;
    assert_int_equal(mproc_connection_recv(end, &byte, 1, &size, SOON), MPROC_EEOF);
}

void receive_there(void *argument)
{
    receiving *it = argument;
    it->good = true;
    for (size_t i = 0; i < it->count && it->good; i++) {
        void *data;
        size_t size;
        mproc_err err = mproc_connection_recv_alloc(it->from, &data, &size, 0, SOON);
        it->good = !err && size == it->size && is_pattern(data, size, it->seeds[i]);
        if (!err)
            mproc_connection_free_message(data);
    }
}
