/* What interpose.c writes of each call, in the byte order of the machine; CallRecord.swift reads it. */
#include <stdint.h>

#define ENTRY_MAGIC 0x63616c6cu

/* `what`. */
enum { WRITE = 1, SEND, FSYNC, FDATASYNC, TRUNCATE, CREATE, MKDIR, UNLINK, RENAME, LINK };
/* `kind`. */
enum { FILES = 1, CONNECTION };
/* `flags` of CREATE; those of RENAME are the call's own. */
enum { IS_NEW = 1, IS_EMPTIED = 2 };

/* 80 bytes, followed by name, other name and data without anything between them. */
struct entry {
    uint32_t magic;
    uint32_t what;
    uint32_t kind;
    uint32_t flags;
    /* From 1. */
    uint64_t number;
    /* What the call returned, or its errno, negative. */
    int64_t result;
    /* Of the file, of what was made, renamed or removed, or of the connection's socket. */
    uint64_t inode;
    /* Of the directory in which the name is, and, for RENAME and LINK, of the one with the new name. */
    uint64_t directory;
    uint64_t other;
    /* Of WRITE where, of TRUNCATE the new length. */
    int64_t offset;
    /* 1 if the call was struck: killed or failed. */
    uint32_t struck;
    /* Names in their directories; for calls on an open file its path below the root. */
    uint32_t name_length;
    uint32_t other_length;
    uint32_t data_length;
};
