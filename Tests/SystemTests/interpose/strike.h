/* What interpose.c asks of strike.c for each call. */
#include <limits.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "entry.h"

/* A preloaded library must not offer names of its own to the program. */
#pragma GCC visibility push(hidden)

/* What the C library itself has under this name. */
#define REAL(name) ((__typeof__(&name))real(#name))
void *real(const char *name);

/* The errno with which a struck call fails; 0 if it is not to fail. */
extern int failure;
/* Of INTERPOSE_ROOT: what of a path is left out in the record. */
extern size_t root_length;

struct call {
    struct entry entry;
    const char *name;
    const char *other_name;
    const struct iovec *parts;
    int count;
    /* Set by enter(): fail with `failure` in place of the call. */
    int is_failing;
};

/* A name in a directory. */
struct place {
    uint64_t directory;
    char name[NAME_MAX + 1];
};

/* What a descriptor is of: one of the kinds, or 0 for what is left alone. */
int kind_of(int descriptor);
/* The path of an open file; 0 if it cannot be told. */
int path_of(int descriptor, char *path);
/* Where a path leads; 0 if not below the root. */
int find(int descriptor, const char *path, struct place *place);
uint64_t inode_of(int descriptor);
/* Of what a name leads to, links not followed; 0 for nothing. */
uint64_t inode_at(int directory, const char *path);

/* Takes the turn and a number. Returns what is to be written before the end, if this is the end; -1 if it is not. */
int64_t enter(struct call *call, int kind, size_t length);
/* Writes the record and gives the turn on. */
void leave(struct call *call, int64_t result);
/* Only for what is written before the end. */
void note(struct call *call, int64_t result, uint32_t struck);
void end_process(void);

#pragma GCC visibility pop
