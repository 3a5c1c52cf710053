#define _GNU_SOURCE
#include "faulty_disk.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static _Thread_local faulty_disk_gate current_gate;
static _Thread_local void *current_context;

void faulty_disk_watch(faulty_disk_gate gate, void *context) {
    current_gate = gate;
    current_context = context;
}

static int refused(enum faulty_disk_call call) {
    faulty_disk_gate gate = current_gate;
    if (!gate) return 0;
    /* What the gate itself does is not asked about. */
    current_gate = NULL;
    int reason = gate(current_context, call);
    current_gate = gate;
    if (reason) errno = reason;
    return reason;
}

#define NEXT(name) \
    static __typeof__(&name) next; \
    if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define MODE_OF(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list arguments; \
        va_start(arguments, flags); \
        mode = va_arg(arguments, mode_t); \
        va_end(arguments); \
    }

#define CHANGES(flags) ((flags) & (O_CREAT | O_TRUNC))

int open(const char *path, int flags, ...) {
    MODE_OF(flags)
    NEXT(open);
    if (CHANGES(flags) && refused(FAULTY_DISK_CREATE)) return -1;
    return next(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags)
    NEXT(open64);
    if (CHANGES(flags) && refused(FAULTY_DISK_CREATE)) return -1;
    return next(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
    MODE_OF(flags)
    NEXT(openat);
    if (CHANGES(flags) && refused(FAULTY_DISK_CREATE)) return -1;
    return next(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...) {
    MODE_OF(flags)
    NEXT(openat64);
    if (CHANGES(flags) && refused(FAULTY_DISK_CREATE)) return -1;
    return next(directory, path, flags, mode);
}

ssize_t write(int file, const void *bytes, size_t count) {
    NEXT(write);
    if (refused(FAULTY_DISK_WRITE)) return -1;
    return next(file, bytes, count);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    NEXT(writev);
    if (refused(FAULTY_DISK_WRITE)) return -1;
    return next(file, parts, count);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    NEXT(pwrite);
    if (refused(FAULTY_DISK_WRITE)) return -1;
    return next(file, bytes, count, offset);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    NEXT(pwrite64);
    if (refused(FAULTY_DISK_WRITE)) return -1;
    return next(file, bytes, count, offset);
}

int fsync(int file) {
    NEXT(fsync);
    if (refused(FAULTY_DISK_SYNC)) return -1;
    return next(file);
}

int fdatasync(int file) {
    NEXT(fdatasync);
    if (refused(FAULTY_DISK_SYNC)) return -1;
    return next(file);
}

int rename(const char *from, const char *to) {
    NEXT(rename);
    if (refused(FAULTY_DISK_RENAME)) return -1;
    return next(from, to);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to) {
    NEXT(renameat);
    if (refused(FAULTY_DISK_RENAME)) return -1;
    return next(from_directory, from, to_directory, to);
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags) {
    NEXT(renameat2);
    if (refused(FAULTY_DISK_RENAME)) return -1;
    return next(from_directory, from, to_directory, to, flags);
}

int link(const char *from, const char *to) {
    NEXT(link);
    if (refused(FAULTY_DISK_LINK)) return -1;
    return next(from, to);
}

int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags) {
    NEXT(linkat);
    if (refused(FAULTY_DISK_LINK)) return -1;
    return next(from_directory, from, to_directory, to, flags);
}

int unlink(const char *path) {
    NEXT(unlink);
    if (refused(FAULTY_DISK_UNLINK)) return -1;
    return next(path);
}

int unlinkat(int directory, const char *path, int flags) {
    NEXT(unlinkat);
    if (refused(FAULTY_DISK_UNLINK)) return -1;
    return next(directory, path, flags);
}

int rmdir(const char *path) {
    NEXT(rmdir);
    if (refused(FAULTY_DISK_UNLINK)) return -1;
    return next(path);
}

int mkdir(const char *path, mode_t mode) {
    NEXT(mkdir);
    if (refused(FAULTY_DISK_MAKE_DIRECTORY)) return -1;
    return next(path, mode);
}

int mkdirat(int directory, const char *path, mode_t mode) {
    NEXT(mkdirat);
    if (refused(FAULTY_DISK_MAKE_DIRECTORY)) return -1;
    return next(directory, path, mode);
}

int ftruncate(int file, off_t length) {
    NEXT(ftruncate);
    if (refused(FAULTY_DISK_TRUNCATE)) return -1;
    return next(file, length);
}

int ftruncate64(int file, off64_t length) {
    NEXT(ftruncate64);
    if (refused(FAULTY_DISK_TRUNCATE)) return -1;
    return next(file, length);
}

int fchmod(int file, mode_t mode) {
    NEXT(fchmod);
    if (refused(FAULTY_DISK_CHANGE_MODE)) return -1;
    return next(file, mode);
}
