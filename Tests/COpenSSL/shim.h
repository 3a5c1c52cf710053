#ifndef CAMPAIGND_COPENSSL_H
#define CAMPAIGND_COPENSSL_H

/* All that the tests call are functions of OpenSSL 3 with fixed arguments, and the macros that they name are plain
   numbers: Swift reads these headers as they are, and no shim is needed. */
#include <openssl/err.h>
#include <openssl/ssl.h>

#endif
