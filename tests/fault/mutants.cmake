# What the fault harness must notice: see ../mutants.cmake.
set(target fault)

# ---- something is kept ----

mutant(the_turns_of_a_connection_are_kept fork src/channel/connection.c
[[        heap_free(made->turns_ref, family.self);
        free(made);]]
[[        free(made);]])
mutant(the_other_end_of_a_pipe_is_kept fork src/channel/connection.c
[[        os_handle_close(ends[1]);
        return err;
    }
    return holding_add(]]
[[        return err;
    }
    return holding_add(]])
mutant(the_first_end_of_a_pipe_is_kept fork src/channel/connection.c
[[        if (ids[0])
            holding_close(ids[0], NULL);]]
[[]])
mutant(a_handle_that_found_no_room_is_kept fork src/family/holding.c
[[        os_handle_close(handle);
        return id ? MPROC_ENOMEM : MPROC_EINVAL;]]
[[        return id ? MPROC_ENOMEM : MPROC_EINVAL;]])
mutant(the_list_of_handles_is_kept_without_a_process spawn src/process/entry.c
[[mortal ? line : NULL);
    free(all);]]
[[mortal ? line : NULL);
    if (!err)
        free(all);]])
mutant(the_channel_of_a_forkserver_is_kept forkserver src/process/forkserver.c
[[            os_handle_close(ends[0]);]]
[[            ends[0] = OS_NO_HANDLE;]])
mutant(the_object_of_no_segment_is_kept fork src/data/shared_memory.c
[[    if ((err = settle_and_open(&one))) {
        free(opened);]]
[[    if ((err = settle_and_open(&one))) {]])
mutant(a_pool_without_workers_is_kept fork src/pool/pool.c
[[    if (err)
        mproc_pool_free(made);]]
[[    if (err)
        made = NULL;]])
mutant(the_memory_of_no_family_is_kept fork src/family/arena.c
[[    if (err) {
        os_shared_close(&made);]]
[[    if (err) {]])
mutant(the_end_of_no_doorbell_is_kept fork src/channel/doorbell.c
[[        os_handle_close(ends[1]);
    else if (!err)]]
[[        err = MPROC_ENOMEM;
    else if (!err)]])

# ---- an error is told wrongly ----

mutant(what_found_no_room_is_held_all_the_same fork src/family/holding.c
[[    mproc_err err = holding_receive(made, handle, flags);
    if (!err)
        *id = made;
    return err;]]
[[    holding_receive(made, handle, flags);
    *id = made;
    return MPROC_OK;]])
mutant(no_memory_is_a_wrong_argument fork src/channel/connection.c
[[        return MPROC_ENOMEM;
    mproc_err err = heap_alloc(sizeof *made->turns]]
[[        return MPROC_EINVAL;
    mproc_err err = heap_alloc(sizeof *made->turns]])
mutant(no_list_of_children_is_a_wrong_argument fork src/process/children.c
[[    if (!every)
        return MPROC_ENOMEM;]]
[[    if (!every)
        return MPROC_EINVAL;]])
mutant(memory_that_there_is_not_has_a_handle fork src/data/memory.c
[[    if (err || (err = heap_alloc_numbered(size, family.self, &ref, &number)))
        return err;]]
[[    memory->id = 1;
    if (err || (err = heap_alloc_numbered(size, family.self, &ref, &number)))
        return err;]])
