/*
 * Preloaded into the daemon by its system tests: puts every call that changes a file below one directory, or that
 * sends on a TCP connection, into one order, and strikes the n-th of them.
 *
 * Why not strace alone: the counters of its `-e inject=...:when=N` belong to a thread, and the daemon has many, so
 * "the n-th call" of strace is no place in the life of the process. Here a call holds a lock from before its number
 * until after its end: the numbers are the order in which things happened, and after a kill no other call begins.
 * What a C library calls inside itself cannot be seen from here; the tests compare the record with strace's.
 *
 * Told by the environment:
 *   INTERPOSE_ROOT     only files below this directory count
 *   INTERPOSE_TRIGGER  numbers begin once this file exists; without it with the start of the process
 *   INTERPOSE_AT       the number to strike, from 1; 0 or nothing for none
 *   INTERPOSE_HOW      kill: the process ends in place of the call. tear: half of what was to be written is, then the
 *                      process ends. A number: the call fails with this errno
 *   INTERPOSE_LIFTED   with a number in HOW: not this call alone fails, but all of its kind (files or connections)
 *                      from then on, until this file exists
 *   INTERPOSE_FILES_ONLY  1: what is sent has no number
 *   INTERPOSE_RECORD   a file for the record, one entry a call, as struct entry with what follows it
 *   INTERPOSE_BYTES    1: the record holds what was written and sent, too
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "strike.h"

#define ALIAS(of) __attribute__((alias(#of)))

/* Does a call that does not write: `expression` unless it is to fail. */
#define STEP(call, kind, expression) \
    ({ \
        enter(&(call), kind, 0); \
        int64_t outcome = -1; \
        if ((call).is_failing) errno = failure; else outcome = (expression); \
        leave(&(call), outcome); \
        outcome; \
    })

/* ---- Writing and sending ---- */

typedef ssize_t transfer(int descriptor, const struct iovec *parts, int count, off_t offset, int flags);

static ssize_t send_parts(int descriptor, const struct iovec *parts, int count, off_t offset, int flags)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    (void)offset;
    return REAL(sendmsg)(descriptor, &message, flags);
}

static ssize_t write_parts(int descriptor, const struct iovec *parts, int count, off_t offset, int flags)
{
    (void)flags;
    return offset < 0 ? REAL(writev)(descriptor, parts, count) : REAL(pwritev)(descriptor, parts, count, offset);
}

static ssize_t transferred(
    uint32_t what, transfer *perform, int descriptor, const struct iovec *parts, int count, off_t offset, int flags)
{
    int kind = kind_of(descriptor);
    if (!kind) return perform(descriptor, parts, count, offset, flags);
    struct call call = {.entry = {.what = what, .inode = inode_of(descriptor)}, .parts = parts, .count = count};
    size_t length = 0;
    for (int index = 0; index < count; index++) length += parts[index].iov_len;
    char path[PATH_MAX] = "";
    if (kind == FILES && path_of(descriptor, path)) call.name = path + root_length;
    int64_t part = enter(&call, kind, length);
    call.entry.offset = offset;
    if (kind == FILES && offset < 0) {
        int append = fcntl(descriptor, F_GETFL) & O_APPEND;
        struct stat status;
        call.entry.offset =
            append && fstat(descriptor, &status) == 0 ? status.st_size : lseek(descriptor, 0, SEEK_CUR);
    }
    if (part >= 0) {
        struct iovec first = {parts[0].iov_base, parts[0].iov_len < (size_t)part ? parts[0].iov_len : (size_t)part};
        note(&call, perform(descriptor, &first, 1, offset, flags), 1);
        end_process();
    }
    ssize_t result = -1;
    if (call.is_failing) errno = failure; else result = perform(descriptor, parts, count, offset, flags);
    leave(&call, result);
    return result;
}

ssize_t write(int descriptor, const void *bytes, size_t length)
{
    struct iovec part = {(void *)bytes, length};
    return transferred(WRITE, write_parts, descriptor, &part, 1, -1, 0);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count)
{
    return transferred(WRITE, write_parts, descriptor, parts, count, -1, 0);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset)
{
    struct iovec part = {(void *)bytes, length};
    return transferred(WRITE, write_parts, descriptor, &part, 1, offset, 0);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset)
{
    return transferred(WRITE, write_parts, descriptor, parts, count, offset, 0);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off64_t offset) ALIAS(pwrite);
ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off64_t offset) ALIAS(pwritev);

ssize_t send(int descriptor, const void *bytes, size_t length, int flags)
{
    struct iovec part = {(void *)bytes, length};
    return transferred(SEND, send_parts, descriptor, &part, 1, -1, flags);
}

ssize_t sendto(
    int descriptor, const void *bytes, size_t length, int flags, const struct sockaddr *address, socklen_t size)
{
    if (address) return REAL(sendto)(descriptor, bytes, length, flags, address, size);
    return send(descriptor, bytes, length, flags);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    if (message->msg_name || message->msg_controllen) return REAL(sendmsg)(descriptor, message, flags);
    return transferred(SEND, send_parts, descriptor, message->msg_iov, (int)message->msg_iovlen, -1, flags);
}

/* ---- The open file ---- */

static int on_file(uint32_t what, int descriptor, int64_t argument, int (*perform)(int, int64_t))
{
    int kind = kind_of(descriptor);
    if (kind != FILES) return perform(descriptor, argument);
    struct call call = {.entry = {.what = what, .inode = inode_of(descriptor), .offset = argument}};
    char path[PATH_MAX] = "";
    if (path_of(descriptor, path)) call.name = path + root_length;
    return (int)STEP(call, kind, perform(descriptor, argument));
}

static int perform_fsync(int descriptor, int64_t none) { (void)none; return REAL(fsync)(descriptor); }
static int perform_fdatasync(int descriptor, int64_t none) { (void)none; return REAL(fdatasync)(descriptor); }
static int perform_ftruncate(int descriptor, int64_t length) { return REAL(ftruncate)(descriptor, length); }

int fsync(int descriptor) { return on_file(FSYNC, descriptor, 0, perform_fsync); }
int fdatasync(int descriptor) { return on_file(FDATASYNC, descriptor, 0, perform_fdatasync); }
int ftruncate(int descriptor, off_t length) { return on_file(TRUNCATE, descriptor, length, perform_ftruncate); }
int ftruncate64(int descriptor, off64_t length) ALIAS(ftruncate);

/* ---- Names ---- */

/* An open that makes a file or empties one. */
static int opened(int directory, const char *path, int flags, mode_t mode)
{
    struct place place;
    int changes = flags & (O_CREAT | O_TRUNC) && (flags & O_TMPFILE) != O_TMPFILE;
    if (!changes || !find(directory, path, &place)) return REAL(openat)(directory, path, flags, mode);
    struct call call = {.entry = {.what = CREATE, .directory = place.directory}, .name = place.name};
    enter(&call, FILES, 0);
    int outcome = -1;
    if (call.is_failing) {
        errno = failure;
    } else {
        struct stat status;
        int existed = fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
        outcome = REAL(openat)(directory, path, flags, mode);
        call.entry.inode = outcome >= 0 ? inode_of(outcome) : 0;
        call.entry.flags = (existed ? 0 : IS_NEW) | (existed && flags & O_TRUNC ? IS_EMPTIED : 0);
    }
    leave(&call, outcome);
    return outcome;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opened(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opened(directory, path, flags, mode);
}

int open64(const char *path, int flags, ...) ALIAS(open);
int openat64(int directory, const char *path, int flags, ...) ALIAS(openat);
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) ALIAS(creat);

int mkdirat(int directory, const char *path, mode_t mode)
{
    struct place place;
    if (!find(directory, path, &place)) return REAL(mkdirat)(directory, path, mode);
    struct call call = {.entry = {.what = MKDIR, .directory = place.directory}, .name = place.name};
    enter(&call, FILES, 0);
    int outcome = -1;
    if (call.is_failing) errno = failure; else outcome = REAL(mkdirat)(directory, path, mode);
    if (outcome == 0) call.entry.inode = inode_at(directory, path);
    leave(&call, outcome);
    return outcome;
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int unlinkat(int directory, const char *path, int flags)
{
    struct place place;
    if (!find(directory, path, &place)) return REAL(unlinkat)(directory, path, flags);
    struct call call = {
        .entry = {.what = UNLINK, .directory = place.directory, .inode = inode_at(directory, path)},
        .name = place.name};
    return (int)STEP(call, FILES, REAL(unlinkat)(directory, path, flags));
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int renameat2(int directory, const char *path, int other, const char *target, unsigned flags)
{
    struct place place = {0}, end = {0};
    int is_ours = find(directory, path, &place);
    if (!find(other, target, &end) && !is_ours) return REAL(renameat2)(directory, path, other, target, flags);
    struct call call = {
        .entry = {
            .what = RENAME, .directory = place.directory, .other = end.directory, .flags = flags,
            .inode = inode_at(directory, path)},
        .name = place.name, .other_name = end.name};
    return (int)STEP(call, FILES, REAL(renameat2)(directory, path, other, target, flags));
}

int renameat(int directory, const char *path, int other, const char *target)
{
    return renameat2(directory, path, other, target, 0);
}

int rename(const char *path, const char *target) { return renameat2(AT_FDCWD, path, AT_FDCWD, target, 0); }

int linkat(int directory, const char *path, int other, const char *target, int flags)
{
    struct place place = {0}, end = {0};
    find(directory, path, &place);
    if (!find(other, target, &end)) return REAL(linkat)(directory, path, other, target, flags);
    struct call call = {
        .entry = {
            .what = LINK, .directory = place.directory, .other = end.directory,
            .inode = inode_at(directory, path)},
        .name = place.name, .other_name = end.name};
    return (int)STEP(call, FILES, REAL(linkat)(directory, path, other, target, flags));
}

int link(const char *path, const char *target) { return linkat(AT_FDCWD, path, AT_FDCWD, target, 0); }
