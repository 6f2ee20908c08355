#include "coroutine.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { STACK = 1 << 18, GUARD = 4096, SAVED = 6 };

static unsigned char *stacks[COROUTINES];
static void *tops[COROUTINES]; /* of those that do not run */

/* Saves what a called function must keep, and goes on where the other one saved it. */
void explore_switch(void **from, void *to);
__asm__(".text\n"
        ".globl explore_switch\n"
        ".type explore_switch, @function\n"
        "explore_switch:\n"
        "    push %rbp\n"
        "    push %rbx\n"
        "    push %r12\n"
        "    push %r13\n"
        "    push %r14\n"
        "    push %r15\n"
        "    mov %rsp, (%rdi)\n"
        "    mov %rsi, %rsp\n"
        "    pop %r15\n"
        "    pop %r14\n"
        "    pop %r13\n"
        "    pop %r12\n"
        "    pop %rbx\n"
        "    pop %rbp\n"
        "    ret\n"
        ".size explore_switch, .-explore_switch\n");

/* An overflow meets a page that nobody may touch. */
static unsigned char *new_stack(void)
{
    unsigned char *stack = mmap(NULL, GUARD + STACK, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED || mprotect(stack, GUARD, PROT_NONE))
        abort();
    return stack;
}

void coroutine_begin(int i, void (*run)(void))
{
    if (!stacks[i])
        stacks[i] = new_stack();
    /* As if `run` had been called: the stack is aligned but for a return address, of which there is
     * none. */
    uintptr_t frame[SAVED + 2] = {0};
    memcpy(&frame[SAVED], &run, sizeof run);
    unsigned char *top = stacks[i] + GUARD + STACK - 64 - sizeof frame;
    memcpy(top, frame, sizeof frame);
    tops[i] = top;
}

void coroutine_switch(int from, int to)
{
    explore_switch(&tops[from], tops[to]);
}
