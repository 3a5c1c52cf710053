#ifndef CAMPAIGND_CSYSTEMD_H
#define CAMPAIGND_CSYSTEMD_H

/* What campaignd calls of libsystemd is not variadic: sd_notify(3) is given finished text, sd_journal_sendv(3) an
   array, and of sd-bus(3) only what reads a property is called. So this door only includes; without the location
   macros, because the place of a record in the Swift sources is sent as CODE_FILE, CODE_LINE and CODE_FUNC by the
   caller. sys/timex.h is for adjtimex(2), which Swift's Glibc leaves out. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <sys/timex.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#endif
