/* MPROC_HOT: a static variable that each start of a process writes to. After a fork each page that
 * the parent writes to costs it a fault, 5 to 30 us. So these variables lie close together. */
#ifndef MPROC_HOT_H
#define MPROC_HOT_H

#if !defined(MPROC_HOT) && defined(__ELF__) && defined(__GNUC__)
#define MPROC_HOT __attribute__((section("mproc_hot")))
#elif !defined(MPROC_HOT)
#define MPROC_HOT
#endif

#endif
