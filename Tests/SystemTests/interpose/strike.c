/* Which call is struck, and what is written of each: see interpose.c. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "strike.h"

#define LONGEST_WRITE (64 << 20)

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX], trigger[PATH_MAX], lifted[PATH_MAX];
size_t root_length;
static int is_counting, is_killing, is_tearing, files_only, with_bytes, record = -1;
int failure;
static uint64_t number, at;
/* The kind that is failing since the strike, until it is lifted; 0 for none. */
static int failing;

void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        dprintf(2, "interpose: the C library has no %s\n", name);
        abort();
    }
    return found;
}

static void setting(const char *name, char *into)
{
    const char *value = getenv(name);
    snprintf(into, PATH_MAX, "%s", value ? value : "");
}

__attribute__((constructor)) static void begin(void)
{
    char how[PATH_MAX], text[PATH_MAX];
    setting("INTERPOSE_ROOT", root);
    root_length = strlen(root);
    setting("INTERPOSE_TRIGGER", trigger);
    setting("INTERPOSE_LIFTED", lifted);
    setting("INTERPOSE_AT", text);
    at = strtoull(text, NULL, 10);
    setting("INTERPOSE_HOW", how);
    is_tearing = strcmp(how, "tear") == 0;
    is_killing = is_tearing || strcmp(how, "kill") == 0;
    failure = atoi(how);
    setting("INTERPOSE_FILES_ONLY", text);
    files_only = strcmp(text, "1") == 0;
    setting("INTERPOSE_BYTES", text);
    with_bytes = strcmp(text, "1") == 0;
    setting("INTERPOSE_RECORD", text);
    if (text[0]) {
        int opened = REAL(open)(text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        /* Out of the way of programs that expect the lowest numbers. */
        record = fcntl(opened, F_DUPFD_CLOEXEC, 900);
        close(opened);
        if (record < 0) {
            dprintf(2, "interpose: no record can be written to %s\n", text);
            abort();
        }
    }
    is_counting = trigger[0] == 0;
}

/* ---- What a call is about ---- */

static int is_below_root(const char *path)
{
    return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

int path_of(int descriptor, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

int kind_of(int descriptor)
{
    struct stat status;
    char path[PATH_MAX];
    /* Standard error is how the daemon says what is wrong. */
    if (descriptor <= 2 || fstat(descriptor, &status) != 0) return 0;
    if (S_ISSOCK(status.st_mode)) {
        int domain = 0, type = 0;
        socklen_t size = sizeof domain;
        if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return 0;
        size = sizeof type;
        if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return 0;
        return (domain == AF_INET || domain == AF_INET6) && type == SOCK_STREAM ? CONNECTION : 0;
    }
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return 0;
    return path_of(descriptor, path) && is_below_root(path) ? FILES : 0;
}

int find(int descriptor, const char *path, struct place *place)
{
    char whole[2 * PATH_MAX];
    struct stat status;
    if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        char base[PATH_MAX];
        if (descriptor == AT_FDCWD ? !getcwd(base, sizeof base) : !path_of(descriptor, base)) return 0;
        snprintf(whole, sizeof whole, "%s/%s", base, path);
    }
    if (!is_below_root(whole)) return 0;
    char *last = strrchr(whole, '/');
    snprintf(place->name, sizeof place->name, "%s", last + 1);
    *last = 0;
    place->directory = stat(whole, &status) == 0 ? status.st_ino : 0;
    return 1;
}

/* ---- One call ---- */

static void put(const void *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = REAL(write)(record, bytes, length);
        if (written <= 0) abort();
        bytes = (const char *)bytes + written;
        length -= (size_t)written;
    }
}

void note(struct call *call, int64_t result, uint32_t struck)
{
    if (record < 0) return;
    size_t length = 0;
    static char buffer[LONGEST_WRITE];
    struct entry *entry = &call->entry;
    entry->magic = ENTRY_MAGIC;
    entry->number = number;
    entry->result = result;
    entry->struck = struck;
    entry->name_length = call->name ? (uint32_t)strlen(call->name) : 0;
    entry->other_length = call->other_name ? (uint32_t)strlen(call->other_name) : 0;
    length = sizeof *entry + entry->name_length + entry->other_length;
    memcpy(buffer + sizeof *entry, call->name, entry->name_length);
    memcpy(buffer + sizeof *entry + entry->name_length, call->other_name, entry->other_length);
    size_t left = with_bytes && result > 0 ? (size_t)result : 0;
    entry->data_length = 0;
    for (int index = 0; index < call->count && left > 0; index++) {
        size_t part = call->parts[index].iov_len < left ? call->parts[index].iov_len : left;
        if (length + part > sizeof buffer) abort();
        memcpy(buffer + length, call->parts[index].iov_base, part);
        length += part;
        left -= part;
        entry->data_length += (uint32_t)part;
    }
    memcpy(buffer, entry, sizeof *entry);
    put(buffer, length);
}

void end_process(void)
{
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

int64_t enter(struct call *call, int kind, size_t length)
{
    pthread_mutex_lock(&turn);
    if (!is_counting && access(trigger, F_OK) == 0) is_counting = 1;
    if (!is_counting) return -1;
    call->entry.kind = (uint32_t)kind;
    call->is_failing = 0;
    if (files_only && kind != FILES) return -1;
    number++;
    if (failing && lifted[0] && access(lifted, F_OK) == 0) failing = 0;
    if (number == at && failure) {
        call->is_failing = 1;
        if (lifted[0]) failing = kind;
    } else if (failing == kind) {
        call->is_failing = 1;
    }
    if (number != at || !is_killing) return -1;
    if (is_tearing && length > 1) return (int64_t)(length / 2);
    note(call, 0, 1);
    end_process();
    return 0;
}

void leave(struct call *call, int64_t result)
{
    int code = errno;
    if (is_counting) note(call, result < 0 ? -code : result, (uint32_t)call->is_failing);
    pthread_mutex_unlock(&turn);
    errno = code;
}

uint64_t inode_of(int descriptor)
{
    struct stat status;
    return fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

uint64_t inode_at(int directory, const char *path)
{
    struct stat status;
    return fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status.st_ino : 0;
}
