# What the crash tests must notice, as the check runs them: see ../mutants.cmake. Before a place stands
# which of the tests is asked, if it is another one than before.
set(ENV{MPROC_ARENA_SIZE} 128M)

# ---- locks, semaphores, events ----

set(target crash_killpoints)
mutant(the_next_holder_is_not_told any src/family/robust.c
[[(word & ~HOLDER) | DIRTY))]]
[[(word & ~HOLDER)))]])
mutant(locks_of_the_dead_stay_taken any src/sync/sweep.c
[[    robust_sweep(cell, gone->id);]]
[[]])
mutant(a_release_owes_a_wake_up_unknown any src/sync/semaphore.c
[[        if (word & WAITERS)
            object_touch(cell);
    } while]]
[[    } while]])
mutant(a_set_owes_a_wake_up_unknown any src/sync/event.c
[[        if (word & WAITERS)
            object_touch(cell);
    } while]]
[[    } while]])
set(target crash_trace)
mutant(a_wake_up_dies_with_its_sleeper any src/sync/semaphore.c
[[    if (object_was_touched(cell, dead))
        object_wake(cell, 1);]]
[[    (void)cell;
    (void)dead;]])

# ---- objects ----

set(target crash_killpoints)
mutant(an_object_lives_before_its_commit any src/family/object.c
[[    atomic_store(&draft->cell->word, object_word(draft->id, word));
    killpoint();
    swap(&draft->cell->life, life_of(generation, MAKING, family.self),
         life_of(generation, LIVE, 0));]]
[[    swap(&draft->cell->life, life_of(generation, MAKING, family.self),
         life_of(generation, LIVE, 0));
    killpoint();
    atomic_store(&draft->cell->word, object_word(draft->id, word));]])
mutant(a_block_is_linked_before_it_is_noted any src/family/object.c
[[    atomic_store(&draft->cell->block, ref);
    killpoint();
    heap_link(ref, family.self, object_tag(draft->id));]]
[[    heap_link(ref, family.self, object_tag(draft->id));
    killpoint();
    atomic_store(&draft->cell->block, ref);]])
mutant(a_block_is_forgotten_before_it_is_freed any src/family/object.c
[[    heap_free_linked(atomic_load(&cell->block), object_tag(id), family.self);
    atomic_store(&cell->block, 0);
    killpoint();]]
[[    arena_ref block = atomic_load(&cell->block);
    atomic_store(&cell->block, 0);
    killpoint();
    heap_free_linked(block, object_tag(id), family.self);]])
mutant(parts_without_a_whole_stay any src/sync/sweep.c
[[    if (orphan)
        object_destroy]]
[[    if (orphan && false)
        object_destroy]])
mutant(an_end_half_way_stays any src/family/object.c
[[    else if (state_of(life) == MAKING || state_of(life) == ENDING)]]
[[    else if (state_of(life) == MAKING)]])

# ---- barriers, conditions, strings ----

mutant(a_barrier_outlasts_its_member any src/sync/barrier.c
[[            if (state_of(word) != BROKEN && !swap(cell, &word, broken(word)))
                continue;
            object_wake(cell, UINT32_MAX);]]
[[            object_wake(cell, UINT32_MAX);]])
mutant(a_notification_dies_with_its_waiter any src/family/waiters.c
[[    if (kind_of(state) == NOTIFIED)
        waiters_notify(atomic_load(&place->object), 1);
    swap(place]]
[[    swap(place]])
mutant(a_text_is_shown_before_it_is_written any src/data/string.c
[[    write_half(half_of(it, next), text, length);
    rounds_keep(&all, it->id);
    atomic_compare_exchange_strong(&it->cell->field[TEXTS], &texts, next);
    killpoint();]]
[[    rounds_keep(&all, it->id);
    atomic_compare_exchange_strong(&it->cell->field[TEXTS], &texts, next);
    killpoint();
    write_half(half_of(it, next), text, length);]])

# ---- queues ----

mutant(a_message_counts_before_its_block_is_linked any src/data/messages.c
[[    if (p->block) {
        heap_link(p->block, family.self, object_tag(q->id));
        killpoint();
    }]]
[[    if (p->block) {
        end_commit(&q->tail, *tail);
        heap_link(p->block, family.self, object_tag(q->id));
        killpoint();
    }]])
mutant(a_block_is_taken_before_its_message any src/data/messages.c
[[    if (!(err = take(q, &head, d))) {
        end_commit(&q->head, head);
        if (d->block)
            heap_unlink(d->block, object_tag(q->id), family.self);
        killpoint();]]
[[    if (!(err = take(q, &head, d))) {
        if (d->block)
            heap_unlink(d->block, object_tag(q->id), family.self);
        killpoint();
        end_commit(&q->head, head);]])
mutant(what_was_taken_out_stays any src/data/ends.c
[[    heap_each_linked(unneeded.tag, free_unless_needed, &unneeded);
    free(needed.list);]]
[[    (void)unneeded;
    free(needed.list);]])
mutant(a_destroy_half_way_is_not_finished any src/process/children.c
[[        ends_sweep(dead);
        sync_sweep(dead);]]
[[        sync_sweep(dead);]])

# ---- the heap ----

set(target crash_heap)
mutant(claimed_spans_stay_claimed any src/family/heap.c
[[                swap(&spans.states[i], state, SPAN_FREE);]]
[[                (void)0;]])

# ---- pools ----

set(target crash_killpoints)
mutant(a_worker_is_swept_before_its_heir_looks any src/process/children.c
[[    if (child->hooks)
        child->hooks->inherit(child->hooks_context, child);
    sweep(child->slot, clean);]]
[[    sweep(child->slot, clean);
    if (child->hooks)
        child->hooks->inherit(child->hooks_context, child);]])
mutant(a_reply_is_given_before_it_is_noted any src/pool/task.c
[[    atomic_store(&cell->reply, task->block);
    killpoint();
    heap_give(task->block, family.self, task->job->owner);]]
[[    heap_give(task->block, family.self, task->job->owner);
    killpoint();
    atomic_store(&cell->reply, task->block);]])
mutant(the_pool_is_not_rung_after_a_death any src/pool/seats.c
[[    job_ring_pool(pool->shared);
    job_ring_thread]]
[[    job_ring_thread]])
set(target crash_pool_storm)
mutant(an_item_of_the_dead_is_nobodys any src/pool/seats.c
[[        lost = map_bury(pool, work, worker, &crash);]]
[[        lost = false;]])

# ---- named shared memory ----

set(target crash_segment)
mutant(a_dead_segment_stays any src/posix/segment.c
[[            failure = segment_file_remove(told.name);]]
[[            failure = 0;]])
mutant(a_segment_without_inode_stays any src/posix/segment.c
[[    return told->inode ? told->inode == (uint64_t)segment->st_ino : segment->st_size == 0;]]
[[    return told->inode == (uint64_t)segment->st_ino;]])

# What the last two have left behind.
file(GLOB left "/dev/shm/test_mproc_kill_*")
if(left)
    file(REMOVE ${left})
endif()
