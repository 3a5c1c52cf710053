#ifndef CAMPAIGND_CSYSTEMD_H
#define CAMPAIGND_CSYSTEMD_H

/* What campaignd calls of libsystemd is not variadic: sd_notify(3) is given finished text, sd_journal_sendv(3) an
   array, and of sd-bus(3) only what reads a property is called. So this door only includes; without the location
   macros, because the place of a record in the Swift sources is sent as CODE_FILE, CODE_LINE and CODE_FUNC by the
   caller. link.h, malloc.h, sys/timerfd.h and sys/timex.h are for dl_iterate_phdr(3), mallopt(3),
   timerfd_create(2) and adjtimex(2), which Swift's Glibc leaves out. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <elf.h>
#include <malloc.h>
#include <sys/types.h>
/* dl_iterate_phdr(3) is declared for GNU sources only. What else they declare must stay as Swift's Glibc has it: fd_set
   for one would be another type. So the types come before it. */
#ifdef __USE_GNU
#include <link.h>
#else
#define __USE_GNU 1
#include <link.h>
#undef __USE_GNU
#endif
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#endif
