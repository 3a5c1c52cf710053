#ifndef CAMPAIGND_CSYSTEMD_H
#define CAMPAIGND_CSYSTEMD_H

/* What campaignd calls of libsystemd is not variadic: sd_notify(3) is given finished text and sd_journal_sendv(3) an
   array. So this door only includes; without the location macros, because the place of a record in the Swift sources
   is sent as CODE_FILE, CODE_LINE and CODE_FUNC by the caller. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#endif
