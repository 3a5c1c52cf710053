#ifndef CAMPAIGND_CCURL_H
#define CAMPAIGND_CCURL_H

/* curl_easy_setopt(3) and curl_easy_getinfo(3) are variadic, which Swift cannot call: one function for each type of
   argument. The type check of curl's own macros is off, because here the option is not a constant. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

static inline CURLcode campaignd_curl_set_long(CURL *curl, CURLoption option, long value) {
    return curl_easy_setopt(curl, option, value);
}

/* The text is copied by libcurl; NULL takes an option back. */
static inline CURLcode campaignd_curl_set_text(CURL *curl, CURLoption option, const char *value) {
    return curl_easy_setopt(curl, option, value);
}

/* The pointer is kept by libcurl. */
static inline CURLcode campaignd_curl_set_pointer(CURL *curl, CURLoption option, void *value) {
    return curl_easy_setopt(curl, option, value);
}

static inline CURLcode campaignd_curl_set_header_callback(CURL *curl, curl_write_callback callback) {
    return curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, callback);
}

static inline CURLcode campaignd_curl_set_progress_callback(CURL *curl, curl_xferinfo_callback callback) {
    return curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, callback);
}

static inline CURLcode campaignd_curl_set_debug_callback(CURL *curl, curl_debug_callback callback) {
    return curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, callback);
}

static inline CURLcode campaignd_curl_set_open_callback(CURL *curl, curl_opensocket_callback callback) {
    return curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, callback);
}

static inline CURLcode campaignd_curl_set_close_callback(CURL *curl, curl_closesocket_callback callback) {
    return curl_easy_setopt(curl, CURLOPT_CLOSESOCKETFUNCTION, callback);
}

static inline CURLcode campaignd_curl_get_long(CURL *curl, CURLINFO info, long *value) {
    return curl_easy_getinfo(curl, info, value);
}

static inline CURLcode campaignd_curl_get_microseconds(CURL *curl, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(curl, info, value);
}

/* The text belongs to the handle. */
static inline CURLcode campaignd_curl_get_text(CURL *curl, CURLINFO info, const char **value) {
    return curl_easy_getinfo(curl, info, value);
}

static inline CURLcode campaignd_curl_get_socket(CURL *curl, CURLINFO info, curl_socket_t *value) {
    return curl_easy_getinfo(curl, info, value);
}

#endif
