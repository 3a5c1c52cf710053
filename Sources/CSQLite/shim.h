#ifndef CAMPAIGND_CSQLITE_H
#define CAMPAIGND_CSQLITE_H

/* sqlite3_db_config(3) is variadic, which Swift cannot call. */
#include <sqlite3.h>

/* Whether closing the last connection leaves the write-ahead log as it is, instead of moving it into the file and
   removing it: SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE. */
static inline int campaignd_sqlite_leave_log(sqlite3 *connection, int is_left) {
    return sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_left, (int *)0);
}

#endif
