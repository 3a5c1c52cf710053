/*
 * Preloaded into the daemon: holds a final dot back for a random moment before it is sent.
 *
 * Between the intent and the dot there are milliseconds, and kills at random moments would hardly ever fall into
 * them. The moments are up to SLOW_DOT_MS milliseconds.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

ssize_t send(int descriptor, const void *bytes, size_t count, int flags)
{
    static __typeof__(&send) real;
    if (!real)
        real = (__typeof__(&send))dlsym(RTLD_NEXT, "send");
    const char *longest = getenv("SLOW_DOT_MS");
    if (longest && count == 3 && memcmp(bytes, ".\r\n", 3) == 0) {
        unsigned long pause = 0;
        if (getrandom(&pause, sizeof pause, 0) == (ssize_t)sizeof pause) {
            pause %= strtoul(longest, NULL, 10) * 1000000 + 1;
            struct timespec time = {pause / 1000000000, pause % 1000000000};
            nanosleep(&time, NULL);
        }
    }
    return real(descriptor, bytes, count, flags);
}
