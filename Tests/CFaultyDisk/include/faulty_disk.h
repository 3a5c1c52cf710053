#ifndef CAMPAIGND_FAULTY_DISK_H
#define CAMPAIGND_FAULTY_DISK_H

/* Why C: to stand between SQLite, Foundation and the kernel, the functions of the C library themselves have to be
   defined here; a program's own definitions come before those of the library. Only threads that ask for it notice. */

#include <stdint.h>

enum faulty_disk_call {
    FAULTY_DISK_CREATE,
    FAULTY_DISK_WRITE,
    FAULTY_DISK_SYNC,
    FAULTY_DISK_RENAME,
    FAULTY_DISK_LINK,
    FAULTY_DISK_UNLINK,
    FAULTY_DISK_MAKE_DIRECTORY,
    FAULTY_DISK_TRUNCATE,
    FAULTY_DISK_CHANGE_MODE,
};

/* Asked before each call that changes what is on a disk: 0 lets it through, any other number is the errno with which
   it fails. */
typedef int (*faulty_disk_gate)(void *context, enum faulty_disk_call call);

/* From now on the calls of this thread are asked about; NULL ends that. */
void faulty_disk_watch(faulty_disk_gate gate, void *context);

#endif
