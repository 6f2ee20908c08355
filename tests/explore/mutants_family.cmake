# Locks, waiting, cells and the heap.

mutant(family/robust.c [[
    if (word & WAITERS)
        object_wake(cell, 1);
    return MPROC_OK;]] [[
    return MPROC_OK;]] "lock: three")
mutant(family/robust.c [[a->me | (a->slept ? WAITERS : 0)]] [[a->me]] "lock: three")
mutant(family/robust.c [[
    object_touch(a->cell);]] "" "lock: three")
mutant(family/robust.c [[
        if (word & WAITERS)
            object_touch(cell);]] "" "lock: three")
mutant(family/robust.c [[
    if (swap(cell, &word, (word & ~HOLDER) | DIRTY))
        object_wake(cell, 1);]] [[
    swap(cell, &word, (word & ~HOLDER) | DIRTY);]] "lock: three")
mutant(family/robust.c [[(word & ~HOLDER) | DIRTY]] [[word & ~HOLDER]] "lock: the next one is told")
mutant(family/robust.c [[
    if (!(word & WAITERS) && !swap(a->cell, &word, word | WAITERS))
        return MPROC_OK;]] "" "lock: three")

mutant(family/robust.c [[
    replace_holder(cell, dead);
    drop_dead(cell, dead);]] [[
    drop_dead(cell, dead);]] "string: destroy beside two")
mutant(family/robust.c [[
        if (is_held(atomic_load(&cell->word)) ||
            !object_entrust]] [[
        if (true || !object_entrust]] "value: destroy under a holder")

mutant(family/waiters.c [[
    if (kind_of(state) == NOTIFIED)
        waiters_notify(atomic_load(&place->object), 1);]] "" "condition: two wait, one notification")
mutant(family/waiters.c [[
    free_places_of(dead, true);
    wake_forgotten();]] [[
    free_places_of(dead, true);]] "condition: notify_all")
mutant(family/waiters.c [[
        uint32_t seq = atomic_load(&wait->place->wake);
        if (is_notified(wait)) {]] [[
        uint32_t seq = 0;
        bool told = is_notified(wait);
        seq = atomic_load(&wait->place->wake);
        if (told) {]] "condition: two wait, two notifications")

mutant(family/park.c [[
    if (atomic_load(word) == expected)
        err]] [[
        err]] "event: two wait, set")
mutant(family/park.c [[!clean && word != UNUSED && !wake(places, i, word)]] [[0 && word]] "event: two wait, set")

mutant(family/object.c [[
    return swap(&cell->life, life, life_of(*generation, MAKING, family.self));]] [[
    atomic_store(&cell->life, life_of(*generation, MAKING, family.self));
    return true;]] "object: create and create")
mutant(family/object.c [[
    object_note(index);]] "" "object: create and create")
mutant(family/object.c [[
    killpoint();
    object_wake(cell, UINT32_MAX);
}]] [[
    killpoint();
}]] "lock: destroy under waiters")
mutant(family/object.c [[
    else if (state_of(life) == MAKING || state_of(life) == ENDING)
        end(cell, life);]] "" "object: create and create")
mutant(family/object.c [[
    } while (!swap(&(*cell)->life, life, life_of(generation, ENDING, family.self)));]] [[
    } while (atomic_store(&(*cell)->life, life_of(generation, ENDING, family.self)), false);]]
    "object: destroy, destroy, create")

mutant(family/heap.c [[
    if (!swap(word, block_free(epoch), block_word(BLOCK_HELD, epoch, owner_of(self))))
        return false;]] [[
    atomic_store(word, block_word(BLOCK_HELD, epoch, owner_of(self)));]] "heap: two take small ones")
mutant(family/heap.c [[
    journal_note(hints.noted, journal_bit_of_span(number / SPAN_BLOCKS));]] "" "heap: two take small ones")
mutant(family/heap.c [[
    if (!swap(b->word, b->now, block_free(epoch)))
        return false;]] [[
    atomic_store(b->word, block_free(epoch));]] "memory: two free the same")
mutant(family/span.c [[!swap(word, free, span_state(SPAN_CLAIMED, 0, self))]] [[(atomic_store(word, span_state(SPAN_CLAIMED, 0, self)), false)]]
    "heap: two take runs")
mutant(family/robust.c [[
    waiters_wake(id);]] "" "condition: destroy under waiters")
