# Queues, values, strings, and mproc_wait.

mutant(family/eventcount.h [[
    if (!wait->announced)
        wait->seq = ]] [[
        wait->seq = ]] "queue: two messages, two consumers" USERS data/messages.c)
mutant(family/eventcount.h [[
    if (!wait->announced)
        wait->seq = ]] [[
        wait->seq = ]] "queue: join" USERS data/queue.c)
mutant(family/eventcount.c [[
    if (!object_flag(wait->cell, wait->id, wait->flag))
        return false;]] "" "queue: a producer, a consumer")
mutant(family/eventcount.c [[
        return eventcount_announce(wait) ? MPROC_OK : MPROC_ESTALE;]] [[
        eventcount_announce(wait);]] "queue: a producer, a consumer")

mutant(data/bell.c [[
    if (!wait->slept)
        return;]] [[
    if (wait->slept)
        return;]] "queue: many at once")
mutant(data/bell.c [[object_wake(bell, 1);]] "" "queue: a producer, a consumer")
mutant(data/bell.c [[if (word & BELL_WATCHED)]] [[if (!word)]] "queue: a watcher, a consumer")

mutant(data/messages.c [[
        end_commit(&q->tail, tail);
    ends_unlock(q, &q->tail);
    if (written)
        bell_ring(q->items.cell, q->items.id);]] [[
        bell_ring(q->items.cell, q->items.id);
    if (written)
        end_commit(&q->tail, tail);
    ends_unlock(q, &q->tail);]] "queue: a producer, a consumer")
mutant(data/messages.c [[
    if (!err)
        bell_ring(q->room.cell, q->room.id);
    return]] [[
    return]] "queue: room for one, three messages")
mutant(data/messages.c [[
        end_commit(&q->head, head);
        if (d->block)
            heap_unlink(d->block, object_tag(q->id), family.self);
        killpoint();
    }
    ends_unlock(q, &q->head);
    if (!err)]] [[
        if (d->block)
            heap_unlink(d->block, object_tag(q->id), family.self);
        killpoint();
        end_commit(&q->head, head);
    }
    ends_unlock(q, &q->head);
    if (!err)]] "queue: a large message")
mutant(data/messages.c [[
        heap_link(p->block, family.self, object_tag(q->id));]] "" "queue: a large message")

mutant(data/queue.c [[if (finished && ends_exist(q, &word) && word & QUEUE_JOINERS)]] [[if (0)]]
    "queue: join")
mutant(data/queue.c [[
    killpoint();
    object_wake(q->queue, UINT32_MAX);]] [[
    object_wake(q->queue, 1);]] "queue: two join")
mutant(data/queue.c [[object_wake(q->items.cell, UINT32_MAX);]] [[object_wake(q->items.cell, 1);]]
    "queue: close under sleepers")
mutant(data/queue.c [[object_wake(q->room.cell, UINT32_MAX);]] "" "queue: close under a producer")
mutant(data/queue.c [[object_ring_watchers(q->items.cell);]] "" "queue: a watcher, close")

mutant(data/ends.c [[object_touch(q->queue);]] "" "queue: join")
mutant(data/ends.c [[object_touch(q->items.cell);]] "" "queue: two messages, two consumers")
mutant(data/ends.c [[object_touch(q->room.cell);]] "" "queue: room for one, two producers")
mutant(data/ends.c [[
        object_retire(cell, q.id);
        wake_all(&q);]] [[
        wake_all(&q);
        object_retire(cell, q.id);]] "queue: a watcher, destroy")
mutant(data/ends.c [[
        object_retire(cell, q.id);
        wake_all(&q);]] [[
        object_retire(cell, q.id);]] "queue: a watcher, destroy")
mutant(data/ends.c [[
        if (!are_free(q))
            return;]] [[
        return;]] "queue: an impatient destroyer")
mutant(data/ends.c [[
    heap_each_linked(unneeded.tag, free_unless_needed, &unneeded);]] "" "queue: a large message")
mutant(data/string.c [[rounds_look(&all, &now) == count && now == texts && is_alive(it)]]
    [[rounds_look(&all, &now) && is_alive(it)]] "string: two texts")
mutant(data/guarded.c [[const bool locked = it->lock != NO_LOCK, pinned]] [[const bool locked = false, pinned]]
    "value: two add, one reads")

mutant(data/guarded.c [[
    if (err == MPROC_ESTALE && lock.cell == it->cell)
        robust_leave(it->cell, it->id, true);]] "" "value: destroy")

mutant(channel/wait.c [[
        if (m->queues)
            watch_queues(m);
        mproc_err err = look(m);
        if (err)
            return err;]] [[
        mproc_err err = look(m);
        if (err)
            return err;
        if (m->queues)
            watch_queues(m);]] "queue: a watcher, a consumer")
mutant(channel/wait.c [[
        const bool hurry]] [[
        const uint32_t again = atomic_load(rung);
#define seen again
        const bool hurry]] "queue: a watcher, a consumer")
