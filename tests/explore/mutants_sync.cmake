# Semaphores, events, conditions, barriers, and their sweeps.

mutant(sync/event.c [[
    if (!(word & WAITERS) && !atomic_compare_exchange_strong(&cell->word, &word, word | WAITERS))
        return MPROC_OK;]] [[
    if (!(word & WAITERS))
        atomic_store(&cell->word, word | WAITERS);]] "event: two wait, set")
mutant(sync/event.c [[
            object_touch(cell);]] [[
            killpoint();]] "event: two wait, set")
mutant(sync/event.c [[
    if (word & WAITERS)
        object_wake(cell, UINT32_MAX);]] [[
    if (word & WAITERS)
        object_wake(cell, 1);]] "event: two wait, set")
mutant(sync/event.c [[if (word & SET || now != began)]] [[if (word & SET)]]
    "event: a sleeper is released")
mutant(sync/event.c [[
    if (object_was_touched(cell, dead))]] [[
    if (!dead)]] "event: two wait, set")

mutant(sync/semaphore.c [[(word - 1) | (slept ? WAITERS : 0)]] [[(word - 1) & ~WAITERS]]
    "semaphore: three use one")
mutant(sync/semaphore.c [[if (slept && (word & VALUE) > 1)]] [[if (0)]]
    "semaphore: two wait, two releases")
mutant(sync/semaphore.c [[
    object_touch(cell);
    if (!(word & WAITERS) &&]] [[
    if (!(word & WAITERS) &&]] "semaphore: two wait, two releases")
mutant(sync/semaphore.c [[
            object_touch(cell);
    } while]] [[
            killpoint();
    } while]] "semaphore: two wait, two releases")
mutant(sync/semaphore.c [[
    if (!(word & WAITERS) && !atomic_compare_exchange_strong(&cell->word, &word, word | WAITERS))
        return MPROC_OK;]] [[
    if (!(word & WAITERS))
        atomic_store(&cell->word, word | WAITERS);]] "semaphore: three use one")

mutant(sync/condition.c [[
    mproc_err back = robust_resume(v->lock, v->lock_id, v->recursive, depth);
    if (!err)
        waiters_leave(&wait);]] [[
    if (!err)
        waiters_leave(&wait);
    mproc_err back = robust_resume(v->lock, v->lock_id, v->recursive, depth);]]
    "condition: two wait, one notification")
mutant(sync/condition.c [[
    mproc_err err = waiters_join(&wait, v->id, v->lock_id);
    if (err)
        return err;
    uint64_t depth = robust_suspend(v->lock, v->lock_id, v->recursive);]] [[
    uint64_t depth = robust_suspend(v->lock, v->lock_id, v->recursive);
    mproc_err err = waiters_join(&wait, v->id, v->lock_id);
    if (err)
        return err;]] "condition: two wait, two notifications")

mutant(sync/barrier.c [[
    if (*from & SLEEPERS)
        object_touch(cell);]] "" "barrier: abort")
mutant(sync/barrier.c [[
        if (release(v->cell, &word, broken(word)))
            return why;]] [[
        return why;]] "barrier: one is impatient")
mutant(sync/barrier.c [[
            object_wake(cell, UINT32_MAX);
        }]] [[
        }]] "barrier: three")
mutant(sync/barrier.c [[
        announce_reset(cell, barrier.id);]] "" "barrier: reset")
mutant(sync/barrier.c [[
    if (!(word & SLEEPERS) && !swap(v->cell, &word, word | SLEEPERS))
        return MPROC_OK;]] "" "barrier: three")

mutant(sync/sweep.c [[
            object_wake(cell, UINT32_MAX); /* the dead one may have closed the queue */]] [[
            object_wake(cell, 1);]] "queue: close under sleepers")
mutant(sync/sweep.c [[
        object_ring_watchers_of(gone.rung);]] "" "queue: a watcher, a consumer")
mutant(sync/sweep.c [[
    if (object_was_touched(cell, gone->slot))
        object_wake(cell, 1);]] "" "lock: three")
mutant(sync/sweep.c [[
        waiters_wake(id);]] "" "condition: destroy under waiters")
